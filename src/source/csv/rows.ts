/**
 * Makes rows of CSV records, and says what is wrong with those that are not right: ragged, a NUL, lost text, a cell over
 * the cap, text behind a closing quote. Parses nothing itself.
 */
import type { Problem } from '../../errors.ts'
import { type Header, short } from '../header.ts'
import { LOST } from '../input/decode.ts'
import { createRowMaker, type Row, type RowMaker } from '../source.ts'
import type { CsvDialect, Records } from './parser.ts'

/** Characters that one cell may have. */
const MAX_CELL_SIZE = 1 << 20

/** Records to rows, with the text of the last chunks kept for the records that need a second look. */
export class CsvRows {
  readonly file: string
  readonly columns: readonly string[]
  /** Cells of a row, and the column of each; its number where it has no name. */
  readonly #width: number
  readonly #names: readonly string[]
  readonly #make: RowMaker
  readonly #delimiter: string
  #count = 0
  /** Text from `#start` on: everything since the end of the last record of the chunk before. */
  #window: Buffer[] = []
  #start = 0
  #lastEnd = 0
  #odd = false
  #quoted = false

  constructor(file: string, { columns, positions, width }: Header, dialect: CsvDialect) {
    this.file = file
    this.columns = columns
    this.#width = width
    this.#names = Array.from({ length: width }, (_, i) => columns[positions.indexOf(i)] ?? `${i + 1}`)
    const make = createRowMaker(columns)
    this.#make = width === columns.length ? make : (cells) => make(positions.map((position) => cells[position]))
    this.#delimiter = dialect.delimiter
  }

  remember(chunk: Buffer): void {
    this.#window.push(chunk)
    // Looking a chunk over once is much cheaper than every cell: most lists have nothing odd in any chunk.
    this.#odd ||= isOdd(chunk)
    this.#quoted ||= chunk.includes(0x22)
  }

