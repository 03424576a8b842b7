/** The cells of one XLSX sheet. Owns the cell types of ECMA-376 part 1, 18.18.11; opens no file. */
import { DataError } from '../../errors.ts'
import { StoredCell } from '../cells/cell.ts'
import { dateCell, parseDate } from '../cells/date.ts'
import type { NumberFormat } from './number-format.ts'
import { type CellFault, MAX_SHEET_COLUMNS, MAX_SHEET_ROWS, type SheetCell, type SheetRow } from './sheet-source.ts'
import type { XmlHandler } from './xml.ts'

/** Texts of a shared or inline string: all its runs, without the reading aids of Japanese text (`rPh`). */
export class RichText {
  text = ''
  #inText = false
  #inAid = false

  open(name: string): void {
    if (name === 'rPh') this.#inAid = true
    if (name === 't') this.#inText = !this.#inAid
  }

  close(name: string): void {
    if (name === 'rPh') this.#inAid = false
    if (name === 't') this.#inText = false
  }

  add(text: string): void {
    if (this.#inText) this.text += text
  }

  drain(): string {
    const { text } = this
    this.text = ''
    // Characters that XML cannot hold are written by their number (ECMA-376 part 1, 22.9.2.19).
    return text.includes('_x')
      ? text.replace(/_x([0-9A-F]{4})_/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
      : text
  }
}

/** Cells of one column that show the value of the first. */
export interface MergedCells {
  readonly column: number
  /** Rows, from 1. */
  readonly first: number
  readonly last: number
}

export interface SheetReaderOptions {
  readonly file: string
  /** Formats of cells by their style. */
  readonly formats: readonly NumberFormat[]
  readonly shared: readonly string[]
  /** Format of cells without a style of their own. */
  readonly general: NumberFormat
  /** IANA zone of dates; the computer's without it. */
  readonly timeZone: string | undefined
  readonly merged: readonly MergedCells[]
}

export class SheetReader implements XmlHandler {
  readonly #file: string
  readonly #formats: readonly NumberFormat[]
  readonly #shared: readonly string[]
  readonly #general: NumberFormat
  readonly #timeZone: string | undefined
  /** By the row that they begin in. */
  readonly #merged = new Map<number, MergedCells[]>()
  /** Merged cells that reach into the rows to come, with what they show. */
  #reaching: (MergedCells & { readonly cell: SheetCell })[] = []
  #rows: SheetRow[] = []
  #number = 0
  #hidden = false
  #cells: SheetCell[] = []
  #faults: CellFault[] = []
  #position = -1
  #type = 'n'
  #style = 0
  #value = ''
  #formula = false
  #inValue = false
  #rich = new RichText()

  constructor({ file, formats, shared, general, timeZone, merged }: SheetReaderOptions) {
    this.#file = file
    this.#formats = formats
    this.#shared = shared
    this.#general = general
    this.#timeZone = timeZone
    for (const one of merged) {
      const starting = this.#merged.get(one.first)
      if (starting === undefined) this.#merged.set(one.first, [one])
      else starting.push(one)
    }
  }

  drainRows(): readonly SheetRow[] {
    const rows = this.#rows
    this.#rows = []
    return rows
  }

  open(name: string, attributes: Readonly<Record<string, string>>): void {
    if (name === 'row') {
      this.#number = attributes['r'] === undefined ? this.#number + 1 : Number(attributes['r'])
      if (!(this.#number >= 1 && this.#number <= MAX_SHEET_ROWS))
        throw this.#beyond(`row ${attributes['r'] ?? this.#number}`)
      this.#hidden = attributes['hidden'] === '1' || attributes['hidden'] === 'true'
      this.#cells = []
      this.#faults = []
      this.#position = -1
    } else if (name === 'c') {
      const { r, t, s } = attributes
      this.#position = r === undefined ? this.#position + 1 : positionOf(r)
      if (!(this.#position >= 0 && this.#position < MAX_SHEET_COLUMNS)) throw this.#beyond(`cell ${r}`)
      this.#type = t ?? 'n'
      this.#style = s === undefined ? 0 : Number(s)
      this.#value = ''
      this.#formula = false
    } else if (name === 'v') this.#inValue = true
    else if (name === 'f') this.#formula = true
    else this.#rich.open(name)
  }

  text(text: string): void {
    if (this.#inValue) this.#value += text
    else this.#rich.add(text)
  }

  close(name: string): void {
    if (name === 'v') this.#inValue = false
    else if (name === 'c') this.#closeCell()
    else if (name === 'row') this.#closeRow()
    else this.#rich.close(name)
  }

  #closeCell(): void {
    const cell = this.#cell()
    if (cell === '') return
    while (this.#cells.length < this.#position) this.#cells.push('')
    this.#cells[this.#position] = cell
  }

  #cell(): SheetCell {
    const value = this.#value
    switch (this.#type) {
      case 's':
        return this.#shared[Number(value)] ?? ''
      case 'inlineStr':
        return this.#rich.drain()
      case 'b':
        return value === '' ? '' : answer(value === '1' || value === 'true')
      case 'e':
        this.#fault('cell-error', `the cell shows the error ${value}`, 'Fix the formula in the sheet.')
        return value
      case 'str':
        return value
      case 'd':
        return this.#isoDate(value)
      default:
        return this.#numberCell(value)
    }
  }

  #numberCell(value: string): SheetCell {
    if (value === '') {
      if (this.#formula) {
        this.#fault(
          'no-formula-result',
          'the cell holds a formula whose result is not in the file',
          'Open the file in a spreadsheet program, which calculates it, and save it again.',
        )
      }
      return ''
    }
    const number = Number(value)
    if (!Number.isFinite(number)) return value
    const format = this.#formats[this.#style] ?? this.#general
    if (format.date === undefined) return new StoredCell(number, format(number))
    return dateCell({ kind: format.date, at: new Date(format.wallOf(number)) }, this.#timeZone, format(number))
  }

  /** A date that is stored as its text (ECMA-376 part 1, 18.18.11, `d`), shown as the cell's format shows dates. */
  #isoDate(value: string): SheetCell {
    const read = parseDate(value.replace(/Z$/, ''))
    if (read === undefined || 'either' in read) return value
    const format = this.#formats[this.#style]
    const shown = format?.date === undefined ? value : format(format.serialOf(read.at.getTime()))
    const isMidnight = read.at.getTime() % 86_400_000 === 0
    const kind = format?.date ?? (isMidnight ? 'day' : 'wall')
    return dateCell({ kind, at: read.at }, this.#timeZone, shown)
  }

  #fault(code: string, message: string, hint: string): void {
    this.#faults.push({ cell: this.#position, code, message, hint })
  }

  #closeRow(): void {
    if (this.#faults.length === 0 && this.#cells.every((cell) => typeof cell === 'string' && cell.trim() === '')) return
    if (this.#merged.size > 0) this.#fillMerged()
    const row = { number: this.#number, cells: this.#cells, hidden: this.#hidden || undefined }
    this.#rows.push(this.#faults.length === 0 ? row : { ...row, faults: this.#faults })
  }

  /** A cell merged over rows counts for each of them. */
  #fillMerged(): void {
    this.#reaching = this.#reaching.filter(({ last }) => last >= this.#number)
    for (const { column, cell } of this.#reaching) {
      while (this.#cells.length <= column) this.#cells.push('')
      if (this.#cells[column] === '') this.#cells[column] = cell
    }
    for (const one of this.#merged.get(this.#number) ?? []) {
      const cell = this.#cells[one.column]
      if (cell !== undefined && cell !== '') this.#reaching.push({ ...one, cell })
    }
  }

  #beyond(what: string): DataError {
    return new DataError(`${this.#file} has a ${what}, which no sheet can have`, { hint: 'Save the list as CSV.' })
  }
}

const TRUE = new StoredCell(true, 'TRUE')
const FALSE = new StoredCell(false, 'FALSE')

function answer(value: boolean): StoredCell {
  return value ? TRUE : FALSE
}

/** 0 for `A1`, 27 for `AB7`; -1 for what is not a cell. */
export function positionOf(reference: string): number {
  let position = 0
  let i = 0
  for (; i < reference.length && i < 4; i++) {
    const letter = (reference.charCodeAt(i) | 0x20) - 0x60
    if (letter < 1 || letter > 26) break
    position = position * 26 + letter
  }
  return position - 1
}
