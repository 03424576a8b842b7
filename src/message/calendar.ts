/**
 * Calendar invitations (RFC 5545, 5546, 6047): the texts of a template checked and built into one event that calendars
 * accept. Owns the UID and the sequence by which an update finds its event; sends nothing.
 */
import ical, {
  ICalAlarmType,
  ICalAttendeeRole,
  ICalAttendeeStatus,
  ICalAttendeeType,
  ICalCalendarMethod,
  ICalEventStatus,
  ICalEventTransparency,
} from 'ical-generator'
import { Temporal } from 'temporal-polyfill'
import { tzlib_get_ical_block as zoneBlock } from 'timezones-ical-library'
import { DataError } from '../errors.ts'
import type { RenderedCalendar } from '../template/template.ts'
import { checkZone, localZone, momentOf } from '../zone.ts'
import { type Mailbox, parseAddressList } from './address.ts'

export interface CalendarPart {
  /** `REQUEST`, `CANCEL` or `PUBLISH`: goes into the part's Content-Type too. */
  readonly method: string
  /** The calendar, lines in CRLF and folded at 75 octets. */
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

const METHODS: Readonly<Record<string, ICalCalendarMethod>> = {
  REQUEST: ICalCalendarMethod.REQUEST,
  CANCEL: ICalCalendarMethod.CANCEL,
  PUBLISH: ICalCalendarMethod.PUBLISH,
}

/** @throws DataError that names the field of `calendar:`. */
export function buildCalendar(calendar: RenderedCalendar, context: CalendarContext): CalendarPart {
  const name = calendar.method.trim().toUpperCase() || 'REQUEST'
  const method = METHODS[name]
  if (method === undefined) throw wrong('method', `'${calendar.method}' is none of request, cancel, publish`)
  if (calendar.summary.trim() === '') throw wrong('summary', 'it is empty')
  const zone = zoneOf(calendar)
  const start = readTime('start', calendar.start, zone)
  const end = readEnd(calendar, start, zone)
  if (end.at <= start.at) throw wrong('end', `it is not after the start: ${calendar.end ?? calendar.duration}`)
  const organizer = mailboxOf('organizer', calendar.organizer, context.organizer)
  const attendee = mailboxOf('attendee', calendar.attendee, context.attendee)

  const events = ical({ method, prodId: { company: 'mailmerge', product: 'mailmerge', language: 'EN' } })
  if (zone !== 'UTC') events.timezone({ name: null, generator: (tzid) => zoneBlock(tzid)[0] ?? null })
  const event = events.createEvent({
    id: calendar.uid?.trim() || context.uidSeed,
    sequence: readSequence(calendar.sequence),
    stamp: context.now,
    start: start.at,
    end: end.at,
    allDay: start.allDay,
    ...(zone === 'UTC' || start.allDay ? {} : { timezone: zone }),
    summary: oneLine(calendar.summary),
    description: calendar.description?.trim() || null,
    location: calendar.location === undefined ? null : oneLine(calendar.location) || null,
    url: calendar.url?.trim() || null,
    organizer: { name: organizer.name || organizer.wire, email: organizer.wire },
    status: method === ICalCalendarMethod.CANCEL ? ICalEventStatus.CANCELLED : ICalEventStatus.CONFIRMED,
    transparency: ICalEventTransparency.OPAQUE,
  })
  if (method !== ICalCalendarMethod.PUBLISH) {
    event.createAttendee({
      email: attendee.wire,
      ...(attendee.name === undefined ? {} : { name: attendee.name }),
      role: ICalAttendeeRole.REQ,
      type: ICalAttendeeType.INDIVIDUAL,
      status: ICalAttendeeStatus.NEEDSACTION,
      rsvp: method === ICalCalendarMethod.REQUEST,
    })
  }
  const alarm = calendar.alarm?.trim()
  if (alarm)
    event.createAlarm({
      type: ICalAlarmType.display,
      trigger: readDuration('alarm', alarm).total('seconds'),
      description: oneLine(calendar.summary),
    })
  const text = events.toString()
  return {
    method: name,
    text: text.endsWith('\r\n') ? text : `${text}\r\n`,
    fileName: name === 'CANCEL' ? 'cancel.ics' : 'invite.ics',
  }
}

function zoneOf(calendar: RenderedCalendar): string {
  const zone = calendar.timeZone?.trim()
  if (!zone) return localZone()
  try {
    return checkZone(zone)
  } catch {
    throw wrong('timeZone', `'${zone}' is no time zone; zones have names like Europe/Paris`)
  }
}

interface Time {
  readonly at: Date
  readonly allDay: boolean
  readonly date?: Temporal.PlainDate
}

function readTime(field: string, text: string, zone: string): Time {
  const value = text.trim()
  if (/^\d{4}-\d\d-\d\d$/.test(value)) {
    const date = parse(field, value, () => Temporal.PlainDate.from(value, { overflow: 'reject' }))
    // A day has no zone: the generator reads the day from local time.
    return { at: new Date(date.year, date.month - 1, date.day), allDay: true, date }
  }
  const iso = value.replace(' ', 'T').replace(/T(\d):/, 'T0$1:')
  if (/([zZ]|[+-]\d\d:?\d\d)$/.test(iso)) {
    const at = new Date(iso)
    if (!Number.isNaN(at.getTime())) return { at, allDay: false }
  }
  return {
    at: momentOf(
      parse(field, value, () => Temporal.PlainDateTime.from(iso, { overflow: 'reject' })),
      zone,
    ).at,
    allDay: false,
  }
}

function parse<T>(field: string, value: string, read: () => T): T {
  try {
    return read()
  } catch {
    throw wrong(field, `'${value}' is no time; write 2026-12-11 19:00, or 2026-12-11 for a whole day`)
  }
}

function readEnd(calendar: RenderedCalendar, start: Time, zone: string): Time {
  if (calendar.end?.trim()) {
    const end = readTime('end', calendar.end, zone)
    if (end.allDay !== start.allDay) throw wrong('end', 'start and end must both be days or both be times')
    // For people the last day is part of the event; for the standard the end is the day after.
    return end.allDay ? { ...end, at: new Date(end.at.getFullYear(), end.at.getMonth(), end.at.getDate() + 1) } : end
  }
  if (calendar.duration?.trim()) {
    return {
      at: new Date(start.at.getTime() + readDuration('duration', calendar.duration.trim()).total('milliseconds')),
      allDay: false,
    }
  }
  if (start.allDay)
    return { at: new Date(start.at.getFullYear(), start.at.getMonth(), start.at.getDate() + 1), allDay: true }
  return { at: new Date(start.at.getTime() + 3_600_000), allDay: false }
}

/** `90m`, `1h30m`, `2 hours`, `PT1H30M`. */
function readDuration(field: string, text: string): Temporal.Duration {
  const match = /^(?:(\d+)\s*d(?:ays?)?)?\s*(?:(\d+)\s*h(?:ours?)?)?\s*(?:(\d+)\s*m(?:in(?:ute)?s?)?)?$/i.exec(text)
  if (match !== null && text !== '') {
    const [, days, hours, minutes] = match
    return Temporal.Duration.from({ hours: Number(days ?? 0) * 24 + Number(hours ?? 0), minutes: Number(minutes ?? 0) })
  }
  try {
    return Temporal.Duration.from(text)
  } catch {
    throw wrong(field, `'${text}' is no duration; write 90m, 1h30m or PT90M`)
  }
}

function readSequence(text: string | undefined): number {
  const value = text?.trim() || '0'
  if (!/^\d{1,9}$/.test(value))
    throw wrong('sequence', `'${value}' is no whole number; raise it by one with each update`)
  return Number(value)
}

function mailboxOf(field: string, marked: string | undefined, otherwise: Mailbox): Mailbox {
  if (!marked?.trim()) return otherwise
  const { mailboxes, faults } = parseAddressList(marked)
  const [mailbox] = mailboxes
  if (mailbox === undefined || faults.length > 0) throw wrong(field, faults[0] ?? 'it is empty')
  return mailbox
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}

function wrong(field: string, what: string): DataError {
  const message = `calendar.${field}: ${what}`
  return new DataError(message, {
    problems: [
      {
        severity: 'error',
        code: 'bad-calendar',
        message,
        hint: 'Mend it in calendar: of the template, or in the cell it comes from.',
      },
    ],
  })
}
