/** ODS workbooks (OpenDocument 1.3) as sheets. The format keeps what each cell shows, so nothing is formatted. */
import { DataError } from '../../errors.ts'
import { StoredCell } from '../cells/cell.ts'
import { dateCell, parseDate } from '../cells/date.ts'
import {
  MAX_SHEET_COLUMNS,
  MAX_SHEET_ROWS,
  type Sheet,
  type SheetCell,
  type SheetRow,
  type Workbook,
} from './sheet-source.ts'
import { type Attributes, readXml, type XmlHandler } from './xml.ts'
import type { Zip } from './zip.ts'

const CONTENT = 'content.xml'

/** Elements whose paragraphs are not the cell's: comments, drawings. */
const ASIDES: ReadonlySet<string> = new Set(['annotation', 'frame', 'custom-shape', 'shapes'])

/** @param timeZone IANA zone of dates; the computer's without it. */
export async function openOds(zip: Zip, timeZone: string | undefined): Promise<Workbook> {
  const sheets: Sheet[] = []
  const reader = new ContentReader(zip.name, timeZone, (name, hidden) => {
    sheets.push({ name, hidden })
    return false
  })
  for await (const _ of readXml(zip.read(CONTENT), `${zip.name}, ${CONTENT},`, reader));
  return {
    sheets,
    async *rows(sheet) {
      let number = -1
      const wanted = sheets.indexOf(sheet)
      const rowReader = new ContentReader(zip.name, timeZone, () => ++number === wanted)
      for await (const _ of readXml(zip.read(CONTENT), `${zip.name}, ${CONTENT},`, rowReader)) {
        const rows = rowReader.drainRows()
        if (rows.length > 0) yield rows
        if (number > wanted) return
      }
    },
  }
}

/** Empty cells and rows at the end are written once with a count, up to the last of the sheet: they stay a number here. */
class ContentReader implements XmlHandler {
  readonly #file: string
  readonly #timeZone: string | undefined
  /** Called for each table; true when its rows are wanted. */
  readonly #onTable: (name: string, hidden: boolean) => boolean
  readonly #hiddenStyles = new Set<string>()
  #style = ''
  #rows: SheetRow[] = []
  #reading = false
  #number = 0
  #rowRepeat = 1
  #hidden = false
  /** Cells that span rows to come: what they show, by column, and how many rows. */
  readonly #spans = new Map<number, { readonly cell: SheetCell; left: number }>()
  #cells: SheetCell[] = []
  #blank = 0
  #cellRepeat = 1
  #paragraphs: string[] = []
  #attributes: Attributes = {}
  #inParagraph = 0
  #inNote = 0

  constructor(file: string, timeZone: string | undefined, onTable: (name: string, hidden: boolean) => boolean) {
    this.#file = file
    this.#timeZone = timeZone
    this.#onTable = onTable
  }

  drainRows(): readonly SheetRow[] {
    const rows = this.#rows
    this.#rows = []
    return rows
  }

  open(name: string, attributes: Attributes): void {
    if (ASIDES.has(name)) this.#inNote++
    if (this.#inNote > 0) return
    switch (name) {
      case 'style':
        this.#style = attributes['style:name'] ?? ''
        break
      case 'table-properties':
        if (attributes['table:display'] === 'false') this.#hiddenStyles.add(this.#style)
        break
      case 'table':
        this.#reading = this.#onTable(
          attributes['table:name'] ?? '',
          this.#hiddenStyles.has(attributes['table:style-name'] ?? ''),
        )
        this.#number = 0
        this.#spans.clear()
        break
      case 'table-row':
        this.#rowRepeat = repeat(attributes['table:number-rows-repeated'])
        this.#hidden = ['collapse', 'filter'].includes(attributes['table:visibility'] ?? '')
        this.#cells = []
        this.#blank = 0
        break
      case 'table-cell':
      case 'covered-table-cell':
        this.#cellRepeat = repeat(attributes['table:number-columns-repeated'])
        this.#paragraphs = []
        this.#attributes = attributes
        break
      default:
        this.#openText(name, attributes)
    }
  }

