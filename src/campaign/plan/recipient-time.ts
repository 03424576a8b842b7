/**
 * The time at which each recipient is written to, on the clock of the recipient's own zone. Owns reading the time and the
 * zone of a row; never waits.
 */

import { Temporal } from 'temporal-polyfill'
import { BoundedMap } from '../../bounded-map.ts'
import { DataError, UsageError } from '../../errors.ts'
import type { Row } from '../../source/source.ts'
import { checkZone, momentOf, wallTimeOf } from '../../time-zone.ts'

/** A time of the day, or of one day. */
export interface RecipientTime {
  /** `09:00`: the next time that a clock shows it. `2026-12-01 09:00`: on that day. */
  readonly text: string
  /** Column with the zone of each row; found by its name without it. */
  readonly zoneColumn?: string
}

export interface RecipientTimeOptions {
  readonly columns: readonly string[]
  /** Zone of rows that have none. */
  readonly zone: string
  readonly now: Date
  /** Milliseconds that a time may be past. */
  readonly lateBy: number
}

const ZONE_COLUMN = /^(time[\s_-]?zone|tz|zone[\s_-]?info)$/i
const HINT = "Write --at-local 09:00, or --at-local '2026-12-01 09:00'."

/**
 * Gives the moment of each row.
 * @throws UsageError for a time that is not valid, or a zone column that the list does not have; the function it gives
 * throws DataError for a row whose zone is not valid, or whose time is past.
 */
export function openRecipientTime(time: RecipientTime, options: RecipientTimeOptions): (row: Row) => Date {
  const wallIn = readTime(time.text)
  const column = zoneColumn(time, options.columns)
  const moments = new Map<string, Date>()
  const momentIn = (zone: string): Date => {
    let moment = moments.get(zone)
    if (moment === undefined) {
      moment = wallIn(zone, options.now)
      moments.set(zone, moment)
    }
    return moment
  }
  return ({ data }) => {
    const cell = column === undefined ? '' : String(data[column] ?? '').trim()
    let zone = options.zone
    if (cell !== '') zone = zoneOf(cell, column ?? '')
    const moment = momentIn(zone)
    if (options.now.getTime() - moment.getTime() <= options.lateBy) return moment
    throw bad('past-hour', `${time.text} is in the past in ${zone}: it was ${moment.toISOString()}`, column, cell, {
      hint: 'Choose a later day, or send the others with --skip-bad.',
    })
  }
}

function readTime(text: string): (zone: string, now: Date) => Date {
  const typed = text.trim()
  const clock = /^(\d\d?):(\d\d)$/.exec(typed)
  if (clock !== null) {
    const [hour, minute] = [Number(clock[1]), Number(clock[2])]
    if (hour > 23 || minute > 59) throw new UsageError(`'${text}' is not a time of day`, { hint: HINT })
    return (zone, now) => {
      const today = wallTimeOf(now, zone).with({
        hour,
        minute,
        second: 0,
        millisecond: 0,
        microsecond: 0,
        nanosecond: 0,
      })
      const moment = momentOf(today, zone).at
      return moment.getTime() >= now.getTime() - 60_000 ? moment : momentOf(today.add({ days: 1 }), zone).at
    }
  }
  if (!/^\d{4}-\d\d-\d\d[T ]\d\d?:\d\d(:\d\d)?$/.test(typed)) {
    throw new UsageError(`'${text}' is not a time of day, or a date and a time`, { hint: HINT })
  }
  try {
    const wall = Temporal.PlainDateTime.from(typed.replace(/[T ](\d):/, 'T0$1:').replace(' ', 'T'), {
      overflow: 'reject',
    })
    return (zone) => momentOf(wall, zone).at
  } catch {
    throw new UsageError(`'${text}' is not a date and a time`, { hint: HINT })
  }
}

function zoneColumn({ zoneColumn: named }: RecipientTime, columns: readonly string[]): string | undefined {
  if (named === undefined) return columns.find((column) => ZONE_COLUMN.test(column.trim()))
  if (columns.includes(named)) return named
  throw new UsageError(`--tz-column names '${named}', which the list does not have`, {
    hint: `Its columns are ${columns.join(', ')}.`,
  })
}

const zones = new BoundedMap<string, string>(2_000)

function zoneOf(cell: string, column: string): string {
  try {
    return zones.getOrMake(cell, checkZone)
  } catch (error) {
    throw bad('bad-zone', `'${cell}' is not a time zone`, column, cell, error instanceof UsageError ? error : {})
  }
}

function bad(
  code: string,
  message: string,
  column: string | undefined,
  value: string,
  { hint }: { readonly hint?: string | undefined },
): DataError {
  return new DataError(message, {
    problems: [
      {
        severity: 'error',
        code,
        message,
        ...(column === undefined ? {} : { column, value }),
        hint,
      },
    ],
  })
}
