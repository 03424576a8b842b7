/**
 * Calendar invitations (RFC 5545, 5546, 6047): the texts of a template checked and built into one event that calendars
 * accept. Owns the UID and the sequence by which an update finds its event; sends nothing.
 */

import ICAL from 'ical.js'
import { BoundedMap } from '../../bounded-map.ts'
import { isBlank, type MarkedText } from '../../template/marked-text.ts'
import type { RenderedCalendar } from '../../template/template.ts'
import { wallTimeOf } from '../../time-zone.ts'
import type { Mailbox } from '../address/address.ts'
import { parseAddressList } from '../address/list.ts'
import { calendarZone, type EventTime, readDuration, readEventTime, shown, wrong } from './time.ts'

export interface CalendarPart {
  /** `REQUEST`, `CANCEL` or `PUBLISH`: goes into the part's Content-Type too. */
  readonly method: string
  /** The calendar, lines in CRLF and folded at 75 bytes. */
  readonly text: string
  readonly fileName: string
}

export interface CalendarContext {
  /** DTSTAMP: when the invitation was made. */
  readonly now: Date
  readonly organizer: Mailbox
  readonly attendee: Mailbox
  /** Unique a recipient and campaign; the UID when the template gives none. */
  readonly uidSeed: string
}

/** What is asked of the recipient: an answer, to strike it out, or nothing. */
const METHODS = new Set(['REQUEST', 'CANCEL', 'PUBLISH'])
/** A time as it is written, without a zone of its own: a parameter says which. */
const FLOATING = ICAL.Timezone.localTimezone

/**
 * One event as a calendar of its own. A time zone that is named stands in it with its rules; without one, and where the
 * rules cannot say it, times are in UTC, which every program shows on its own clock.
 *
 * @throws DataError that names the field of `calendar:`.
 */
export function buildCalendar(calendar: RenderedCalendar, context: CalendarContext): CalendarPart {
  const method = calendar.method.trim().toUpperCase() || 'REQUEST'
  if (!METHODS.has(method)) throw wrong('method', `'${shown(calendar.method)}' is not one of request, cancel, publish`)
  const time = timeOf(calendar)
  const { uid, sequence } = identityOf(calendar, context, method)
  const summary = line('summary', calendar.summary)
  if (summary === '') throw wrong('summary', 'it is empty')
  const event = new ICAL.Component('vevent')
  event.addPropertyWithValue('uid', uid)
  event.addPropertyWithValue('sequence', sequence)
  event.addPropertyWithValue('dtstamp', ICAL.Time.fromJSDate(context.now, true))
  for (const [name, value] of time.properties) {
    const property = event.addPropertyWithValue(name, value)
    if (time.zone !== undefined) property.setParameter('tzid', time.zone.id)
  }
  // Outlook takes midnight to midnight for an appointment without it.
  if (time.days) event.addPropertyWithValue('x-microsoft-cdo-alldayevent', 'TRUE')
  event.addPropertyWithValue('summary', summary)
  addText(event, 'description', paragraphs('description', calendar.description))
  addText(event, 'location', line('location', calendar.location))
  addUrl(event, calendar.url?.trim())
  addPerson(event, 'organizer', mailboxOf('organizer', calendar.organizer, context.organizer), {})
  if (method !== 'PUBLISH') {
    const attendee = mailboxOf('attendee', calendar.attendee, context.attendee)
    const answer = method === 'REQUEST' ? { rsvp: 'TRUE' } : {}
    addPerson(event, 'attendee', attendee, {
      cutype: 'INDIVIDUAL',
      role: 'REQ-PARTICIPANT',
      partstat: 'NEEDS-ACTION',
      ...answer,
    })
  }
  event.addPropertyWithValue('status', method === 'CANCEL' ? 'CANCELLED' : 'CONFIRMED')
  event.addPropertyWithValue('transp', 'OPAQUE')
  addAlarm(event, calendar.alarm?.trim(), summary)
  const head = 'BEGIN:VCALENDAR\r\nPRODID:-//mailmerge//mailmerge//EN\r\nVERSION:2.0\r\nCALSCALE:GREGORIAN\r\n'
  return {
    method,
    text: `${head}METHOD:${method}\r\n${time.zone?.block ?? ''}${folded(event.toString())}\r\nEND:VCALENDAR\r\n`,
    fileName: method === 'CANCEL' ? 'cancel.ics' : 'invite.ics',
  }
}

/** An update and a cancellation find their event by its UID, so the template has to give one that stays. */
function identityOf(
  calendar: RenderedCalendar,
  context: CalendarContext,
  method: string,
): { readonly uid: string; readonly sequence: number } {
  const given = line('uid', calendar.uid)
  if (Buffer.byteLength(given) > 255) throw wrong('uid', 'it is longer than 255 bytes')
  const written = calendar.sequence?.trim()
  if (written && !/^\d{1,9}$/.test(written))
    throw wrong('sequence', `'${shown(written)}' is not a whole number; raise it by one with each update`)
  const sequence = Number(written || (method === 'CANCEL' ? 1 : 0))
  if (given === '' && method === 'CANCEL')
    throw wrong(
      'uid',
      'a cancellation needs the uid of its invitation; give both the same, as party-{{id}}@example.com',
    )
  if (given === '' && sequence > 0)
    throw wrong('uid', 'an update needs the uid of its invitation; give both the same, as party-{{id}}@example.com')
  return { uid: given || context.uidSeed, sequence }
}

