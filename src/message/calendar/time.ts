/**
 * The times of an invitation, from the texts of a template: start, end, duration, alarm, and their time zone as calendars want
 * it. Owns which forms are understood and the errors that name the field.
 */
import ICAL from 'ical.js'
import { Temporal } from 'temporal-polyfill'
import { tzlib_get_ical_block as zoneBlock } from 'timezones-ical-library'
import { DataError } from '../../errors.ts'
import type { RenderedCalendar } from '../../template/template.ts'
import { blankInvisible } from '../../text/visible.ts'
import { checkZone, localZone, momentOf, wallTimeOf } from '../../time-zone.ts'

/** When an event is: whole days, the last one not part of it, or two moments. */
export type EventTime =
  | { readonly kind: 'days'; readonly start: Temporal.PlainDate; readonly end: Temporal.PlainDate }
  | { readonly kind: 'moments'; readonly start: Date; readonly end: Date; readonly zone?: string | undefined }

type Point = { readonly kind: 'day'; readonly day: Temporal.PlainDate } | { readonly kind: 'moment'; readonly at: Date }

/**
 * A day (`2026-12-11`) for events of whole days; `2026-12-11 19:00` on the clocks of `timeZone`, or with an offset of its
 * own; the end the same, or `21:00` of the same day, or a duration. Without an end an event lasts an hour, or the day.
 *
 * @throws DataError that names the field of `calendar:`.
 */
export function readEventTime(calendar: RenderedCalendar): EventTime {
  const named = calendar.timeZone?.trim()
  const zone = named ? zoneOf(named) : localZone()
  const start = readPoint('start', calendar.start, zone)
  const endText = calendar.end?.trim()
  const durationText = calendar.duration?.trim()
  if (endText && durationText) throw wrong('duration', 'there is an end already; write one of the two')
  const duration = durationText ? readDuration('duration', durationText) : undefined
  if (start.kind === 'day') {
    const end = endText ? lastDay(readPoint('end', endText, zone)) : dayAfter(start.day, duration)
    if (Temporal.PlainDate.compare(end, start.day) <= 0) throw wrong('end', `it is before the start: ${endText}`)
    return { kind: 'days', start: start.day, end }
  }
  const end = endText
    ? readEnd(endText, start.at, zone)
    : momentAfter(start.at, duration ?? Temporal.Duration.from({ hours: 1 }), zone)
  if (end <= start.at) throw wrong('end', `it is not after the start: ${endText ?? durationText}`)
  return { kind: 'moments', start: start.at, end, zone: named ? zone : undefined }
}

/** For people the last day is part of the event; for the standard the end is the day after (RFC 5545 section 3.6.1). */
function lastDay(end: Point): Temporal.PlainDate {
  if (end.kind !== 'day') throw wrong('end', 'start and end must both be days, or both be times')
  return end.day.add({ days: 1 })
}

function dayAfter(start: Temporal.PlainDate, duration: Temporal.Duration | undefined): Temporal.PlainDate {
  if (duration === undefined) return start.add({ days: 1 })
  const days = duration.total({ unit: 'days', relativeTo: start })
  if (!Number.isInteger(days) || days < 1) throw wrong('duration', 'an event of whole days lasts whole days; write 2d')
  return start.add({ days })
}

function readEnd(text: string, start: Date, zone: string): Date {
  const time = /^\d{1,2}:\d\d/.test(text) ? `${wallTimeOf(start, zone).toPlainDate()} ${text}` : text
  const end = readPoint('end', time, zone)
  if (end.kind === 'day') throw wrong('end', 'start and end must both be days, or both be times')
  return end.at
}

/** Days by the calendar, hours and minutes by the clock: a day later is the same time of day. */
function momentAfter(start: Date, duration: Temporal.Duration, zone: string): Date {
  const end = Temporal.Instant.fromEpochMilliseconds(start.getTime()).toZonedDateTimeISO(zone).add(duration)
  return new Date(end.epochMilliseconds)
}

function readPoint(field: string, text: string, zone: string): Point {
  const value = text.trim()
  if (value === '') throw wrong(field, 'it is empty')
  try {
    if (/^\d{4}-\d\d-\d\d$/.test(value))
      return { kind: 'day', day: Temporal.PlainDate.from(value, { overflow: 'reject' }) }
    return { kind: 'moment', at: momentIn(value, zone) }
  } catch {
    throw wrong(field, `'${shown(value)}' is not a time; write 2026-12-11 19:00, or 2026-12-11 for a whole day`)
  }
}

const CLOCK =
  /^(?<day>\d{4}-\d\d-\d\d)[T ]+(?<hour>\d{1,2}):(?<minute>\d\d)(?::(?<second>\d\d)(?:\.\d+)?)?\s*(?<half>[ap]m)?$/i
