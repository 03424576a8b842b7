/**
 * The time at which each recipient is written to: one time on the clock of the recipient's own zone, or the time in a column of the
 * list. Owns reading the time and the zone of a row; never waits.
 */

import { Temporal } from 'temporal-polyfill'
import { BoundedMap } from '../../bounded-map.ts'
import { DataError, UsageError } from '../../errors.ts'
import { given } from '../../given.ts'
import { CellError, cellText } from '../../source/cells/cell.ts'
import { dateOf } from '../../source/cells/compare.ts'
import type { ReadDate } from '../../source/cells/date.ts'
import type { Row } from '../../source/source.ts'
import { checkZone, momentOf, wallTimeOf } from '../../time-zone.ts'

/** A time of the day, or of one day. */
export interface RecipientTime {
  /** `09:00`: the next time that a clock shows it. `2026-12-01 09:00`: on that day. */
  readonly text: string
  /** Column with the zone of each row; found by its name without it. */
  readonly zoneColumn?: string
}

/** A column with the date and time of each row. */
export interface ColumnTime {
  readonly column: string
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
  /** Language in which the list writes dates, where that is known. */
  readonly locale?: string | undefined
}

/** A time that is past: not an error of a row whose recipient has the message already. */
export class PastTimeError extends DataError {
  override readonly name = 'PastTimeError'
}

const ZONE_COLUMN = /^(time[\s_-]?zone|tz|zone[\s_-]?info)$/i
const HINT = "Write --at-local 09:00, or --at-local '2026-12-01 09:00'."

/**
 * Gives the moment of each row.
 * @throws UsageError for a time that is not valid, or a zone column that the list does not have; the function it gives
 * throws DataError for a row whose zone is not valid, or whose time is past.
 */
export function openRecipientTime(time: RecipientTime | ColumnTime, options: RecipientTimeOptions): (row: Row) => Date {
  const column = zoneColumn(time, options.columns)
  const zoneOfRow = zoneReader(column, options.zone)
  const momentOfRow = 'text' in time ? clockTime(time.text, options) : columnTime(time.column, options)
  return (row) => {
    const cell = column === undefined ? '' : cellText(row.data[column]).trim()
    const zone = zoneOfRow(row)
    const { at, text, blamed } = momentOfRow(row, zone)
    if (options.now.getTime() - at.getTime() <= options.lateBy) return at
    const message = `${text} is in the past in ${zone}: it was ${at.toISOString()}`
    throw new PastTimeError(message, {
      problems: [
        {
          severity: 'error',
          code: 'past-hour',
          message,
          column: blamed ?? column,
          value: blamed === undefined ? (column === undefined ? undefined : cell) : text,
          hint: 'Choose a later day, or send the others with --skip-bad.',
        },
      ],
    })
  }
}

/**
 * Gives the zone of each row, by which sending hours of the recipients' own clocks go.
 * @param options.zone Of rows that have none.
 * @throws UsageError for a column that the list does not have; the function it gives throws DataError for a row whose zone is not valid.
 */
export function openRecipientZone(options: {
  readonly zoneColumn: string | undefined
  readonly columns: readonly string[]
  readonly zone: string
}): (row: Pick<Row, 'data'>) => string {
  const { zoneColumn: named, columns, zone } = options
  return zoneReader(zoneColumn(given({ zoneColumn: named }), columns, 'window.zoneColumn'), zone)
}

function zoneReader(column: string | undefined, usual: string): (row: Pick<Row, 'data'>) => string {
  if (column === undefined) return () => usual
  return ({ data }) => {
    const cell = cellText(data[column]).trim()
    return cell === '' ? usual : zoneOf(cell, column)
  }
}

/** Start times of a batch of rows by their numbers: a moment, or why the row has none. */
export type StartTimes = (rows: readonly Row[]) => Promise<ReadonlyMap<number, Date | DataError>>

/**
 * @param momentOfRow Undefined for a row that may go at once.
 * @param delivered which of these rows have their message already: for them a time that is past is not an error. */
export function startTimes(
  momentOfRow: (row: Row) => Date | undefined,
  delivered: (rows: readonly Row[]) => Promise<ReadonlySet<Row>>,
): StartTimes {
  return async (rows) => {
    const times = new Map<number, Date | DataError>()
    const past: Row[] = []
    for (const row of rows) {
      try {
        const at = momentOfRow(row)
        if (at !== undefined) times.set(row.number, at)
      } catch (error) {
        if (!(error instanceof DataError)) throw error
        times.set(row.number, error)
        if (error instanceof PastTimeError) past.push(row)
      }
    }
    if (past.length > 0) for (const { number } of await delivered(past)) times.delete(number)
    return times
  }
}

interface RowMoment {
  readonly at: Date
  /** The time as it is written. */
  readonly text: string
  /** Column that holds it. */
  readonly blamed?: string
}

type MomentOfRow = (row: Row, zone: string) => RowMoment

/** The same time for all, on the clock of each. */
function clockTime(text: string, { now }: RecipientTimeOptions): MomentOfRow {
  const wallIn = readTime(text)
  const moments = new Map<string, RowMoment>()
  return (_, zone) => {
    let moment = moments.get(zone)
    if (moment === undefined) {
      moment = { at: wallIn(zone, now), text }
      moments.set(zone, moment)
    }
    return moment
  }
}

/** The time that a row says. */
function columnTime(column: string, { columns, locale }: RecipientTimeOptions): MomentOfRow {
  if (!columns.includes(column)) {
    throw new UsageError(`--at-column names '${column}', which the list does not have`, {
      hint: `Its columns are ${columns.join(', ')}.`,
    })
  }
  return ({ data }, zone) => {
    const cell = data[column]
    const text = cellText(cell).trim()
    if (text === '') {
      const hint = 'Write a date and a time in every row, such as 2026-12-01 09:00, or send the others with --skip-bad.'
      throw bad('no-time', `the column '${column}' is empty`, column, text, { hint })
    }
    const { kind, at } = readCell(cell, column, locale)
    if (kind === 'day') {
      const hint = 'Write the time too: 2026-12-01 09:00.'
      throw bad('no-time-of-day', `${text} has no time of day`, column, text, { hint })
    }
    if (kind === 'moment') return { at, text, blamed: column }
    const wall = Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO('UTC').toPlainDateTime()
    return { at: momentOf(wall, zone).at, text, blamed: column }
  }
}

function readCell(cell: unknown, column: string, locale: string | undefined): ReadDate {
  try {
    return dateOf(cell, { locale })
  } catch (error) {
    if (!(error instanceof CellError)) throw error
    const hint = error.hint?.replaceAll('COLUMN', column) ?? 'Write a date and a time, such as 2026-12-01 09:00.'
    throw bad('bad-time', error.message, column, cellText(cell), { hint })
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

function zoneColumn(
  { zoneColumn: named }: Pick<RecipientTime, 'zoneColumn'>,
  columns: readonly string[],
  option = '--tz-column',
): string | undefined {
  if (named === undefined) return columns.find((column) => ZONE_COLUMN.test(column.trim()))
  if (columns.includes(named)) return named
  throw new UsageError(`${option} names '${named}', which the list does not have`, {
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
