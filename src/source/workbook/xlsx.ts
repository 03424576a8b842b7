/** XLSX workbooks (ECMA-376, transitional and strict) as sheets. Runs no formula: what was calculated is read. */
import { DataError } from '../../errors.ts'
import { createNumberFormat, type NumberFormat } from './number-format.ts'
import type { Sheet, Workbook } from './sheet-source.ts'
import { type MergedCells, positionOf, RichText, SheetReader } from './xlsx-sheet.ts'
import { readWholeXml, readXml } from './xml.ts'
import type { Zip } from './zip.ts'

/** Characters of all shared texts together, which have to be held in memory. */
const MAX_SHARED = 64 << 20
/** Merged cells that are looked at. */
const MAX_MERGED = 100_000
const MAX_SHARED_COUNT = 8 << 20

export interface XlsxSheet extends Sheet {
  /** Name of the part that holds its cells. */
  readonly part: string
}

/**
 * @param locale BCP 47 tag that numbers and dates are written in.
 * @param timeZone IANA zone of dates; the computer's without it.
 */
export async function openXlsx(zip: Zip, locale: string, timeZone: string | undefined): Promise<Workbook<XlsxSheet>> {
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
  const mergedIn = new Map<string, readonly MergedCells[]>()
  return {
    sheets,
    async *rows(sheet) {
      const { part } = sheet
      shared ??= strings === undefined ? Promise.resolve([]) : readShared(zip, strings)
      const general = createNumberFormat({ id: 0, from1904, locale })
      const texts = await shared
      const merged = mergedIn.get(part) ?? (await mergedDown(zip, part))
      mergedIn.set(part, merged)
      const reader = new SheetReader({ file: zip.name, formats, shared: texts, general, timeZone, merged })
      for await (const _ of readXml(zip.read(part), `${zip.name}, ${part},`, reader)) {
        const rows = reader.drainRows()
        if (rows.length > 0) yield rows
      }
    },
  }
}

/** Merged cells of a sheet are written behind its rows, and needed before: the packed text is searched for them. */
async function mergedDown(zip: Zip, part: string): Promise<readonly MergedCells[]> {
  const found: MergedCells[] = []
  let carry = ''
  for await (const chunk of zip.read(part)) {
    const text = carry + chunk.toString('latin1')
    for (const [, from = '', to = ''] of text.matchAll(
      /mergeCell\s[^>]{0,200}?ref="([A-Z]{1,3}\d{1,7}):([A-Z]{1,3}\d{1,7})"/g,
    )) {
      const merged = { column: positionOf(from), first: rowOf(from), last: rowOf(to) }
      if (merged.last > merged.first && found.length < MAX_MERGED) found.push(merged)
    }
    const last = text.lastIndexOf('<')
    carry = last < 0 ? '' : text.slice(Math.max(last, text.length - 300))
  }
  return found
}

function rowOf(reference: string): number {
  return Number(/\d+/.exec(reference)?.[0] ?? 0)
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

async function readFormats(
  zip: Zip,
  part: string,
  from1904: boolean,
  locale: string,
): Promise<readonly NumberFormat[]> {
  const patterns = new Map<number, string>()
  const formats: NumberFormat[] = []
  let inCells = false
  await readWholeXml(zip.read(part), `${zip.name}, ${part},`, {
    open(name, { numFmtId, formatCode }) {
      if (name === 'cellXfs') inCells = true
      if (name === 'numFmt' && formatCode !== undefined) patterns.set(Number(numFmtId), formatCode)
      if (name !== 'xf' || !inCells) return
      const id = Number(numFmtId ?? 0)
      formats.push(createNumberFormat({ id, from1904, locale, pattern: patterns.get(id) }))
    },
    close(name) {
      if (name === 'cellXfs') inCells = false
    },
  })
  return formats
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
      const text = rich.drain()
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
