/** XLSX workbooks (ECMA-376, transitional and strict) as sheets of texts. Runs no formula: what was calculated is read. */
import { DataError } from '../errors.ts'
import { createNumberText, type NumberText } from './number-text.ts'
import {
  type CellFault,
  MAX_SHEET_COLUMNS,
  MAX_SHEET_ROWS,
  type Sheet,
  type SheetRow,
  type Workbook,
} from './spreadsheet.ts'
import { readWholeXml, readXml, type XmlHandler } from './xml.ts'
import type { Zip } from './zip.ts'

/** Characters of all shared texts together, which have to be held in memory. */
const MAX_SHARED = 64 << 20
const MAX_SHARED_COUNT = 8 << 20

interface XlsxSheet extends Sheet {
  readonly part: string
}

/** @param locale BCP 47 tag that numbers and dates are written in. */
export async function openXlsx(zip: Zip, locale: string): Promise<Workbook> {
  const root = await readRelations(zip, '', '_rels/.rels')
  const main = root.find(({ type }) => type.endsWith('/officeDocument'))?.target ?? 'xl/workbook.xml'
  const folder = main.slice(0, main.lastIndexOf('/') + 1)
  const relations = await readRelations(zip, folder, `${folder}_rels/${main.slice(folder.length)}.rels`)
  const partOf = (kind: string) => {
    const target = relations.find(({ type }) => type.endsWith(`/${kind}`))?.target
    return target !== undefined && zip.parts.has(target.toLowerCase()) ? target : undefined
  }
  const { sheets, from1904 } = await readWorkbook(zip, main, relations)
  const styles = partOf('styles')
  const formats = styles === undefined ? [] : await readFormats(zip, styles, from1904, locale)
  const strings = partOf('sharedStrings')
  let shared: Promise<readonly string[]> | undefined
  return {
    sheets,
    async *rows(sheet) {
      const { part } = sheet as XlsxSheet
      shared ??= strings === undefined ? Promise.resolve([]) : readShared(zip, strings)
      const reader = new SheetReader(zip.name, formats, await shared, createNumberText({ id: 0, from1904, locale }))
      for await (const _ of readXml(zip.read(part), `${zip.name}, ${part},`, reader)) {
        const rows = reader.take()
        if (rows.length > 0) yield rows
      }
    },
  }
}

interface Relation {
  readonly id: string
  readonly type: string
  readonly target: string
}

async function readRelations(zip: Zip, folder: string, part: string): Promise<readonly Relation[]> {
  const relations: Relation[] = []
  if (!zip.parts.has(part.toLowerCase())) return relations
  await readWholeXml(zip.read(part), `${zip.name}, ${part},`, {
    open(name, { Id = '', Type = '', Target = '', TargetMode }) {
      // What lies outside of the file (links to other workbooks) is never looked at.
      if (name !== 'Relationship' || TargetMode === 'External') return
      relations.push({ id: Id, type: Type, target: resolveTarget(folder, Target) })
    },
  })
  return relations
}

function resolveTarget(folder: string, target: string): string {
  return new URL(target, `zip:///${folder}`).pathname.slice(1)
}

async function readWorkbook(
  zip: Zip,
  part: string,
  relations: readonly Relation[],
): Promise<{ readonly sheets: readonly XlsxSheet[]; readonly from1904: boolean }> {
  const sheets: XlsxSheet[] = []
  let from1904 = false
  await readWholeXml(zip.read(part), `${zip.name}, ${part},`, {
    open(name, attributes) {
      if (name === 'workbookPr') from1904 = ['1', 'true'].includes(attributes['date1904'] ?? '')
      if (name !== 'sheet') return
      const id = Object.entries(attributes).find(([key]) => key.endsWith(':id'))?.[1]
      const relation = relations.find((candidate) => candidate.id === id)
      // Charts and macros are sheets without rows.
      if (relation === undefined || !relation.type.endsWith('/worksheet')) return
      const hidden = (attributes['state'] ?? 'visible') !== 'visible'
      sheets.push({ name: attributes['name'] ?? '', hidden, part: relation.target })
    },
  })
  return { sheets, from1904 }
}

async function readFormats(zip: Zip, part: string, from1904: boolean, locale: string): Promise<readonly NumberText[]> {
  const patterns = new Map<number, string>()
  const formats: NumberText[] = []
  let inCells = false
  await readWholeXml(zip.read(part), `${zip.name}, ${part},`, {
    open(name, { numFmtId, formatCode }) {
      if (name === 'cellXfs') inCells = true
      if (name === 'numFmt' && formatCode !== undefined) patterns.set(Number(numFmtId), formatCode)
      if (name !== 'xf' || !inCells) return
      const id = Number(numFmtId ?? 0)
      const pattern = patterns.get(id)
      formats.push(createNumberText({ id, from1904, locale, ...(pattern === undefined ? {} : { pattern }) }))
    },
    close(name) {
      if (name === 'cellXfs') inCells = false
    },
  })
  return formats
}

/** Texts of a shared or inline string: all its runs, without the reading aids of Japanese text (`rPh`). */
class RichText {
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

  take(): string {
    const { text } = this
    this.text = ''
    // Characters that XML cannot hold are written by their number (ECMA-376 part 1, 22.9.2.19).
    return text.includes('_x')
      ? text.replace(/_x([0-9A-F]{4})_/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
      : text
  }
}

async function readShared(zip: Zip, part: string): Promise<readonly string[]> {
  const strings: string[] = []
  const rich = new RichText()
  let size = 0
  await readWholeXml(zip.read(part), `${zip.name}, ${part},`, {
    open: (name) => rich.open(name),
    text: (text) => rich.add(text),
    close(name) {
      rich.close(name)
      if (name !== 'si') return
      const text = rich.take()
      size += text.length
      if (size > MAX_SHARED || strings.length >= MAX_SHARED_COUNT) {
        throw new DataError(`${zip.name} holds more text than can be read from a workbook`, {
          hint: 'Save the list as CSV: lists of any size are read from that.',
        })
      }
      strings.push(text)
    },
  })
  return strings
}

class SheetReader implements XmlHandler {
  readonly #file: string
  readonly #formats: readonly NumberText[]
  readonly #shared: readonly string[]
  readonly #general: NumberText
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

  constructor(file: string, formats: readonly NumberText[], shared: readonly string[], general: NumberText) {
    this.#file = file
    this.#formats = formats
    this.#shared = shared
    this.#general = general
  }

  take(): readonly SheetRow[] {
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
        return this.#rich.take()
      case 'b':
        return value === '' ? '' : value === '1' || value === 'true' ? 'TRUE' : 'FALSE'
      case 'e':
        this.#fault('cell-error', `the cell shows the error ${value}`, 'Mend the formula in the sheet.')
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

/** 0 for `A1`, 27 for `AB7`; -1 for what is no cell. */
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
