/**
 * csv-parse driven by chunks instead of by stream events: bytes in, records out in arrays. Owns where a record begins
 * and what its text was; never what a record means.
 */
import { CsvError, type Options, Parser } from 'csv-parse'

/** Bytes that one record may have; a quote that is never closed ends here. */
export const MAX_RECORD_SIZE = 2 << 20

export interface CsvDialect {
  readonly delimiter: string
  /** True when lines end with CR alone, as old Macs write them. */
  readonly bareCr: boolean
}

/** What one chunk completed. The arrays belong together by index. */
export interface Records {
  readonly cells: readonly (readonly string[])[]
  /** Line on which each record begins, from 1. */
  readonly lines: readonly number[]
  /** Byte after the end of each record, counted from the start of the text. */
  readonly ends: readonly number[]
}

/** What one chunk gave. */
export interface Reading extends Records {
  /** Set when there can be no more. */
  readonly broken?: BrokenRecord
}

/** Reading cannot go on: a quote without an end, or a record over the cap. */
export interface BrokenRecord {
  readonly kind: 'open-quote' | 'too-long'
  /** Line on which the record begins. */
  readonly line: number
  /** Cell of the record, from 0. */
  readonly cell: number
}

/** The parser, with its records collected instead of queued: a promise a chunk, none a record. */
class CollectingParser extends Parser {
  cells: string[][] = []
  lines: number[] = []
  ends: number[] = []
  line: number
  #infoLine = 0
  #emptyLines = 0

  constructor(options: Options, firstLine: number) {
    super(options)
    this.line = firstLine
  }

  override push(record: unknown): boolean {
    if (record === null) return super.push(null)
    const cells = record as string[]
    const { lines, empty_lines, bytes } = this.info
    const blank = empty_lines - this.#emptyLines
    this.cells.push(cells)
    this.lines.push(this.line + blank)
    this.ends.push(bytes)
    // csv-parse counts a CRLF within quotes twice, so lines inside of cells are counted here, where there are any.
    const inside = lines - this.#infoLine > blank + 1 ? breaksIn(cells) : 0
    this.line += blank + 1 + inside
    this.#infoLine = lines
    this.#emptyLines = empty_lines
    return true
  }
}

function breaksIn(cells: readonly string[]): number {
  let breaks = 0
  for (const cell of cells) breaks += cell.match(/\r\n|\n|\r/g)?.length ?? 0
  return breaks
}

export class RecordReader {
  readonly #parser: CollectingParser

  /** @param firstLine number of the line that the text begins with. */
  constructor(dialect: CsvDialect, firstLine: number) {
    this.#parser = new CollectingParser(
      {
        delimiter: dialect.delimiter,
        // Named, not discovered: a list that mixes its line ends is still read line by line.
        record_delimiter: dialect.bareCr ? ['\r\n', '\n', '\r'] : ['\r\n', '\n'],
        max_record_size: MAX_RECORD_SIZE,
        relax_column_count: true,
        relax_quotes: true,
        skip_empty_lines: true,
      },
      firstLine,
    )
    this.#parser.on('error', () => {})
    this.#parser.resume()
  }

  write(text: Buffer): Promise<Reading> {
    return new Promise((resolve, reject) => {
      this.#parser.write(text, (error) => this.#collect(error, resolve, reject))
    })
  }

  end(): Promise<Reading> {
    return new Promise((resolve, reject) => {
      const done = (error?: Error | null) => this.#collect(error, resolve, reject)
      this.#parser.once('error', done)
      this.#parser.end(() => done())
    })
  }

  #collect(error: Error | null | undefined, resolve: (reading: Reading) => void, reject: (error: Error) => void): void {
    const { cells, lines, ends } = this.#parser
    this.#parser.cells = []
    this.#parser.lines = []
    this.#parser.ends = []
    const broken = error instanceof Error ? brokenBy(error, this.#parser.line) : undefined
    if (broken !== undefined) resolve({ cells, lines, ends, broken })
    else if (error instanceof Error) reject(error)
    else resolve({ cells, lines, ends })
  }
}

function brokenBy(error: Error, line: number): BrokenRecord | undefined {
  if (!(error instanceof CsvError)) return undefined
  const cell = typeof error.column === 'number' ? error.column : 0
  if (error.code === 'CSV_QUOTE_NOT_CLOSED') return { kind: 'open-quote', line, cell }
  if (error.code === 'CSV_MAX_RECORD_SIZE') return { kind: 'too-long', line, cell }
  return undefined
}
