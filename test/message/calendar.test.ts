import fc from 'fast-check'
import ICAL from 'ical.js'
import ical, { type VEvent } from 'node-ical'
import { Temporal } from 'temporal-polyfill'
import { describe, expect, test } from 'vitest'
import { DataError } from '../../src/errors.ts'
import type { Mailbox } from '../../src/message/address/address.ts'
import { buildCalendar, type CalendarContext } from '../../src/message/calendar/calendar.ts'
import type { RenderedCalendar } from '../../src/template/template.ts'
import { value as hole, type Written, written } from '../support/marked.ts'

const mailbox = (wire: string, name?: string): Mailbox => ({
  address: wire,
  wire,
  needsSmtputf8: false,
  ...(name === undefined ? {} : { name }),
})
const CONTEXT: CalendarContext = {
  now: new Date('2026-01-02T03:04:05Z'),
  organizer: mailbox('org@example.com', 'The Office'),
  attendee: mailbox('ada@example.com', 'Ada Lovelace'),
  uidSeed: 'token@example.com',
}
const PARTY: Written<RenderedCalendar> = {
  method: 'request',
  start: '2026-12-11 19:00',
  end: '2026-12-11 22:00',
  timeZone: 'Europe/Paris',
  summary: 'Party',
}
const build = (over: Partial<Written<RenderedCalendar>> = {}, context: Partial<CalendarContext> = {}): string =>
  buildCalendar(written<RenderedCalendar>({ ...PARTY, ...over }), { ...CONTEXT, ...context }).text
/** Lines unfolded, as RFC 5545 section 3.1 says. */
const lines = (text: string): readonly string[] => text.replaceAll('\r\n ', '').split('\r\n')

/** The event as a parser by another author reads it. */
function read(text: string): VEvent {
  const event = Object.values(ical.sync.parseICS(text)).find((part) => part?.type === 'VEVENT')
  if (event === undefined) throw new Error(`no event in ${text}`)
  return event as VEvent
}

/** Start and end by the VTIMEZONE that stands in the text, whatever a parser knows of zones itself. */
function moments(text: string): readonly string[] {
  const calendar = new ICAL.Component(ICAL.parse(text))
  const event = calendar.getFirstSubcomponent('vevent')
  const zone = calendar.getFirstSubcomponent('vtimezone')
  return ['dtstart', 'dtend'].map((name) => {
    const time = event?.getFirstPropertyValue(name) as ICAL.Time
    const id = event?.getFirstProperty(name)?.getFirstParameter('tzid')
    if (id === undefined) return time.toJSDate().toISOString()
    if (zone?.getFirstPropertyValue('tzid') !== id) throw new Error(`${id} is not explained`)
    const offset = new ICAL.Timezone(zone).utcOffset(time)
    return new Date(
      Date.UTC(time.year, time.month - 1, time.day, time.hour, time.minute, time.second) - offset * 1000,
    ).toISOString()
  })
}

test('an invitation has what RFC 5546 asks of a REQUEST', () => {
  const part = buildCalendar(written<RenderedCalendar>(PARTY), CONTEXT)
  expect(part).toMatchObject({ method: 'REQUEST', fileName: 'invite.ics' })
  const [first, ...rest] = lines(part.text)
  expect(first).toBe('BEGIN:VCALENDAR')
  expect(rest).toEqual(
    expect.arrayContaining([
      'VERSION:2.0',
      'METHOD:REQUEST',
      'UID:token@example.com',
      'SEQUENCE:0',
      'DTSTAMP:20260102T030405Z',
      'DTSTART;TZID=Europe/Paris:20261211T190000',
      'DTEND;TZID=Europe/Paris:20261211T220000',
      'ORGANIZER;CN=The Office:mailto:org@example.com',
      'ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN=Ada Lovelace:mailto:ada@example.com',
      'STATUS:CONFIRMED',
    ]),
  )
  expect(read(part.text)).toMatchObject({
    method: 'REQUEST',
    uid: 'token@example.com',
    summary: 'Party',
    status: 'CONFIRMED',
  })
})

