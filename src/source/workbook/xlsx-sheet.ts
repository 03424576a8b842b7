/** The cells of one XLSX sheet, as texts. Owns the cell types of ECMA-376 part 1, 18.18.11; opens no file. */
import { DataError } from '../../errors.ts'
import type { NumberFormat } from './number-format.ts'
import { type CellFault, MAX_SHEET_COLUMNS, MAX_SHEET_ROWS, type SheetRow } from './sheet-source.ts'
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

export class SheetReader implements XmlHandler {
  readonly #file: string
  readonly #formats: readonly NumberFormat[]
  readonly #shared: readonly string[]
  readonly #general: NumberFormat
  #rows: SheetRow[] = []
  #number = 0
  #cells: string[] = []
  #faults: CellFault[] = []
  #position = -1
  #type = 'n'
  #style = 0
  #value = ''
  #formula = false
  #inValue = false
  #rich = new RichText()

  constructor(file: string, formats: readonly NumberFormat[], shared: readonly string[], general: NumberFormat) {
    this.#file = file
    this.#formats = formats
    this.#shared = shared
    this.#general = general
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
    const text = this.#cellText()
    if (text === '') return
    while (this.#cells.length < this.#position) this.#cells.push('')
    this.#cells[this.#position] = text
  }

  #cellText(): string {
    const value = this.#value
    switch (this.#type) {
      case 's':
        return this.#shared[Number(value)] ?? ''
      case 'inlineStr':
        return this.#rich.drain()
      case 'b':
        return value === '' ? '' : value === '1' || value === 'true' ? 'TRUE' : 'FALSE'
      case 'e':
        this.#fault('cell-error', `the cell shows the error ${value}`, 'Fix the formula in the sheet.')
        return value
      case 'str':
      case 'd':
        return value
      default:
        return this.#numberText(value)
    }
  }

  #numberText(value: string): string {
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
    return (this.#formats[this.#style] ?? this.#general)(number)
  }

  #fault(code: string, message: string, hint: string): void {
    this.#faults.push({ cell: this.#position, code, message, hint })
  }

  #closeRow(): void {
    if (this.#faults.length === 0 && this.#cells.every((cell) => cell.trim() === '')) return
    const row = { number: this.#number, cells: this.#cells }
    this.#rows.push(this.#faults.length === 0 ? row : { ...row, faults: this.#faults })
  }

  #beyond(what: string): DataError {
    return new DataError(`${this.#file} has a ${what}, which no sheet can have`, { hint: 'Save the list as CSV.' })
  }
}

/** 0 for `A1`, 27 for `AB7`; -1 for what is not a cell. */
function positionOf(reference: string): number {
  let position = 0
  let i = 0
  for (; i < reference.length && i < 4; i++) {
    const letter = (reference.charCodeAt(i) | 0x20) - 0x60
    if (letter < 1 || letter > 26) break
    position = position * 26 + letter
  }
  return position - 1
}