  #openText(name: string, attributes: Attributes): void {
    if (name === 'p' || name === 'h') {
      this.#inParagraph++
      this.#paragraphs.push('')
    } else if (this.#inParagraph > 0) {
      if (name === 's') this.#add(' '.repeat(Math.min(repeat(attributes['text:c']), 10_000)))
      if (name === 'tab') this.#add('\t')
      if (name === 'line-break') this.#add('\n')
    }
  }

  text(text: string): void {
    if (this.#inParagraph > 0 && this.#inNote === 0) this.#add(text)
  }

  #add(text: string): void {
    const last = this.#paragraphs.length - 1
    if (last >= 0 && this.#reading) this.#paragraphs[last] += text
  }

  close(name: string): void {
    if (ASIDES.has(name)) this.#inNote--
    if (this.#inNote > 0) return
    if (name === 'p' || name === 'h') this.#inParagraph--
    else if (name === 'table-cell' || name === 'covered-table-cell') this.#closeCell()
    else if (name === 'table-row') this.#closeRow()
    else if (name === 'table') this.#reading = false
  }

  #closeCell(): void {
    if (!this.#reading) return
    const text = this.#paragraphs.length === 0 ? bareValue(this.#attributes) : this.#paragraphs.join('\n')
    if (text === '') {
      this.#blank += this.#cellRepeat
      return
    }
    if (this.#cells.length + this.#blank + this.#cellRepeat > MAX_SHEET_COLUMNS) throw this.#beyond('columns')
    for (; this.#blank > 0; this.#blank--) this.#cells.push('')
    const cell = storedCell(this.#attributes, text, this.#timeZone) ?? text
    const rows = repeat(this.#attributes['table:number-rows-spanned'])
    if (rows > 1) this.#spans.set(this.#cells.length, { cell, left: rows })
    for (let i = 0; i < this.#cellRepeat; i++) this.#cells.push(cell)
  }

  #closeRow(): void {
    if (!this.#reading) return
    if (this.#cells.every((cell) => typeof cell === 'string' && cell.trim() === '')) {
      this.#number += this.#rowRepeat
      this.#passSpans()
      return
    }
    if (this.#number + this.#rowRepeat > MAX_SHEET_ROWS) throw this.#beyond('rows')
    this.#fillSpans()
    for (let i = 0; i < this.#rowRepeat; i++) {
      const row = { number: ++this.#number, cells: this.#cells }
      this.#rows.push(this.#hidden ? { ...row, hidden: true } : row)
    }
  }

  /** A cell that spans rows counts for each of them. */
  #fillSpans(): void {
    for (const [column, span] of this.#spans) {
      while (this.#cells.length <= column) this.#cells.push('')
      if (this.#cells[column] === '') this.#cells[column] = span.cell
    }
    this.#passSpans()
  }

  #passSpans(): void {
    for (const [column, span] of this.#spans) {
      span.left -= this.#rowRepeat
      if (span.left <= 0) this.#spans.delete(column)
    }
  }

  #beyond(what: string): DataError {
    return new DataError(`${this.#file} has more ${what} than a sheet can have`, { hint: 'Save the list as CSV.' })
  }
}

function repeat(count: string | undefined): number {
  const number = Number(count ?? 1)
  return Number.isInteger(number) && number > 0 ? number : 1
}

/** What a cell stores (OpenDocument 1.3 part 3, 19.389); undefined for a text. */
function storedCell(attributes: Attributes, text: string, timeZone: string | undefined): SheetCell | undefined {
  const type = attributes['office:value-type'] ?? attributes['calcext:value-type']
  if (type === 'boolean') return new StoredCell(attributes['office:boolean-value'] === 'true', text)
  if (type === 'date') {
    const read = parseDate(attributes['office:date-value'] ?? '')
    return read === undefined || 'either' in read ? undefined : dateCell(read, timeZone, text)
  }
  if (type !== 'float' && type !== 'percentage' && type !== 'currency') return undefined
  const number = Number(attributes['office:value'] ?? Number.NaN)
  return Number.isFinite(number) ? new StoredCell(number, text) : undefined
}

/** The value of a cell whose writer did not say how it looks. */
function bareValue(attributes: Attributes): string {
  const boolean = attributes['office:boolean-value']
  return (
    attributes['office:string-value'] ??
    attributes['office:date-value'] ??
    attributes['office:time-value'] ??
    attributes['office:value'] ??
    (boolean === undefined ? '' : boolean.toUpperCase())
  )
}
