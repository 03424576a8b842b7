/**
 * A copy of an XLSX workbook with further columns in the sheet that is the list. Owns that all else stays as it is, to the byte:
 * formats, formulas, widths, other sheets. Cells are added to the text of the sheet (ECMA-376 part 1, 18.3.1), which is not written again.
 */
import { DataError } from '../../errors.ts'
import type { Input } from '../input/input.ts'
import { columnLetters, findSheet, MAX_SHEET_COLUMNS, type SheetOptions } from '../workbook/sheet-source.ts'
import { openXlsx } from '../workbook/xlsx.ts'
import { positionOf } from '../workbook/xlsx-sheet.ts'
import type { Zip } from '../workbook/zip.ts'
import { ExtendedRows, type Extension } from './extension.ts'

/** Characters that are held: what a sheet has before its rows, or one row. */
const MAX_HELD = 8 << 20

/** @throws DataError for a sheet that cannot be read or is full. */
export async function* extendXlsx(
  input: Input,
  zip: Zip,
  options: SheetOptions,
  extension: Extension,
): AsyncGenerator<Uint8Array> {
  const workbook = await openXlsx(zip, 'en', undefined)
  const { sheet, header } = await findSheet(input.name, workbook, options)
  let first = 0
  for await (const rows of workbook.rows(sheet)) {
    for (const { cells } of rows) first = Math.max(first, cells.length)
  }
  if (first + extension.columns.length > MAX_SHEET_COLUMNS) {
    throw new DataError(`the sheet '${sheet.name}' of ${input.name} has no room for further columns`, {
      hint: 'Write the list as CSV instead.',
    })
  }
  const rows = new ExtendedRows(extension.rows)
  try {
    const added = async (row: number): Promise<readonly string[] | undefined> => {
      if (row === header.row) return extension.columns
      return row < header.row ? undefined : rows.ofLine(row)
    }
    const place = {
      file: `${input.name}, ${sheet.part},`,
      first,
      count: extension.columns.length,
      headerRow: header.row,
    }
    yield* zip.rewrite(sheet.part, (bytes) => withCells(bytes, place, added))
  } finally {
    await rows.close()
  }
}

interface Place {
  /** For messages. */
  readonly file: string
  /** Position of the first further column, from 0. */
  readonly first: number
  readonly count: number
  readonly headerRow: number
}

/**
 * The text of a sheet with our cells. Its beginning is held until the rows begin, then one row at a time; what is behind the rows goes
 * on as it is.
 */
async function* withCells(
  bytes: AsyncIterable<Buffer>,
  place: Place,
  added: (row: number) => Promise<readonly string[] | undefined>,
): AsyncGenerator<string> {
  let state: 'head' | 'rows' | 'tail' = 'head'
  let prefix = ''
  let row = 0
  let held = ''
  for await (const text of decoded(bytes, place)) {
    held += text
    if (state === 'head') {
      const data = /<((?:[\w.-]{1,50}:)?)sheetData(?=[\s/>])[^<>]{0,1000}>/.exec(held)
      if (data !== null) {
        prefix = data[1] ?? ''
        const rows = data.index + data[0].length
        yield widened(held.slice(0, rows), place)
        held = held.slice(rows)
        state = data[0].endsWith('/>') ? 'tail' : 'rows'
      }
    }
    let done = 0
    while (state === 'rows') {
      const open = held.indexOf('<', done)
      const close = held.indexOf('>', open)
      if (open === -1 || close === -1) break
      const tag = held.slice(open, close + 1)
      if (tag.startsWith('</')) {
        state = 'tail'
        break
      }
      const end = tag.endsWith('/>') || !isTag(tag, `${prefix}row`) ? close + 1 : endOf(held, `${prefix}row`, close)
      if (end === undefined) break
      if (isTag(tag, `${prefix}row`)) {
        row = Number(attribute(tag, 'r') ?? row + 1)
        const cells = await added(row)
        const element = held.slice(open, end)
        yield held.slice(done, open) +
          (cells === undefined ? element : extendRow(element, tag, prefix, row, cells, place))
      } else yield held.slice(done, end)
      done = end
    }
    held = held.slice(done)
    if (state === 'tail') {
      yield held
      held = ''
    }
    if (held.length > MAX_HELD)
      throw damaged(place.file, `more than ${MAX_HELD >> 20} million characters belong together`)
  }
  yield held
}

async function* decoded(bytes: AsyncIterable<Buffer>, { file }: Place): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let isStart = true
  for await (const chunk of bytes) {
    if (isStart && (chunk[0] === 0xfe || chunk[0] === 0xff)) throw damaged(file, 'it is not written as UTF-8')
    isStart = false
    yield decoder.decode(chunk, { stream: true })
  }
  yield decoder.decode()
}

