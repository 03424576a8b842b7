/**
 * Reads the times that a person means: a moment (`2026-12-01 09:00`, an ISO time, `tomorrow 9:00`, `in 2 hours`), and the
 * interval of a recurring run (`2 weeks`).
 */
import * as chrono from 'chrono-node'
import { Temporal } from 'temporal-polyfill'
import { readCalendarSpan } from '../config/units.ts'
import { UsageError } from '../errors.ts'
import { type Moment, momentOf, type WallTime, wallTimeOf } from '../time-zone.ts'

const HINT = "Write --at '2026-12-01 09:00', an ISO time such as 2026-12-01T09:00:00Z, or 'tomorrow 9:00'."

/**
 * The moment meant by `text`, read by the clocks of `zone`. A text with an offset of its own (`Z`, `+01:00`) is exact.
 * @throws UsageError when the text says no time, or one that is past, unless that is fine.
 */
export function parseWhen(text: string, zone: string, now: Date, { past = false } = {}): Moment {
  const moment = read(text.trim(), zone, now)
  if (moment === undefined) throw new UsageError(`'${text}' is not a time that mailmerge understands`, { hint: HINT })
  if (!past && moment.at.getTime() < now.getTime() - 60_000) {
    throw new UsageError(`'${text}' is in the past: it was ${moment.at.toISOString()}`, { hint: HINT })
  }
  return moment
}

function read(text: string, zone: string, now: Date): Moment | undefined {
  const iso = /^\d{4}-\d\d-\d\d[T ]\d\d?:\d\d/.test(text)
    ? text.replace(' ', 'T').replace(/T(\d):/, 'T0$1:')
    : undefined
  if (iso !== undefined) {
    if (/([zZ]|[+-]\d\d:?\d\d)$/.test(iso)) {
      const at = new Date(iso)
      return Number.isNaN(at.getTime()) ? undefined : { at, rule: 'exact' }
    }
    try {
      return momentOf(Temporal.PlainDateTime.from(iso, { overflow: 'reject' }), zone)
    } catch {
      return undefined
    }
  }
  return readWords(text, zone, now)
}

/** Words are read as if the clocks of the zone were the only ones, and only then become a moment. */
function readWords(text: string, zone: string, now: Date): Moment | undefined {
  const here = wallTimeOf(now, zone)
  const reference = { instant: asUtc(here), timezone: 0 }
  const [result] = chrono.parse(text, reference, { forwardDate: true })
  // Half-understood is not understood: 'tomorrow 9ish' must not become now.
  if (result === undefined || result.text.length < text.length - 1) return undefined
  if (!result.start.isCertain('hour') && !/\bin\b|from now|later/i.test(text)) return undefined
  if (result.start.isCertain('timezoneOffset') && result.start.get('timezoneOffset') !== 0) {
    return { at: result.start.date(), rule: 'exact' }
  }
  const wall = Temporal.Instant.fromEpochMilliseconds(result.start.date().getTime())
    .toZonedDateTimeISO('UTC')
    .toPlainDateTime()
  return momentOf(wall, zone)
}

function asUtc(wall: WallTime): Date {
  return new Date(wall.toZonedDateTime('UTC').epochMilliseconds)
}

const LONGEST_INTERVAL = 1000
/** For a cron expression; `m` could be a month, or a minute. */
const SHORT_UNIT = /^(h|hours?|m|mins?|minutes?|s|secs?|seconds?)$/

/**
 * The interval meant by `2w`, `2 weeks`, `10 days`, `3 months`, `1 year` or `week`, as ISO 8601 writes it: `P2W`.
 * @throws UsageError for anything else; hours and minutes are for a cron expression.
 */
export function parseInterval(text: string): string {
  const match = /^(?:every\s+)?(\d{1,4}\s*|(?:other|second)\s+|)([a-z]+)$/.exec(text.trim().toLowerCase())
  const [, count = '', unit = ''] = match ?? []
  if (unit === 'fortnight' && count === '') return 'P2W'
  const isShort = SHORT_UNIT.test(unit)
  const size = count === '' ? '1' : /^\d/.test(count) ? count : '2'
  const span = isShort ? undefined : readCalendarSpan(`${size}${unit}`)
  if (span !== undefined && span.count >= 1 && span.count <= LONGEST_INTERVAL)
    return `P${span.count}${span.unit.charAt(0).toUpperCase()}`
  throw new UsageError(`'${text}' is not a valid interval for --every`, {
    hint: isShort
      ? "For hours and minutes give a cron expression: --cron '0 */6 * * *' is every six hours."
      : 'Write a number of days, weeks, months or years: 10d, 2w, 3 months, 1 year.',
  })
}