const INSTANT = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?\s?(?:[zZ]|[+-]\d\d(?::?\d\d)?)$/
/** How JavaScript writes a date, which is what a date cell is when no helper formats it. */
const WRITTEN_OUT = /^[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d{4} \d\d:\d\d:\d\d GMT[+-]\d{4}(?: \(.*\))?$/

function momentIn(value: string, zone: string): Date {
  if (INSTANT.test(value)) {
    const instant = Temporal.Instant.from(
      value
        .replace(/^(\S+) /, '$1T')
        .replace(/\s/, '')
        .replace('z', 'Z'),
    )
    return new Date(instant.epochMilliseconds)
  }
  if (WRITTEN_OUT.test(value)) return new Date(value)
  if (/\[[^[\]]+\]$/.test(value)) return new Date(Temporal.ZonedDateTime.from(value).epochMilliseconds)
  const { day = '', hour = '', minute = '', second, half } = CLOCK.exec(value)?.groups ?? {}
  const wall = Temporal.PlainDate.from(day, { overflow: 'reject' }).toPlainDateTime(
    Temporal.PlainTime.from(
      { hour: hourOf(Number(hour), half), minute: Number(minute), second: Number(second ?? 0) },
      { overflow: 'reject' },
    ),
  )
  return momentOf(wall, zone).at
}

function hourOf(hour: number, half: string | undefined): number {
  if (half === undefined) return hour
  if (hour < 1 || hour > 12) throw new RangeError('a half-day has twelve hours')
  return (hour % 12) + (half.toLowerCase() === 'pm' ? 12 : 0)
}

const LONGEST_DURATION = 200

/**
 * `90m`, `1h30m`, `2 hours`, `3d`, `1w`, `PT1H30M`.
 * @throws DataError that names the field.
 */
export function readDuration(field: string, text: string): Temporal.Duration {
  const units =
    /^(?:(\d{1,4})\s*w(?:eeks?)?)?\s*(?:(\d{1,5})\s*d(?:ays?)?)?\s*(?:(\d{1,6})\s*h(?:(?:ou)?rs?)?)?\s*(?:(\d{1,8})\s*m(?:in(?:ute)?s?)?)?$/i
  // A single space between the parts, and no more parts than there can be: a cell of blanks must not cost time.
  const tidy = text.length > LONGEST_DURATION ? '' : text.trim().replace(/\s+/g, ' ')
  const match = tidy === '' ? null : units.exec(tidy)
  try {
    const [, weeks = 0, days = 0, hours = 0, minutes = 0] = (match ?? []).map(Number).map((part) => part || 0)
    const duration =
      match === null ? Temporal.Duration.from(tidy) : Temporal.Duration.from({ weeks, days, hours, minutes })
    if (duration.sign > 0) return duration
  } catch {
    // Said below, in the words of the template.
  }
  throw wrong(field, `'${shown(text)}' is not a duration; write 90m, 1h30m, 2d or PT90M`)
}

function zoneOf(zone: string): string {
  try {
    return checkZone(zone)
  } catch {
    throw wrong('timeZone', `'${shown(zone)}' is not a time zone; zones have names like Europe/Paris`)
  }
}

/** A text that can be shown: short, and without what a terminal would obey. */
export function shown(text: string): string {
  return blankInvisible(text, 60)
}

/** The error for a field of `calendar:`. */
export function wrong(field: string, what: string): DataError {
  const message = `calendar.${field}: ${what}`
  const hint = 'Fix it in calendar: of the template, or in the cell it comes from.'
  return new DataError(message, { problems: [{ severity: 'error', code: 'bad-calendar', message, hint }] })
}

interface ZoneRules {
  /** BEGIN:VTIMEZONE to END:VTIMEZONE, lines ending in CRLF. */
  readonly block: string
  /** The name that the block gives itself: `Asia/Kolkata` for `Asia/Calcutta`. */
  readonly id: string
  readonly rules: ICAL.Timezone
}

const zones = new Map<string, ZoneRules | undefined>()

/**
 * A zone's block (VTIMEZONE, RFC 5545 section 3.6.5) and name, if by its rules all these moments are what the clocks of the zone
 * really show; undefined where they are not: times then go out in UTC.
 */
export function calendarZone(
  zone: string,
  moments: readonly Date[],
): { readonly block: string; readonly id: string } | undefined {
  if (!zones.has(zone)) zones.set(zone, readZone(zone))
  const known = zones.get(zone)
  return known !== undefined && moments.every((at) => agrees(known, zone, at)) ? known : undefined
}

function readZone(zone: string): ZoneRules | undefined {
  const [block] = zoneBlock(zone)
  if (!block) return undefined
  const component = new ICAL.Component(ICAL.parse(block))
  const id = component.getFirstPropertyValue('tzid')
  if (component.name !== 'vtimezone' || typeof id !== 'string') return undefined
  return { block: `${block.trim().replace(/\r?\n/g, '\r\n')}\r\n`, id, rules: new ICAL.Timezone(component) }
}

function agrees({ rules }: ZoneRules, zone: string, at: Date): boolean {
  const wall = wallTimeOf(at, zone)
  // The second of an hour that comes twice has no name in wall time.
  if (momentOf(wall, zone).at.getTime() !== at.getTime()) return false
  const { year, month, day, hour, minute, second } = wall
  const offset = rules.utcOffset(new ICAL.Time({ year, month, day, hour, minute, second, isDate: false }, rules))
  const real = Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(zone).offsetNanoseconds / 1e9
  return offset === real
}
