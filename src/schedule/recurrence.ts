/**
 * The occurrences of a recurring run: a cron expression read by the clocks of one zone. Owns the promise that none falls
 * out and none comes twice, also in the nights when the clocks change.
 */
import { Cron } from 'croner'
import { Temporal } from 'temporal-polyfill'
import { UsageError } from '../errors.ts'
import { type Moment, momentOf, wallTimeOf } from '../time-zone.ts'

export interface OccurrenceTime extends Moment {
  /** The time on the wall, `2026-12-01T09:00`: names the occurrence, whatever the clocks do. */
  readonly wall: string
}

export interface Recurrence {
  /** Occurrences after a moment and, if given, up to another one, in order; `count` at most. */
  after(moment: Date, count: number, until?: Date): readonly OccurrenceTime[]
}

/**
 * Reads a cron expression of five fields (minute, hour, day, month, weekday; names, `L`, `#` and lists allowed).
 * @throws UsageError for anything else.
 */
export function parseRecurrence(expression: string, zone: string): Recurrence {
  let pattern: Cron
  try {
    // Times on the wall are enumerated as if there were no zones; each becomes a moment by our own rule.
    pattern = new Cron(expression, { timezone: 'UTC', mode: '5-part', paused: true })
  } catch (error) {
    throw new UsageError(`'${expression}' is not a valid cron expression: ${whatIsWrong(expression, error)}`, {
      hint: "Five fields: minute, hour, day of month, month, day of week. '0 9 * * MON' is Mondays at 9:00.",
    })
  }
  return {
    after(moment, count, until) {
      const found: OccurrenceTime[] = []
      // A later time on the wall never means an earlier moment, as a time that comes twice means its first: what is still to
      // come stands later on the wall than this moment does. A minute more is for zones that were once off by seconds.
      let cursor = new Date(wallTimeOf(moment, zone).toZonedDateTime('UTC').epochMilliseconds - 60_000)
      let last = moment.getTime()
      while (found.length < count) {
        const next = pattern.nextRun(cursor)
        if (next === null) break
        cursor = next
        const wall = Temporal.Instant.fromEpochMilliseconds(next.getTime()).toZonedDateTimeISO('UTC').toPlainDateTime()
        const occurrence = momentOf(wall, zone)
        // Two times of one gap are the same moment: it comes once.
        if (occurrence.at.getTime() <= last) continue
        if (until !== undefined && occurrence.at.getTime() > until.getTime()) break
        last = occurrence.at.getTime()
        found.push({ ...occurrence, wall: wall.toString({ smallestUnit: 'minute' }) })
      }
      return found
    },
  }
}

/** The parser's own words where the number of fields is right; they speak of modes that nobody can choose here. */
function whatIsWrong(expression: string, error: unknown): string {
  const fields = expression.split(/\s+/).filter((field) => field !== '').length
  if (fields !== 5) return `it has ${fields === 0 ? 'no fields' : fields === 1 ? 'one field' : `${fields} fields`}`
  return (error instanceof Error ? error.message : '').replace(/^CronPattern: /, '').replace(/\.$/, '')
}