/** DTSTART and DTEND as they stand in the event, and the block of the zone that they are in. */
interface WrittenTime {
  readonly properties: readonly (readonly [name: 'dtstart' | 'dtend', value: ICAL.Time])[]
  readonly days: boolean
  readonly zone?: { readonly block: string; readonly id: string } | undefined
}

/** Most rows of a campaign are invited to the same time. */
const written = new BoundedMap<string, WrittenTime>(500)

function timeOf(calendar: RenderedCalendar): WrittenTime {
  const key = `${calendar.start}\n${calendar.end}\n${calendar.duration}\n${calendar.timeZone}`
  return written.getOrMake(key, () => writeTime(readEventTime(calendar)))
}

function writeTime(time: EventTime): WrittenTime {
  if (time.kind === 'days') {
    const day = ({ year, month, day }: typeof time.start): ICAL.Time =>
      new ICAL.Time({ year, month, day, isDate: true }, FLOATING)
    const properties = [['dtstart', day(time.start)] as const, ['dtend', day(time.end)] as const]
    return { properties, days: true }
  }
  const { start, end, zone } = time
  const known = zone === undefined || zone === 'UTC' ? undefined : calendarZone(zone, [start, end])
  const moment = (at: Date): ICAL.Time => {
    if (zone === undefined || known === undefined) return ICAL.Time.fromJSDate(at, true)
    const { year, month, day, hour, minute, second } = wallTimeOf(at, zone)
    return new ICAL.Time({ year, month, day, hour, minute, second, isDate: false }, FLOATING)
  }
  const properties = [['dtstart', moment(start)] as const, ['dtend', moment(end)] as const]
  return { properties, days: false, zone: known }
}

function addText(event: ICAL.Component, name: string, text: string): void {
  if (text !== '') event.addPropertyWithValue(name, text)
}

function addUrl(event: ICAL.Component, text: string | undefined): void {
  if (!text) return
  if (!/^https?:\/\/\S+$/i.test(text) || !URL.canParse(text))
    throw wrong('url', `'${shown(text)}' is not a web address; it begins with https://`)
  event.addPropertyWithValue('url', new URL(text).href)
}

function addPerson(
  event: ICAL.Component,
  name: 'organizer' | 'attendee',
  mailbox: Mailbox,
  parameters: Readonly<Record<string, string>>,
): void {
  const property = event.addPropertyWithValue(name, `mailto:${mailtoPath(mailbox.wire)}`)
  for (const [key, value] of Object.entries(parameters)) property.setParameter(key, value)
  // A parameter has no way to hold a double quote that all programs read (RFC 6868 is too young for many).
  const shown = line(name, mailbox.name).replaceAll('"', "'").replaceAll('^', ' ')
  property.setParameter('cn', shown || mailbox.wire)
}

/** RFC 6068 section 2: what is not plain is percent-encoded. */
function mailtoPath(address: string): string {
  return address.replace(/[^A-Za-z0-9.!$'*+/=^_`{|}~@-]/gu, encodeURIComponent)
}

function addAlarm(event: ICAL.Component, text: string | undefined, summary: string): void {
  if (!text) return
  const before = readDuration('alarm', text)
  const alarm = new ICAL.Component('valarm')
  alarm.addPropertyWithValue('action', 'DISPLAY')
  alarm.addPropertyWithValue('description', summary)
  const { weeks, days, hours, minutes, seconds } = before
  alarm.addPropertyWithValue(
    'trigger',
    ICAL.Duration.fromData({ isNegative: true, days: weeks * 7 + days, hours, minutes, seconds }),
  )
  event.addSubcomponent(alarm)
}

function mailboxOf(field: string, marked: MarkedText | undefined, otherwise: Mailbox): Mailbox {
  if (marked === undefined || isBlank(marked)) return otherwise
  const { mailboxes, faults } = parseAddressList(marked)
  const [mailbox] = mailboxes
  if (faults[0] !== undefined) throw wrong(field, faults[0])
  if (mailboxes.length > 1) throw wrong(field, 'there is more than one address in it')
  return mailbox ?? otherwise
}

/** A text of one line. */
function line(field: string, text: string | undefined): string {
  return paragraphs(field, text).replace(/\s+/gu, ' ')
}

/** A text whose line breaks stay. Other control characters have no place in a calendar (RFC 5545 section 3.1). */
function paragraphs(field: string, text: string | undefined): string {
  const value = (text ?? '').replace(/\r\n?|[\u0085\u2028\u2029]/g, '\n').trim()
  if (/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/.test(value)) throw wrong(field, 'it holds a control character')
  return value.toWellFormed()
}

/**
 * Lines of at most 75 bytes (RFC 5545 section 3.1), never cut within a character. The library's own folding is a byte
 * too long in places.
 */
function folded(text: string): string {
  return text
    .replaceAll('\r\n ', '')
    .split('\r\n')
    .map((whole) => (Buffer.byteLength(whole) <= 75 ? whole : fold(whole)))
    .join('\r\n')
}

function fold(whole: string): string {
  let out = ''
  let room = 75
  for (const character of whole) {
    const size = Buffer.byteLength(character)
    if (size > room) {
      out += '\r\n '
      room = 74
    }
    out += character
    room -= size
  }
  return out
}
