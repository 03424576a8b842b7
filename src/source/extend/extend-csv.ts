/**
 * A copy of a CSV list with further columns: every record as it is written in the list, our cells behind it. Owns that nothing of
 * the list is written differently, but for its encoding, which becomes UTF-8.
 */
import { csvCell } from '../../text/csv-cells.ts'
import { readChunks } from '../csv/chunks.ts'
import { type CsvLayout, type CsvOptions, findLayout } from '../csv/csv.ts'
import { isBlank } from '../csv/rows.ts'
import { LOST, type Text } from '../input/decode.ts'
import type { Input } from '../input/input.ts'
import { ExtendedRows, type Extension } from './extension.ts'

/** What makes a spreadsheet program read a text as UTF-8. */
const MARK = '\u{FEFF}'

/** @throws DataError for a list that cannot be read. */
export async function* extendCsv(
  input: Input,
  text: Text,
  options: CsvOptions,
  extension: Extension,
): AsyncGenerator<string> {
  const layout = await findLayout(input, text, options)
  const { dialect, firstLine, header } = layout
  const { only } = extension
  const rows = new ExtendedRows(extension.rows)
  let lineEnd = '\r\n'
  try {
    const start = text.head.subarray(0, dialect.skip).toString()
    yield `${text.isPlain ? '' : MARK}${start}`
    for await (const { written, cells, line } of recordsOf(input, text, layout, firstLine)) {
      const { before, body, after } = written
      if (line === header.line) {
        lineEnd = after || lineEnd
        yield `${only ? '' : before}${body}${ours(extension.columns, dialect.delimiter)}${after}`
      } else if (line < header.line || isBlank(cells)) yield only ? '' : `${before}${body}${after}`
      else {
        const added = await rows.ofLine(line)
        if (added !== undefined || !only) {
          const filled = fitted(body, cells, header.cells.length, dialect.delimiter)
          const more = ours(added ?? extension.columns.map(() => ''), dialect.delimiter)
          yield `${only ? '' : before}${filled}${more}${only ? after || lineEnd : after}`
        }
      }
    }
  } finally {
    await rows.close()
  }
}

/** A record as it is written: blank lines before it, the record itself, its line end. */
interface Written {
  readonly before: string
  readonly body: string
  readonly after: string
}

interface WrittenRecord {
  readonly written: Written
  readonly cells: readonly string[]
  /** On which it begins, from 1. */
  readonly line: number
}

/** The records with their text; what is behind the last one comes as a record without cells. */
async function* recordsOf(
  input: Input,
  text: Text,
  { dialect }: CsvLayout,
  firstLine: number,
): AsyncGenerator<WrittenRecord> {
  let held = Buffer.alloc(0)
  /** Where `held` begins in the text. */
  let start = 0
  for await (const { text: chunk, reading } of readChunks(input, text, dialect, firstLine)) {
    if (chunk !== undefined) held = Buffer.concat([held, chunk])
    let from = 0
    for (const [i, cells] of reading.cells.entries()) {
      const end = (reading.ends[i] ?? 0) - start
      yield { written: parted(held.toString('utf8', from, end)), cells, line: reading.lines[i] ?? 0 }
      from = end
    }
    held = held.subarray(from)
    start += from
  }
  if (held.length > 0) yield { written: { before: '', body: held.toString(), after: '' }, cells: [], line: 0 }
}

function parted(text: string): Written {
  const shown = text.replaceAll(LOST, '\u{FFFD}')
  const body = shown.replace(/^[\r\n]+/, '')
  const before = shown.slice(0, shown.length - body.length)
  const after = body.endsWith('\r\n') ? '\r\n' : /[\r\n]$/.test(body) ? body.slice(-1) : ''
  return { before, body: body.slice(0, body.length - after.length), after }
}

/** A record with as many cells as there are column names, so that ours are under their names. */
function fitted(body: string, cells: readonly string[], width: number, delimiter: string): string {
  if (cells.length <= width) return body + delimiter.repeat(width - cells.length)
  // Delimiters without anything between them at the end of a row are how spreadsheets write empty columns.
  const empty = delimiter.repeat(cells.length - width)
  return body.endsWith(empty) && cells.slice(width).every((cell) => cell === '')
    ? body.slice(0, body.length - empty.length)
    : body
}

/** Our cells, defused, with the delimiter of the list before each. */
function ours(values: readonly string[], delimiter: string): string {
  return values.map((value) => `${delimiter}${quoted(csvCell(value), delimiter)}`).join('')
}

function quoted(cell: string, delimiter: string): string {
  return cell.includes(delimiter) && !cell.startsWith('"') ? `"${cell.replaceAll('"', '""')}"` : cell
}
