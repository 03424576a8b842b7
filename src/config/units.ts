/**
 * Durations (`90s`, `15min`, `4h`, `3d`), spans of the calendar (`2w`, `3 months`) and rates (`10/s`, `500 recipients/day`) as people
 * write them. Owns their grammar.
 */
import type { RateLimit } from './settings.ts'

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  sec: 1000,
  second: 1000,
  m: 60_000,
  min: 60_000,
  minute: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
  w: 604_800_000,
  week: 604_800_000,
}

/** Milliseconds of one unit, in the singular or plural; undefined for any other word. */
function unitOf(word: string): number | undefined {
  const unit = word.toLowerCase()
  const known = (name: string): number | undefined => (Object.hasOwn(UNITS, name) ? UNITS[name] : undefined)
  return known(unit) ?? (unit.length > 2 && unit.endsWith('s') ? known(unit.slice(0, -1)) : undefined)
}

/** Milliseconds, or undefined where the text is not a duration. `0` needs no unit. */
export function readDuration(text: string): number | undefined {
  if (/^\s*0+\s*$/.test(text)) return 0
  const match = /^\s*(\d{1,9}(?:\.\d{1,3})?)\s*([a-z]+)\s*$/i.exec(text)
  const unit = unitOf(match?.[2] ?? '')
  return match === null || unit === undefined ? undefined : Math.round(Number(match[1]) * unit)
}

/** A number of days, weeks, months or years: how long that is, the calendar says. */
export interface CalendarSpan {
  readonly count: number
  readonly unit: 'days' | 'weeks' | 'months' | 'years'
}

const CALENDAR_UNITS: readonly (readonly [name: RegExp, unit: CalendarSpan['unit']])[] = [
  [/^d(ays?)?$/i, 'days'],
  [/^w(eeks?)?$/i, 'weeks'],
  [/^m(on|onths?)?$/i, 'months'],
  [/^y(ears?)?$/i, 'years'],
]

/** The span, or undefined where the text is not one. There are no minutes in it: `1m` is a month. */
export function readCalendarSpan(text: string): CalendarSpan | undefined {
  const [, count = '', name = ''] = /^\s*(\d{1,4})\s*([a-z]+)\s*$/i.exec(text) ?? []
  const unit = CALENDAR_UNITS.find(([pattern]) => pattern.test(name))?.[1]
  return unit === undefined ? undefined : { count: Number(count), unit }
}

export const DURATION_HINT = 'Write a number and a unit: 90s, 15min, 4h, 3d.'

/** The limit, or undefined where the text is not a rate. What is counted are messages, unless it says recipients. */
export function readRate(text: string): RateLimit | undefined {
  const match = RATE.exec(text)
  const unit = unitOf(match?.[4] ?? '')
  const count = Number(match?.[1])
  const seconds = (Number(match?.[3] ?? 1) * (unit ?? Number.NaN)) / 1000
  if (!(count > 0 && seconds > 0)) return undefined
  return /^r/i.test(match?.[2] ?? '') ? { count, seconds, of: 'recipients' } : { count, seconds }
}

const RATE = /^\s*(\d{1,9})\s*(?:(messages?|recipients?)\s*)?(?:\/|\bper\b)\s*(?:(\d{1,6})\s*)?([a-z]+)\s*$/i

export const RATE_HINT = 'Write how many in what time: 10/s, 500/day, 500 recipients/day.'
export const MESSAGES_HINT = 'Write it without recipients: 100/hour.'

/** Why a message to this many recipients could never go, however long it waits; undefined where it can. */
export function whyNeverAllowed(limits: readonly RateLimit[], recipients: number): string | undefined {
  const limit = limits.find(({ count, of }) => of === 'recipients' && count < recipients)
  if (limit === undefined) return undefined
  return `the message has ${recipients} recipients, and the rate of ${limitWords(limit)} never lets that many through at once`
}

export const NEVER_ALLOWED_HINT =
  'Write to fewer at once, or raise the rate: the same pace over a longer time lets it through.'

const UNIT_NAMES: ReadonlyMap<number, string> = new Map([
  [1, 's'],
  [60, 'min'],
  [3600, 'hour'],
  [86_400, 'day'],
])

/** A limit as it is written: `500/day`, `10 recipients/s`. */
export function limitWords({ count, seconds, of }: RateLimit): string {
  return `${count}${of === undefined ? '' : ` ${of}`}/${UNIT_NAMES.get(seconds) ?? `${seconds}s`}`
}
