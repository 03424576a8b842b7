/** What a source of rows is, whatever its file format. Owns the shape of a row; never knows what a row is used for. */
import type { Problem } from '../errors.ts'

/** A row's cells by column name. Its prototype is null, so no column name can reach anything but a cell. */
export type RowData = Readonly<Record<string, unknown>>

/** One record of the source. */
export interface Row {
  /** From 1; the header is not a row. */
  readonly number: number
  /** First line of the record in the file, from 1, or the row's number in its sheet; absent where there are neither. */
  readonly line?: number
  readonly data: RowData
  /** What is wrong with the record itself (ragged, a NUL, a cell over the cap). A row with problems is never sent. */
  readonly problems?: readonly Problem[]
}

/** An opened source. It is read once, from start to end. */
export interface Source {
  /** The file as the user named it, `-` for standard input. */
  readonly name: string
  /** Short name for the campaign: the base name without its extension. */
  readonly stem: string
  /** Column names in the order of the file. For formats without a header: those of the first record. */
  readonly columns: readonly string[]
  /**
   * What was found out and not told: encoding, delimiter, sheet. Said aloud once, e.g. `read as Windows-1252`. A stream that
   * begins with much ASCII can add one while its rows are read: look again at the end.
   */
  readonly notes: readonly string[]
  /** Rows in batches of a bounded size, in source order. Throws InputError or DataError where reading cannot go on. */
  rows(): AsyncIterable<readonly Row[]>
}
