/** A CSV list as a source of rows. Owns where the header is and what ends reading; parsing is csv-parse's. */
import { DataError, type Problem } from '../../errors.ts'
import { readHeader, short } from '../header.ts'
import type { Text } from '../input/decode.ts'
import type { Input } from '../input/input.ts'
import type { Row, Source } from '../source.ts'
import { type Chunk, readChunks } from './chunks.ts'
import { findDialect } from './delimiter.ts'
import { type BrokenRecord, type CsvDialect, MAX_RECORD_SIZE, type Reading, RecordReader } from './parser.ts'
import { CsvRows, isBlank } from './rows.ts'

const BATCH = 1000
/** Bytes in which column names are looked for at once. */
const HEAD_PIECE = 16 << 10

export interface CsvOptions {
  /** One character or its name; found by itself without it. */
  readonly delimiter?: string
  /** Which record that is not blank holds the column names, from 1. */
  readonly headerRow?: number
}

/** @throws DataError when the text has no usable header, or no rows at all. */
export async function openCsv(input: Input, text: Text, options: CsvOptions): Promise<Source> {
  const dialect = await findDialect(text.head, input.complete, options.delimiter)
  const firstLine = dialect.skip > 0 ? 2 : 1
  const headerRow = options.headerRow ?? 1
  const header = await findHeader(input, text.head.subarray(dialect.skip), dialect, firstLine, headerRow)
  const { columns, notes } = readHeader(header.cells, { file: input.name, line: header.line })
  const notesBefore = [...input.notes, ...dialect.notes, ...notes]
  return {
    name: input.name,
    stem: input.stem,
    columns,
    get notes() {
      return [...text.notes, ...notesBefore]
    },
    rows: () => {
      const rows = new CsvRows(input.name, columns, dialect)
      return readRows(rows, readChunks(input, text, dialect, firstLine), headerRow)
    },
  }
}

interface FoundHeader {
  readonly cells: readonly string[]
  readonly line: number
}

async function findHeader(
  input: Input,
  head: Buffer,
  dialect: CsvDialect,
  firstLine: number,
  headerRow: number,
): Promise<FoundHeader> {
  let seen = 0
  for await (const { cells, lines, broken } of readHead(input, head, new RecordReader(dialect, firstLine))) {
    for (const [i, record] of cells.entries()) {
      if (isBlank(record)) continue
      seen++
      if (seen === headerRow) return { cells: record, line: lines[i] ?? firstLine }
    }
    if (broken !== undefined) throw brokenError(broken, input.name, [])
  }
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
  throw new DataError(`${input.name} has no line ${headerRow} to take column names from; it has ${seen}`, {
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
    for (; from < reading.cells.length; from += BATCH) {
      const batch = rows.rowsOf(reading, from, Math.min(from + BATCH, reading.cells.length))
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