  /** Lets go of the text of all records that are done. */
  forget(records: Records): void {
    const end = records.ends.at(-1)
    if (end === undefined) {
      this.#forgetBlank()
      return
    }
    let done = end - this.#start
    while (this.#window[0] !== undefined && this.#window[0].length <= done) done -= this.#window.shift()?.length ?? 0
    if (this.#window[0] !== undefined) this.#window[0] = this.#window[0].subarray(done)
    this.#start = end
    this.#lastEnd = end
    this.#odd = this.#window.some(isOdd)
    this.#quoted = this.#window.some((rest) => rest.includes(0x22))
  }

  /** Lines without anything belong to no record, however many there are. */
  #forgetBlank(): void {
    if (!this.#window.every((piece) => piece.every((byte) => byte === 0x0a || byte === 0x0d))) return
    this.#start += this.#window.reduce((size, piece) => size + piece.length, 0)
    this.#lastEnd = this.#start
    this.#window = []
  }

  rowsOf(records: Records, from: number, to: number): readonly Row[] {
    const rows: Row[] = []
    const width = this.#width
    for (let i = from; i < to; i++) {
      const cells = records.cells[i] ?? []
      const end = records.ends[i] ?? 0
      const begin = (i === 0 ? this.#lastEnd : records.ends[i - 1]) ?? 0
      const first = cells[0]
      if ((first === undefined || first.trim() === '' || first === DOS_END) && isBlank(cells)) continue
      const number = ++this.#count
      const line = records.lines[i] ?? 0
      const data = this.#make(cells)
      const doubtful =
        cells.length !== width ||
        this.#odd ||
        end - begin > MAX_CELL_SIZE ||
        (this.#quoted && cells.some((cell) => cell.includes('"')))
      const problems = doubtful ? this.#problems(cells, begin, end, number, line) : []
      rows.push(problems.length === 0 ? { number, line, data } : { number, line, data, problems })
    }
    return rows
  }

  #problems(cells: readonly string[], begin: number, end: number, row: number, line: number): readonly Problem[] {
    const problems: Problem[] = []
    const add = (code: string, message: string, hint: string, cell?: number) => {
      const value = cell === undefined ? undefined : cells[cell]?.replaceAll(LOST, '\u{FFFD}')
      const column = cell === undefined ? undefined : (this.#names[cell] ?? `${cell + 1}`)
      problems.push({
        severity: 'error',
        code,
        message,
        hint,
        file: this.file,
        row,
        line,
        column,
        value: value === undefined ? undefined : short(value),
      })
    }
    this.#checkWidth(cells, add)
    for (const [i, cell] of cells.entries()) {
      if (this.#odd && cell.includes('\0')) add('nul-character', 'the cell holds a NUL character', NUL_HINT, i)
      if (this.#odd && cell.includes(LOST)) {
        add('lost-text', 'the cell holds characters that could not be read', LOST_HINT, i)
      }
      if (cell.length > MAX_CELL_SIZE) {
        add(
          'cell-too-long',
          `the cell has ${cell.length} characters; at most ${MAX_CELL_SIZE} can be read`,
          LONG_HINT,
          i,
        )
      }
    }
    const stray = this.#quoted ? this.#strayQuote(cells, begin, end) : undefined
    if (stray?.kind === 'after') {
      add('stray-quote', 'the cell goes on after its closing quotation mark', QUOTE_HINT, stray.cell)
    } else if (stray !== undefined) {
      add('space-before-quote', 'the quotation mark of the cell has a space before it', SPACE_HINT, stray.cell)
    }
    return problems
  }

  #checkWidth(cells: readonly string[], add: (code: string, message: string, hint: string, cell?: number) => void) {
    const width = this.#width
    if (cells.length < width) {
      const missing = this.#names.slice(cells.length).map((name) => `'${short(name)}'`)
      add(
        'ragged-row',
        `the row has ${cells.length} cell${cells.length === 1 ? '' : 's'}, the list has ${width} columns; there is nothing for ${missing.join(', ')}`,
        'Write every cell of the row, also the empty ones.',
      )
      return
    }
    // Delimiters without anything between them at the end of a row are how spreadsheets write empty columns.
    const extra = cells.findIndex((cell, i) => i >= width && cell.trim() !== '')
    if (extra === -1) return
    add(
      'ragged-row',
      `the row has ${cells.length} cells, the list has ${width} column${width === 1 ? '' : 's'}`,
      'A value that holds the delimiter needs quotes around it; a column needs a name in the first line.',
      extra,
    )
  }

  /** The first cell whose quotation marks are not where they belong (RFC 4180 section 2, rules 5 to 7). */
  #strayQuote(cells: readonly string[], begin: number, end: number): StrayQuote | undefined {
    if (!cells.some((cell) => cell.includes('"'))) return undefined
    if (this.#window.length > 1) this.#window = [Buffer.concat(this.#window)]
    const text = (this.#window[0] ?? Buffer.alloc(0)).toString('utf8', begin - this.#start, end - this.#start)
    return findStrayQuote(text.replace(/^[\r\n]+/, ''), this.#delimiter)
  }
}

interface StrayQuote {
  readonly cell: number
  /** `after`: text behind the closing mark. `before`: a space before the opening one. */
  readonly kind: 'after' | 'before'
}

/**
 * The first cell of a record's text that begins with a quotation mark and goes on after the closing one, or is in quotes but for
 * a space before them. Other marks within a cell that does not begin with one are letters, as spreadsheets read them.
 */
function findStrayQuote(text: string, delimiter: string): StrayQuote | undefined {
  let cell = 0
  for (let at = 0; at <= text.length; cell++) {
    let end: number
    if (text[at] === '"') {
      end = at + 1
      while (end < text.length && !(text[end] === '"' && text[end + 1] !== '"')) end += text[end] === '"' ? 2 : 1
      end++
      const after = text.slice(end, end + delimiter.length)
      if (end < text.length && after !== delimiter && !/^[\r\n]/.test(text.slice(end))) return { cell, kind: 'after' }
    } else {
      const next = text.indexOf(delimiter, at)
      end = next === -1 ? text.length : next
      const bare = text.slice(at, end)
      const trimmed = bare.trim()
      if (/^\s/.test(bare) && trimmed.length > 1 && trimmed.startsWith('"') && trimmed.endsWith('"')) {
        return { cell, kind: 'before' }
      }
    }
    at = end + delimiter.length
  }
  return undefined
}

const NUL_HINT = 'Remove it, or export the list again as text.'
const LOST_HINT = 'Export the list again as UTF-8, or say with encoding: how it is written.'
const LONG_HINT = 'Is a quotation mark missing? Put long texts into the template or an attachment.'
const SPACE_HINT = 'Remove the spaces between the delimiter and the quotation mark.'
const QUOTE_HINT = 'Put quotes around the whole cell and write each quote in it twice: "Ada ""Countess"" Lovelace"'

function isOdd(text: Buffer): boolean {
  return text.includes(0) || text.includes(LOST)
}

/** Ends a file of DOS. */
const DOS_END = '\u001A'

export function isBlank(cells: readonly string[]): boolean {
  return cells.every((cell) => cell.trim() === '') || (cells.length === 1 && cells[0] === DOS_END)
}