describe('times are what the clocks of the zone show', () => {
  test.each<[string, Partial<Written<RenderedCalendar>>, string, string]>([
    ['winter', {}, '2026-12-11T18:00:00.000Z', '2026-12-11T21:00:00.000Z'],
    [
      'summer',
      { start: '2026-07-11T19:00', end: '2026-07-11 22:30:00' },
      '2026-07-11T17:00:00.000Z',
      '2026-07-11T20:30:00.000Z',
    ],
    [
      'over the spring change',
      { start: '2026-03-29 01:00', end: '2026-03-29 04:00' },
      '2026-03-29T00:00:00.000Z',
      '2026-03-29T02:00:00.000Z',
    ],
    [
      'in the hour that is not there',
      { start: '2026-03-29 02:30', end: '04:00' },
      '2026-03-29T01:00:00.000Z',
      '2026-03-29T02:00:00.000Z',
    ],
    [
      'in the hour that comes twice',
      { start: '2026-10-25 02:30', end: '2026-10-25 05:00' },
      '2026-10-25T00:30:00.000Z',
      '2026-10-25T04:00:00.000Z',
    ],
    [
      'in its second half, which only UTC can say',
      { start: '2026-10-25T02:30+01:00', end: '2026-10-25 05:00' },
      '2026-10-25T01:30:00.000Z',
      '2026-10-25T04:00:00.000Z',
    ],
    [
      'a day later by duration, over the change',
      { start: '2026-10-24 12:00', end: '', duration: '1d' },
      '2026-10-24T10:00:00.000Z',
      '2026-10-25T11:00:00.000Z',
    ],
    [
      'with an offset of its own',
      { start: '2026-12-11T19:00:00-05:00', end: '2026-12-12T01:00Z' },
      '2026-12-12T00:00:00.000Z',
      '2026-12-12T01:00:00.000Z',
    ],
    [
      'after noon',
      { start: '2026-12-11 7:00 pm', end: '11:30 PM' },
      '2026-12-11T18:00:00.000Z',
      '2026-12-11T22:30:00.000Z',
    ],
    [
      'as a date cell is written out',
      { start: String(new Date('2026-12-11T18:00:00Z')), end: '22:00' },
      '2026-12-11T18:00:00.000Z',
      '2026-12-11T21:00:00.000Z',
    ],
    [
      'with a zone in brackets',
      { start: '2026-12-11T19:00[America/New_York]', end: '', duration: '90m' },
      '2026-12-12T00:00:00.000Z',
      '2026-12-12T01:30:00.000Z',
    ],
    ['an hour without an end', { end: '' }, '2026-12-11T18:00:00.000Z', '2026-12-11T19:00:00.000Z'],
    ['in New York', { timeZone: 'America/New_York' }, '2026-12-12T00:00:00.000Z', '2026-12-12T03:00:00.000Z'],
    [
      'in a zone under its old name',
      { timeZone: 'Asia/Calcutta' },
      '2026-12-11T13:30:00.000Z',
      '2026-12-11T16:30:00.000Z',
    ],
    ['in UTC', { timeZone: 'UTC' }, '2026-12-11T19:00:00.000Z', '2026-12-11T22:00:00.000Z'],
  ])('%s', (_, over, start, end) => {
    const text = build(over)
    expect(moments(text)).toEqual([start, end])
    const event = read(text)
    expect([event.start.toISOString(), event.end?.toISOString()]).toEqual([start, end])
  })

  test('a zone stands with its rules beside the event, and without one times are UTC', () => {
    expect(build()).toMatch(/BEGIN:VTIMEZONE\r\nTZID:Europe\/Paris\r\n/)
    const { timeZone: _, ...without } = PARTY
    const text = buildCalendar(
      written<RenderedCalendar>({ ...without, start: '2026-12-11T19:00Z', end: '2026-12-11T22:00Z' }),
      CONTEXT,
    ).text
    expect(lines(text)).toContain('DTSTART:20261211T190000Z')
    expect(text).not.toContain('VTIMEZONE')
  })

  test('in every zone of the world, through the year, whatever its rules', () => {
    const wrong: string[] = []
    let inZone = 0
    const zones = Intl.supportedValuesOf('timeZone')
    for (const timeZone of zones) {
      for (const day of ['2026-01-15', '2026-03-25', '2026-07-01', '2027-02-20', '2027-11-04']) {
        const text = build({ timeZone, start: `${day} 12:00`, end: '13:00' })
        const want = new Date(
          Temporal.PlainDateTime.from(`${day}T12:00`).toZonedDateTime(timeZone).epochMilliseconds,
        ).toISOString()
        if (moments(text)[0] !== want) wrong.push(`${timeZone} ${day}`)
        if (text.includes('BEGIN:VTIMEZONE')) inZone++
      }
    }
    expect(wrong).toEqual([])
    // Only where a government sets its clocks by hand is there no rule to write down.
    expect(inZone).toBeGreaterThan(zones.length * 5 * 0.95)
  })

  test.each<[string, Partial<Written<RenderedCalendar>>, string, string]>([
    ['one day', { start: '2026-12-11', end: '' }, '20261211', '20261212'],
    ['days of which the last is part', { start: '2026-12-11', end: '2026-12-13' }, '20261211', '20261214'],
    ['days by their number', { start: '2026-12-31', end: '', duration: '2d' }, '20261231', '20270102'],
  ])('whole days: %s', (_, over, start, end) => {
    const text = build(over)
    expect(lines(text)).toEqual(expect.arrayContaining([`DTSTART;VALUE=DATE:${start}`, `DTEND;VALUE=DATE:${end}`]))
    expect(text).not.toContain('TZID')
    expect(read(text).datetype).toBe('date')
  })
})

