/**
 * The hours of the week in which messages may go, by the clock on the wall of a zone. Owns when they begin and end, over clock
 * changes and holidays; never waits.
 */
import { Temporal } from 'temporal-polyfill'

/** Hours of one day of the week, in minutes from midnight; `to` is not in them. Hours over midnight are two of these. */
export interface DayHours {
  /** 1 is Monday, 7 is Sunday. */
  readonly day: number
  readonly from: number
  readonly to: number
}

/** Days from one to another, both among them: `2026-12-24`, or `12-24` for every year. */
export interface DayRange {
  readonly from: string
  readonly to: string
}

export interface WeekHours {
  /** In their order, without overlaps. */
  readonly hours: readonly DayHours[]
  /** Days on which nothing is sent, from midnight to midnight. */
  readonly holidays: readonly DayRange[]
}

/** When messages of a run may go. Plain values. */
export interface SendingWindow extends WeekHours {
  /** As it is written: `Mon-Fri 09:00-17:00`. */
  readonly text: string
  /** By whose clock: of that zone, of each recipient's own (`recipient`), or, when undefined, of the run's. */
  readonly zone: string | undefined
  /** For `recipient`: column with the zone of each row; found by its name without it. */
  readonly zoneColumn: string | undefined
}

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
/** A window that does not open within this many days never does. */
const MOST_DAYS = 800
/** Clocks of a zone do not change twice within this time. */
const STEP_MS = DAY_MS / 2

/** The first moment from `at` on at which messages may go; undefined where there is none within two years. */
export function opensAt(window: WeekHours, zone: string, at: Date): Date | undefined {
  return firstMoment(at, zone, (day, ms) => openFrom(window, day, ms))
}

/** The first moment from `at` on at which none may; undefined where there is none within two years. */
export function closesAt(window: WeekHours, zone: string, at: Date): Date | undefined {
  return firstMoment(at, zone, (day, ms) => closedFrom(window, day, ms))
}

/** The millisecond of that day from which on it holds, `ms` or later; undefined where it holds at no later time of that day. */
type HoldsFrom = (day: Temporal.PlainDate, ms: number) => number | undefined

/**
 * The first moment at which something holds that depends on the clock on the wall alone. From one change of the clocks to the next
 * that clock goes like any other.
 */
function firstMoment(at: Date, zone: string, holdsFrom: HoldsFrom): Date | undefined {
  let from = at.getTime()
  for (let looked = 0; looked < MOST_DAYS; ) {
    const offset = offsetAt(from, zone)
    const wall = new Date(from + offset)
    const midnight = Date.UTC(wall.getUTCFullYear(), wall.getUTCMonth(), wall.getUTCDate())
    const day = new Temporal.PlainDate(wall.getUTCFullYear(), wall.getUTCMonth() + 1, wall.getUTCDate())
    const ms = holdsFrom(day, from + offset - midnight)
    const until = midnight + (ms ?? DAY_MS) - offset
    const change = clockChange(from, until, offset, zone)
    if (change === undefined && ms !== undefined) return new Date(until)
    from = change ?? until
    if (change === undefined) looked++
  }
  return undefined
}

/** The first moment after `from`, up to `until`, at which the clocks of the zone show another time than they would have. */
function clockChange(from: number, until: number, offset: number, zone: string): number | undefined {
  for (let low = from; low < until; low += STEP_MS) {
    let high = Math.min(low + STEP_MS, until)
    if (offsetAt(high, zone) === offset) continue
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (offsetAt(middle, zone) === offset) low = middle
      else high = middle
    }
    return high
  }
  return undefined
}

function offsetAt(at: number, zone: string): number {
  return Math.round(Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone).offsetNanoseconds / 1e6)
}

function openFrom(window: WeekHours, day: Temporal.PlainDate, ms: number): number | undefined {
  const next = hoursOf(window, day).find(({ to }) => to * MINUTE_MS > ms)
  return next === undefined ? undefined : Math.max(next.from * MINUTE_MS, ms)
}

function closedFrom(window: WeekHours, day: Temporal.PlainDate, ms: number): number | undefined {
  let from = ms
  for (const hours of hoursOf(window, day)) {
    if (hours.from * MINUTE_MS > from) break
    from = Math.max(from, hours.to * MINUTE_MS)
  }
  return from < DAY_MS ? from : undefined
}

function hoursOf({ hours, holidays }: WeekHours, day: Temporal.PlainDate): readonly DayHours[] {
  const date = day.toString()
  if (holidays.some((range) => isWithin(date, range))) return []
  return hours.filter((one) => one.day === day.dayOfWeek)
}

function isWithin(date: string, { from, to }: DayRange): boolean {
  const named = from.length === date.length ? date : date.slice(-from.length)
  // `12-24` to `01-02` goes over the end of the year.
  return from <= to ? from <= named && named <= to : named >= from || named <= to
}

/** The calendar day of a zone that a moment is on: `2026-11-27`, and the moment at which the next one begins. */
export function dayOf(at: Date, zone: string): { readonly day: string; readonly endsAt: Date } {
  const now = Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(zone)
  const next = now.toPlainDate().add({ days: 1 }).toZonedDateTime(zone)
  return { day: now.toPlainDate().toString(), endsAt: new Date(next.epochMilliseconds) }
}
