/**
 * The occurrences of a recurring run: times on the wall, from a cron expression or an interval, read by the clocks of one
 * zone. Owns the promise that none falls out and none comes twice, also in the nights when the clocks change.
 */
import { Cron } from 'croner'
import { Temporal } from 'temporal-polyfill'
import { UsageError } from '../errors.ts'
import { type Moment, momentOf, type WallTime, wallTimeOf } from '../time-zone.ts'
import { cronFault } from './cron.ts'

export interface OccurrenceTime extends Moment {
  /** The time on the wall, `2026-12-01T09:00`: names the occurrence, whatever the clocks do. */
  readonly wall: string
}

export interface Recurrence {
  /** Occurrences after a moment and, if given, up to another one, in order; `count` at most. */
  after(moment: Date, count: number, until?: Date): readonly OccurrenceTime[]
  /** The newest occurrences up to a moment and after `from`, in order; `count` at most. */
  newest(until: Date, count: number, from: Date): readonly OccurrenceTime[]
}

/** Times on the wall, as if there were no zones; each becomes a moment by our own rule. */
export interface WallTimes {
  next(after: WallTime): WallTime | undefined
  previous(before: WallTime): WallTime | undefined
}

/**
 * Reads a cron expression of five fields (minute, hour, day, month, weekday; names, `L`, `#` and lists allowed).
 * @throws UsageError for anything else.
 */
export function cronTimes(expression: string): WallTimes {
  let pattern: Cron
  try {
    pattern = new Cron(expression, { timezone: 'UTC', mode: '5-part', paused: true })
  } catch {
    const { message, hint } = cronFault(expression)
    throw new UsageError(`'${expression}' is not a valid cron expression: ${message}`, { hint })
  }
  return {
    next(after) {
      const found = pattern.nextRun(dateOf(after))
      return found === null ? undefined : wallTimeOf(found, 'UTC')
    },
    previous(before) {
      const [found] = pattern.previousRuns(1, dateOf(before))
      return found === undefined ? undefined : wallTimeOf(found, 'UTC')
    },
  }
}

/**
 * At intervals of days, weeks, months or years from the first time on. A day that a month does not have is its last one.
 * @param interval ISO 8601, of one unit: `P2W`.
 */
export function intervalTimes(first: WallTime, interval: string): WallTimes {
  const step = Temporal.Duration.from(interval)
  const [unit, size] =
    step.days > 0
      ? (['days', step.days] as const)
      : step.weeks > 0
        ? (['weeks', step.weeks] as const)
        : (['months', step.years * 12 + step.months] as const)
  const nth = (n: number): WallTime => first.add({ [unit]: n * size })
  /** Some whole number of intervals between the first time and another, at most one off. */
  const near = (wall: WallTime): number => Math.floor(first.until(wall, { largestUnit: unit })[unit] / size)
  return {
    next(after) {
      let n = Math.max(0, near(after) - 1)
      while (Temporal.PlainDateTime.compare(nth(n), after) <= 0) n++
      return nth(n)
    },
    previous(before) {
      let n = near(before) + 1
      while (n >= 0 && Temporal.PlainDateTime.compare(nth(n), before) >= 0) n--
      return n < 0 ? undefined : nth(n)
    },
  }
}

/** A time that comes once. */
export function singleTime(only: WallTime): WallTimes {
  return {
    next: (after) => (Temporal.PlainDateTime.compare(only, after) > 0 ? only : undefined),
    previous: (before) => (Temporal.PlainDateTime.compare(only, before) < 0 ? only : undefined),
  }
}

/** Times on the wall as moments by the clocks of a zone. */
export function recurrenceIn(zone: string, times: WallTimes): Recurrence {
  return {
    after(moment, count, until) {
      const found: OccurrenceTime[] = []
      // A later time on the wall never means an earlier moment, as a time that comes twice means its first: what is still to
      // come stands later on the wall than this moment does. A minute more is for zones that were once off by seconds.
      let cursor = wallTimeOf(moment, zone).subtract({ minutes: 1 })
      let last = moment.getTime()
      while (found.length < count) {
        const wall = times.next(cursor)
        if (wall === undefined) break
        cursor = wall
        const occurrence = occurrenceAt(wall, zone)
        // Two times of one gap are the same moment: it comes once.
        if (occurrence.at.getTime() <= last) continue
        if (until !== undefined && occurrence.at.getTime() > until.getTime()) break
        last = occurrence.at.getTime()
        found.push(occurrence)
      }
      return found
    },
    newest(until, count, from) {
      const found: OccurrenceTime[] = []
      // Where clocks were put back, a time that stands later on the wall was earlier: by a day where a zone changed its date.
      let cursor = wallTimeOf(until, zone).add({ hours: 25 })
      for (;;) {
        const wall = times.previous(cursor)
        if (wall === undefined) break
        cursor = wall
        const occurrence = occurrenceAt(wall, zone)
        if (occurrence.at.getTime() > until.getTime()) continue
        if (occurrence.at.getTime() <= from.getTime()) break
        // Of several times of one gap the first names it.
        if (occurrence.at.getTime() === found.at(-1)?.at.getTime()) found.pop()
        else if (found.length === count) break
        found.push(occurrence)
      }
      return found.reverse()
    },
  }
}

function occurrenceAt(wall: WallTime, zone: string): OccurrenceTime {
  return {
    ...momentOf(wall, zone),
    wall: wall.toString({ smallestUnit: wall.second === 0 ? 'minute' : 'second' }),
  }
}

function dateOf(wall: WallTime): Date {
  return new Date(wall.toZonedDateTime('UTC').epochMilliseconds)
}