describe('an update and a cancellation find their event', () => {
  test('by the uid of the template and a sequence that grows', () => {
    const update = lines(build({ uid: 'party-7@example.com', sequence: '1' }))
    expect(update).toEqual(expect.arrayContaining(['UID:party-7@example.com', 'SEQUENCE:1', 'METHOD:REQUEST']))
    const part = buildCalendar(
      written<RenderedCalendar>({ ...PARTY, method: 'Cancel', uid: 'party-7@example.com', sequence: '2' }),
      CONTEXT,
    )
    expect(part).toMatchObject({ method: 'CANCEL', fileName: 'cancel.ics' })
    expect(lines(part.text)).toEqual(
      expect.arrayContaining(['UID:party-7@example.com', 'SEQUENCE:2', 'METHOD:CANCEL', 'STATUS:CANCELLED']),
    )
    expect(part.text).not.toContain('RSVP')
  })

  test('a cancellation that says no number comes after its invitation', () => {
    expect(lines(build({ method: 'cancel', uid: 'x@example.com' }))).toContain('SEQUENCE:1')
  })

  test('an event that is only told asks nobody', () => {
    const text = build({ method: 'PUBLISH' })
    expect(text).toContain('METHOD:PUBLISH')
    expect(text).not.toContain('ATTENDEE')
  })
})

describe('what is wrong is reported by its field', () => {
  test.each<[Partial<Written<RenderedCalendar>>, string]>([
    [{ method: 'maybe' }, "calendar.method: 'maybe' is not one of request, cancel, publish"],
    [{ summary: ' ' }, 'calendar.summary: it is empty'],
    [{ start: '' }, 'calendar.start: it is empty'],
    [{ start: 'tomorrow' }, "calendar.start: 'tomorrow' is not a time"],
    [{ start: '11.12.2026 19:00' }, "calendar.start: '11.12.2026 19:00' is not a time"],
    [{ start: '2026-02-30 19:00' }, "calendar.start: '2026-02-30 19:00' is not a time"],
    [{ start: '2026-02-30' }, "calendar.start: '2026-02-30' is not a time"],
    [{ start: '2026-12-11 25:00' }, "calendar.start: '2026-12-11 25:00' is not a time"],
    [{ start: '2026-12-11 13:00 pm' }, "calendar.start: '2026-12-11 13:00 pm' is not a time"],
    [{ end: '2026-12-11 18:00' }, 'calendar.end: it is not after the start: 2026-12-11 18:00'],
    [{ end: '2026-12-12' }, 'calendar.end: start and end must both be days, or both be times'],
    [{ start: '2026-12-11' }, 'calendar.end: start and end must both be days, or both be times'],
    [{ start: '2026-12-11', end: '2026-12-10' }, 'calendar.end: it is before the start'],
    [{ duration: '1h' }, 'calendar.duration: there is an end already'],
    [{ end: '', duration: 'long' }, "calendar.duration: 'long' is not a duration"],
    [{ end: '', duration: '0m' }, "calendar.duration: '0m' is not a duration"],
    [{ start: '2026-12-11', end: '', duration: '90m' }, 'calendar.duration: an event of whole days lasts whole days'],
    [{ timeZone: 'Europe/Pariss' }, "calendar.timeZone: 'Europe/Pariss' is not a time zone"],
    [{ sequence: 'two' }, "calendar.sequence: 'two' is not a whole number"],
    [{ sequence: '1' }, 'calendar.uid: an update needs the uid'],
    [{ method: 'cancel' }, 'calendar.uid: a cancellation needs the uid'],
    [{ uid: 'x'.repeat(256) }, 'calendar.uid: it is longer than 255 bytes'],
    [{ url: 'javascript:alert(1)' }, "calendar.url: 'javascript:alert(1)' is not a web address"],
    [{ organizer: 'nobody' }, "calendar.organizer: 'nobody' is not an address"],
    [{ attendee: hole('a@example.com, b@example.com') }, 'calendar.attendee:'],
    [{ attendee: 'a@example.com, b@example.com' }, 'calendar.attendee: there is more than one address'],
    [{ location: 'a\u0000b' }, 'calendar.location: it holds a control character'],
    [{ alarm: 'early' }, "calendar.alarm: 'early' is not a duration"],
  ])('%j: %s', (over, message) => {
    try {
      build(over)
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(DataError)
      expect((error as DataError).message).toContain(message)
      expect((error as DataError).problems[0]).toMatchObject({ code: 'bad-calendar', severity: 'error' })
    }
  })
})