function isTag(tag: string, name: string): boolean {
  return tag.startsWith(`<${name}`) && /^[\s/>]/.test(tag.slice(name.length + 1))
}

/** The place behind the closing tag of an element, if it is there. */
function endOf(text: string, name: string, from: number): number | undefined {
  const at = text.indexOf(`</${name}`, from)
  const end = at === -1 ? -1 : text.indexOf('>', at)
  return end === -1 ? undefined : end + 1
}

function damaged(file: string, why: string): DataError {
  return new DataError(`${file} cannot be copied with further columns: ${why}`, {
    hint: 'Save it again in a spreadsheet program, or write the list as CSV.',
  })
}

function attribute(tag: string, name: string): string | undefined {
  return new RegExp(`\\s${name}\\s?=\\s?["']([^"']*)["']`).exec(tag)?.[1]
}

/** The part before the first row, with the range of used cells (18.3.1.35) reaching over ours. */
function widened(text: string, { first, count }: Place): string {
  const last = first + count - 1
  return text.replace(
    /(<(?:[\w.-]+:)?dimension\s[^<>]*?ref\s*=\s*["'])([A-Z]{1,3}\d{1,7})(?::([A-Z]{1,3})(\d{1,7}))?(?=["'])/,
    (_, start: string, from: string, column: string | undefined, row: string | undefined) => {
      const end = column ?? /[A-Z]+/.exec(from)?.[0] ?? 'A'
      const wide = positionOf(`${end}1`) >= last ? end : columnLetters(last)
      return `${start}${from}:${wide}${row ?? /\d+/.exec(from)?.[0] ?? '1'}`
    },
  )
}

/** The cells of a row (18.3.1.4), each with its first tag. */
function* cellsOf(
  row: string,
  name: string,
): Generator<{ readonly tag: string; readonly cell: string; readonly end: number }> {
  for (let at = row.indexOf(`<${name}`); at !== -1; at = row.indexOf(`<${name}`, at)) {
    const close = row.indexOf('>', at) + 1
    const tag = row.slice(at, close)
    if (!isTag(tag, name)) {
      at = close
      continue
    }
    const end = tag.endsWith('/>') ? close : (endOf(row, name, close) ?? row.length)
    yield { tag, cell: row.slice(at, end), end }
    at = end
  }
}

/** A row with our cells at their places; cells that were there without a value give way and lend their format. */
function extendRow(
  text: string,
  open: string,
  prefix: string,
  row: number,
  values: readonly string[],
  { first, count, headerRow }: Place,
): string {
  const isEmptyRow = open.endsWith('/>')
  const end = isEmptyRow ? text.length : text.lastIndexOf('</')
  const cells = isEmptyRow ? '' : text.slice(open.length, end)
  const before: string[] = []
  const after: string[] = []
  const styles = new Map<number, string | undefined>()
  let position = -1
  let rest = 0
  for (const { tag, cell, end } of cellsOf(cells, `${prefix}c`)) {
    rest = end
    const reference = attribute(tag, 'r')
    position = reference === undefined ? position + 1 : positionOf(reference)
    styles.set(position, attribute(tag, 's'))
    if (position < first) before.push(cell)
    else if (position >= first + count) after.push(cell)
  }
  const ours = values.map((value, i) => {
    const style = styles.get(first + i) ?? (row === headerRow ? styles.get(first - 1) : undefined)
    return cellOf(`${columnLetters(first + i)}${row}`, value, prefix, style)
  })
  const start = isEmptyRow ? `${open.slice(0, -2)}>` : open
  const spans = start.replace(
    /(\sspans\s*=\s*["']\d+:)(\d+)/,
    (_, head: string, last: string) => `${head}${Math.max(Number(last), first + count)}`,
  )
  const closing = isEmptyRow ? `</${prefix}row>` : text.slice(end)
  return `${spans}${before.join('')}${ours.join('')}${after.join('')}${cells.slice(rest)}${closing}`
}

function cellOf(reference: string, value: string, prefix: string, style: string | undefined): string {
  const s = style === undefined ? '' : ` s="${style}"`
  if (value === '') return style === undefined ? '' : `<${prefix}c r="${reference}"${s}/>`
  return `<${prefix}c r="${reference}"${s} t="inlineStr"><${prefix}is><${prefix}t xml:space="preserve">${xmlText(value)}</${prefix}t></${prefix}is></${prefix}c>`
}

/** Text as XML. What looks like a character written by its number is kept from being read so (22.9.2.19). */
function xmlText(text: string): string {
  return text
    .replace(/_(?=x[0-9A-Fa-f]{4}_)/g, '_x005F_')
    .replace(/[&<>]/g, (sign) => (sign === '&' ? '&amp;' : sign === '<' ? '&lt;' : '&gt;'))
    .replace(/[^\t\n\r -\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
}
