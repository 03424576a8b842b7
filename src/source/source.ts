/**
 * What a source of rows is, whatever its file format. Owns the shape of a row, and that no column name reaches anything but
 * a cell; never knows what a row is used for.
 */
import type { Problem } from '../errors.ts'

/** A row's cells by column name. Its prototype is null, so no column name can reach anything but a cell. */
export type RowData = Readonly<Record<string, unknown>>

/** One record of the source. */
export interface Row {
  /** From 1; the header is not a row. */
  readonly number: number
  /** First line of the record in the file, from 1, or the row's number in its sheet; absent where there are neither. */
  readonly line?: number | undefined
  readonly data: RowData
  /** True for a row that a workbook hides or filters out. */
  readonly hidden?: boolean | undefined
  /** What is wrong with the record itself (ragged, a NUL, a cell over the cap). A row with problems is never sent. */
  readonly problems?: readonly Problem[] | undefined
  /** Cells that show no value of their own (an error of a formula): problems where something uses their column. */
  readonly unreadable?: readonly Problem[] | undefined
}

/**
 * Rows that a source gives at once: few, so that most are done with when V8 collects young objects. Where every one that it finds
 * is still in use, V8 allocates later ones as old, and these keep their texts in memory until a full collection.
 */
export const BATCH_ROWS = 64

/** An opened source. It is read once, from start to end. */
export interface Source {
  /** The file as the user named it, `-` for standard input. */
  readonly name: string
  /** Short name for the campaign: the base name without its extension. */
  readonly stem: string
  /** Column names in the order of the file. For formats without a header: those of the first record. */
  readonly columns: readonly string[]
  /**
   * What was found by itself: encoding, delimiter, sheet; e.g. `read as Windows-1252`. A stream that begins with much ASCII can
   * add one while its rows are read: look again at the end.
   */
  readonly notes: readonly string[]
  /** The first rows, where they are known before reading: for finding the column of the address. */
  readonly sample?: readonly RowData[]
  /** Rows in batches of a bounded size, in source order. Throws InputError or DataError where reading cannot go on. */
  rows(): AsyncIterable<readonly Row[]>
}

export type RowMaker = (cells: readonly unknown[]) => RowData

/** Beyond this a generated function costs more than it saves. */
const GENERATED_COLUMNS = 256

/**
 * A maker for one list of column names: own keys only, prototype null, a cell that is not there is an empty text.
 * All rows of a list share one hidden class, which makes reading and storing them twice as fast.
 */
export function createRowMaker(columns: readonly string[]): RowMaker {
  if (columns.length > GENERATED_COLUMNS) {
    return (cells) => {
      const row: Record<string, unknown> = Object.create(null)
      for (const [i, column] of columns.entries()) row[column] = cells[i] ?? ''
      return row
    }
  }
  // A computed key is never the prototype setter, and JSON text is a string literal of the language: names stay data.
  const cells = columns.map((column, i) => `[${JSON.stringify(column)}]:c[${i}]??''`)
  const fill = new Function('c', `return{${cells.join(',')}}`) as (cells: readonly unknown[]) => RowData
  return (values) => Object.setPrototypeOf(fill(values), null) as RowData
}

/** What is wrong with the row itself. */
export function problemsIn(row: Row, used: ReadonlySet<string>): readonly Problem[] {
  const { problems = [], unreadable } = row
  if (unreadable === undefined) return problems
  return [...problems, ...unreadable.filter(({ column }) => column === undefined || used.has(column))]
}
