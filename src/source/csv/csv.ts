/** A CSV list as a source of rows. Owns where the header is and what ends reading; parsing is csv-parse's. */
import { DataError, type Problem } from '../../errors.ts'
import { type FirstRecord, readHeader, short, titledHeaderRow, titleError } from '../header.ts'
import type { Text } from '../input/decode.ts'
import type { Input } from '../input/input.ts'
import { BATCH_ROWS, type Row, type Source } from '../source.ts'
import { type Chunk, readChunks } from './chunks.ts'
import { type FoundDialect, findDialect } from './delimiter.ts'
import { type BrokenRecord, type CsvDialect, MAX_RECORD_SIZE, type Reading, RecordReader } from './parser.ts'
import { CsvRows, isBlank } from './rows.ts'

/** Bytes in which column names are looked for at once. */
const HEAD_PIECE = 16 << 10

export interface CsvOptions {
  /** One character or its name; found by itself without it. */
  readonly delimiter?: string | undefined
  /** Which record that is not blank holds the column names, from 1. */
  readonly headerRow?: number | undefined
}

/** How a CSV text is written, and where its column names are. */
export interface CsvLayout {
  readonly dialect: FoundDialect
  /** Number of the line that the records begin with: 2 behind a `sep=` line. */
  readonly firstLine: number
  readonly header: FoundHeader
}

/** @throws DataError when the text has no line of column names. */
export async function findLayout(input: Input, text: Text, options: CsvOptions): Promise<CsvLayout> {
  const dialect = await findDialect(text.head, input.complete, options.delimiter)
  const firstLine = dialect.skip > 0 ? 2 : 1
  const head = text.head.subarray(dialect.skip)
  return { dialect, firstLine, header: await findHeader(input, head, dialect, firstLine, options.headerRow) }
}

/** @throws DataError when the text has no usable header, or no rows at all. */
export async function openCsv(input: Input, text: Text, options: CsvOptions): Promise<Source> {
  const { dialect, firstLine, header } = await findLayout(input, text, options)
  const { headerRow } = options
  const names = readHeader(header.cells, { file: input.name, line: header.line })
  const { columns } = names
  const notesBefore = [...input.notes, ...dialect.notes, ...names.notes]
  return {
    name: input.name,
    stem: input.stem,
    columns,
    sample: header.below.map((cells) =>
      Object.fromEntries(columns.map((name, i) => [name, cells[names.positions[i] ?? i]])),
    ),
    get notes() {
      return [...text.notes, ...notesBefore]
    },
    rows: () => {
      const rows = new CsvRows(input.name, names, dialect)
      return readRows(rows, readChunks(input, text, dialect, firstLine), headerRow ?? 1)
    },
  }
}

export interface FoundHeader {
  readonly cells: readonly string[]
  readonly line: number
  /** The first records below it, as far as they are in the beginning of the text. */
  readonly below: readonly (readonly string[])[]
}

/** Records of the beginning that are looked at: for a title, and for the column of the address. */
const FIRST_RECORDS = 20

async function findHeader(
  input: Input,
  head: Buffer,
  dialect: CsvDialect,
  firstLine: number,
  headerRow: number | undefined,
): Promise<FoundHeader> {
  const wanted = headerRow ?? 1
  const first: (FirstRecord & { readonly line: number })[] = []
  let seen = 0
  const found = (): FoundHeader | undefined => {
    const at = first.findIndex(({ number }) => number === wanted)
    const record = first[at]
    if (record === undefined) return undefined
    const proposed = headerRow === undefined ? titledHeaderRow(first) : undefined
    if (proposed !== undefined) throw titleError(input.name, record.cells, proposed)
    return { cells: record.cells, line: record.line, below: first.slice(at + 1).map(({ cells }) => cells) }
  }
  for await (const { cells, lines, broken } of readHead(input, head, new RecordReader(dialect, firstLine))) {
    for (const [i, record] of cells.entries()) {
      if (isBlank(record)) continue
      seen++
      if (seen >= wanted) first.push({ number: seen, cells: record, line: lines[i] ?? firstLine })
      if (first.length > FIRST_RECORDS) break
    }
    if (first.length > FIRST_RECORDS) break
    if (broken === undefined) continue
    // What is broken below the names is reported when the rows are read.
    if (first.length > 0) break
    throw brokenError(broken, input.name, [])
  }
  const header = found()
  if (header !== undefined) return header
  if (!input.complete) {
    throw new DataError(`the column names of ${input.name} do not end within the first ${head.length} bytes`, {
      hint: 'Is this a list? Its first line names its columns: email,name,city',
    })
  }
  if (seen === 0) {
    throw new DataError(`${input.name} is empty`, {
      hint: 'A list needs a line of column names and at least one row below it.',
    })
  }
  throw new DataError(`${input.name} has no line ${wanted} to take column names from; it has ${seen}`, {
    hint: 'headerRow counts the lines of the list that are not blank, from 1.',
  })
}

/** In pieces, since the header is mostly in the first. */
async function* readHead(input: Input, head: Buffer, reader: RecordReader): AsyncGenerator<Reading> {
  for (let at = 0; at < head.length; at += HEAD_PIECE) yield await reader.write(head.subarray(at, at + HEAD_PIECE))
  if (input.complete) yield await reader.end()
}

async function* readRows(
  rows: CsvRows,
  chunks: AsyncIterable<Chunk>,
  headerRow: number,
): AsyncGenerator<readonly Row[]> {
  let headers = headerRow
  for await (const { text, reading } of chunks) {
    if (text !== undefined) rows.remember(text)
    let from = 0
    while (headers > 0 && from < reading.cells.length) if (!isBlank(reading.cells[from++] ?? [])) headers--
    for (; from < reading.cells.length; from += BATCH_ROWS) {
      const batch = rows.rowsOf(reading, from, Math.min(from + BATCH_ROWS, reading.cells.length))
      if (batch.length > 0) yield batch
    }
    rows.forget(reading)
    if (reading.broken !== undefined) throw brokenError(reading.broken, rows.file, rows.columns)
  }
}

function brokenError(broken: BrokenRecord, file: string, columns: readonly string[]): DataError {
  const { kind, line, cell } = broken
  const column = columns[cell] ?? `${cell + 1}`
  const where = `the row that begins on line ${line} of ${file}`
  const message =
    kind === 'open-quote'
      ? `${where} opens a quote in column '${short(column)}' that is never closed`
      : `${where} is longer than ${MAX_RECORD_SIZE >> 20} MiB by column '${short(column)}': is a quote opened there and never closed?`
  const hint = `Close the quote on line ${line}, or write it twice where it is part of the text.`
  const problem: Problem = { severity: 'error', code: kind, message, hint, file, line, column }
  return new DataError(message, { hint, problems: [problem] })
}