test('an alarm comes before the event', () => {
  const alarm = (text: string): string | undefined =>
    lines(build({ alarm: text })).find((one) => one.startsWith('TRIGGER'))
  expect([alarm('15m'), alarm('1 day'), alarm('1h30m'), alarm('PT10M')]).toEqual([
    'TRIGGER:-PT15M',
    'TRIGGER:-P1D',
    'TRIGGER:-PT1H30M',
    'TRIGGER:-PT10M',
  ])
})

test('organizer and attendee of the template come before those of the message', () => {
  const text = build({
    organizer: 'Desk <desk@example.com>',
    attendee: `${hole('Bob "B;o:b", Jr.')} <bob@example.com>`,
  })
  expect(lines(text)).toContain('ORGANIZER;CN=Desk:mailto:desk@example.com')
  expect(lines(text).find((one) => one.startsWith('ATTENDEE'))).toMatch(
    /CN="Bob 'B;o:b', Jr\.":mailto:bob@example\.com$/,
  )
})

test('an address that a link would take apart is percent-encoded', () => {
  const text = build({}, { attendee: mailbox('"a b?c"@example.com') })
  expect(lines(text).find((one) => one.startsWith('ATTENDEE'))).toMatch(/:mailto:%22a%20b%3Fc%22@example\.com$/)
})

/** Whatever a row takes for the end of a line, a calendar has one for all (RFC 5545 section 3.3.11). */
const BREAK = /\r\n|[\r\u0085\u2028\u2029]/g

test('no text of a row breaks out of its field, and each comes back as it was', () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 120 }),
    fc
      .array(
        fc.constantFrom(
          ',',
          ';',
          ':',
          '\\',
          '\\n',
          '"',
          '\r\n',
          '\n',
          '\r',
          '\u0085',
          '\u2028',
          '\u2029',
          'END:VEVENT',
          'ä',
          '😀',
          ' ',
          '\t',
          'x'.repeat(70),
        ),
        { maxLength: 12 },
      )
      .map((some) => some.join('')),
  )
  fc.assert(
    fc.property(text, text, text, (summary, description, name) => {
      const built = build(
        { summary: `S${summary}`, description: `D${description}`, location: `L${summary}` },
        { attendee: mailbox('ada@example.com', name) },
      )
      expect(built.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
      for (const line of built.split('\r\n')) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(75)
      expect(Buffer.from(built).toString()).toBe(built)
      const names = lines(built).map((line) => line.split(/[:;]/)[0])
      expect(names.filter((one) => one === 'BEGIN')).toHaveLength(5)
      expect(names.filter((one) => one === 'ATTENDEE')).toHaveLength(1)
      const event = new ICAL.Component(ICAL.parse(built)).getFirstSubcomponent('vevent')
      const whole = (value: string): string => value.replace(BREAK, '\n').trim()
      const flat = (value: string): string => whole(value).replace(/\s+/gu, ' ')
      expect(event?.getFirstPropertyValue('summary')).toBe(flat(`S${summary}`))
      expect(event?.getFirstPropertyValue('location')).toBe(flat(`L${summary}`))
      expect(event?.getFirstPropertyValue('description')).toBe(whole(`D${description}`))
      expect(read(built).attendee).toMatchObject({ val: 'mailto:ada@example.com' })
    }),
    { numRuns: 300 },
  )
})
