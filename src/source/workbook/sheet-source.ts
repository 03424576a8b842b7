/**
 * A sheet of a workbook as a source of rows. Owns the choice of sheet and header and what makes a sheet's row a good one;
 * the two file formats are read by `xlsx.ts` and `ods.ts`.
 */
import { DataError, type Problem } from '../../errors.ts'
import { findAddressColumn } from '../address-column.ts'
import { cellText, type DateCell, type StoredCell } from '../cells/cell.ts'
import { type Header, readHeader, short, titledHeaderRow, titleError } from '../header.ts'
import type { Input } from '../input/input.ts'
import { BATCH_ROWS, createRowMaker, type Row, type RowData, type Source } from '../source.ts'

/** The limits of the format, by every program that writes it. */
export const MAX_SHEET_ROWS = 1_048_576
export const MAX_SHEET_COLUMNS = 16_384

/** A cell that shows no value of its own: an error, a formula that was never calculated. */
export interface CellFault {
  /** Position in the row, from 0. */
  readonly cell: number
  readonly code: string
  readonly message: string
  readonly hint: string
}

export type SheetCell = string | StoredCell | DateCell

/** A row that holds something. */
export interface SheetRow {
  /** As the program shows it, from 1. */
  readonly number: number
  /** From the first column on: texts as a person sees them, and what is stored as a number, date or answer. */
  readonly cells: readonly SheetCell[]
  /** True for a row that the program does not show: hidden by hand, or filtered out. */
  readonly hidden?: boolean | undefined
  readonly faults?: readonly CellFault[] | undefined
}

export interface Sheet {
  readonly name: string
  readonly hidden: boolean
}

export interface Workbook<S extends Sheet = Sheet> {
  readonly sheets: readonly S[]
  /** Rows from the first on, as often as asked for. */
  rows(sheet: S): AsyncIterable<readonly SheetRow[]>
}

export interface SheetOptions {
  /** Name of the sheet, or its number from 1. */
  readonly sheet?: string | undefined
  /** Row that holds the column names; the first that holds anything without it. */
  readonly headerRow?: number | undefined
}

/** The sheet that is the list, and where its column names are. */
interface FoundSheet<S extends Sheet> {
  readonly sheet: S
  readonly header: SheetHeader
}

/** @throws DataError when there is no such sheet, no header, or a header that cannot be used. */
export async function findSheet<S extends Sheet>(
  file: string,
  workbook: Workbook<S>,
  options: SheetOptions,
): Promise<FoundSheet<S>> {
  const sheet = chooseSheet(file, workbook.sheets, options.sheet)
  const header = await findHeader(file, workbook, sheet, options.headerRow)
  if (options.sheet === undefined && findAddressColumn(header.columns, header.sample) === undefined) {
    await refuseForAnother(file, workbook, sheet)
  }
  return { sheet, header }
}

/** @throws DataError as `findSheet` does. */
export async function openSheet(input: Input, workbook: Workbook, options: SheetOptions): Promise<Source> {
  const { sheet, header } = await findSheet(input.name, workbook, options)
  return {
    name: input.name,
    stem: input.stem,
    columns: header.columns,
    sample: header.sample,
    notes: [...input.notes, ...sheetNotes(workbook.sheets, sheet, options.sheet), ...header.notes],
    rows: () => readRows(input.name, workbook.rows(sheet), header),
  }
}

function chooseSheet<S extends Sheet>(file: string, sheets: readonly S[], wanted: string | undefined): S {
  const names = sheets.map((sheet) => `'${short(sheet.name)}'`).join(', ')
  if (wanted === undefined) {
    const first = sheets.find((sheet) => !sheet.hidden) ?? sheets[0]
    if (first !== undefined) return first
    throw new DataError(`${file} has no sheets`, { hint: 'Save the list again, or as CSV.' })
  }
  const folded = wanted.trim().toLowerCase()
  const found =
    sheets.find((sheet) => sheet.name === wanted) ??
    sheets.find((sheet) => sheet.name.trim().toLowerCase() === folded) ??
    (/^\d+$/.test(wanted) ? sheets[Number(wanted) - 1] : undefined)
  if (found !== undefined) return found
  throw new DataError(`${file} has no sheet '${short(wanted)}'`, { hint: `Its sheets are ${names}.` })
}

/** A sheet without addresses, where another has some, is a page of instructions. */
async function refuseForAnother<S extends Sheet>(file: string, workbook: Workbook<S>, sheet: S): Promise<void> {
  for (const other of workbook.sheets) {
    if (other === sheet || other.hidden) continue
    const header = await findHeader(file, workbook, other, undefined).catch((error: unknown) => {
      if (error instanceof DataError) return undefined
      throw error
    })
    if (header === undefined || findAddressColumn(header.columns, header.sample) === undefined) continue
    const named = /^[\w.-]+$/.test(other.name) ? other.name : `'${short(other.name)}'`
    throw new DataError(`the sheet '${short(sheet.name)}' of ${file} holds no addresses`, {
      hint: `Is another one the list? Give it with --sheet ${named}, or --sheet '${short(sheet.name)}' if not.`,
    })
  }
}

function sheetNotes(sheets: readonly Sheet[], sheet: Sheet, wanted: string | undefined): readonly string[] {
  if (wanted !== undefined || sheets.length < 2) return []
  const others = sheets.filter((other) => other !== sheet).map((other) => `'${short(other.name)}'`)
  return [
    `read the sheet '${short(sheet.name)}'; there ${others.length === 1 ? 'is' : 'are'} also ${others.join(', ')}`,
  ]
}

interface SheetHeader extends Header {
  /** As the program shows it, from 1. */
  readonly row: number
  readonly sample: readonly RowData[]
}

/** Rows of the beginning that are looked at: for a title, and for the column of the address. */
const FIRST_ROWS = 20

async function findHeader<S extends Sheet>(
  file: string,
  workbook: Workbook<S>,
  sheet: S,
  wanted: number | undefined,
): Promise<SheetHeader> {
  const first: SheetRow[] = []
  for await (const rows of workbook.rows(sheet)) {
    first.push(...rows.filter(({ number }) => number >= (wanted ?? 1)).slice(0, FIRST_ROWS - first.length))
    if (first.length >= FIRST_ROWS) break
  }
  const [top, ...below] = first
  if (top !== undefined && (wanted === undefined || top.number === wanted)) {
    const texts = first.map(({ number, cells }) => ({ number, cells: cells.map(cellText) }))
    const proposed = wanted === undefined ? titledHeaderRow(texts) : undefined
    if (proposed !== undefined) throw titleError(file, top.cells.map(cellText), proposed)
    const header = readHeader(top.cells.map(cellText), { file, line: top.number })
    const { columns, positions } = header
    const sample = below.map(({ cells }) =>
      Object.fromEntries(columns.map((name, i) => [name, cells[positions[i] ?? i]])),
    )
    return { ...header, row: top.number, sample }
  }
  const others = workbook.sheets.filter((other) => other !== sheet).map((other) => `'${short(other.name)}'`)
  const where = `the sheet '${short(sheet.name)}' of ${file}`
  if (wanted !== undefined) {
    throw new DataError(`${where} has nothing in row ${wanted}, where the column names should be`, {
      hint: 'headerRow is the number that the program shows beside the row.',
    })
  }
  throw new DataError(`${where} is empty`, {
    hint:
      others.length > 0
        ? `Choose another with --sheet: ${others.join(', ')}.`
        : 'A list needs a row of column names and at least one row below it.',
  })
}

async function* readRows(
  file: string,
  sheetRows: AsyncIterable<readonly SheetRow[]>,
  header: SheetHeader,
): AsyncGenerator<readonly Row[]> {
  const { columns, positions } = header
  const make = createRowMaker(columns)
  const named = new Map(positions.map((position, i) => [position, columns[i] ?? '']))
  let number = 0
  let batch: Row[] = []
  for await (const rows of sheetRows) {
    for (const row of rows) {
      if (row.number <= header.row) continue
      const data = make(positions.map((position) => row.cells[position]))
      const problems = problemsOf(row, named, file, ++number)
      const unreadable = row.faults === undefined ? [] : unreadableOf(row, named, file, number)
      batch.push({
        number,
        line: row.number,
        data,
        hidden: row.hidden,
        problems: problems.length === 0 ? undefined : problems,
        unreadable: unreadable.length === 0 ? undefined : unreadable,
      })
      if (batch.length < BATCH_ROWS) continue
      yield batch
      batch = []
    }
  }
  if (batch.length > 0) yield batch
}

function problemsOf(
  row: SheetRow,
  named: ReadonlyMap<number, string>,
  file: string,
  number: number,
): readonly Problem[] {
  const problems: Problem[] = []
  const place = { severity: 'error', file, row: number, line: row.number } as const
  // What is left of the names is an index, or nothing of the list.
  const first = Math.min(...named.keys())
  for (const [cell, stored] of row.cells.entries()) {
    const value = cellText(stored)
    if (cell < first || value.trim() === '' || named.has(cell)) continue
    const letters = columnLetters(cell)
    problems.push({
      ...place,
      code: 'unnamed-column',
      message: `the cell ${letters}${row.number} holds a value, and its column has no name`,
      hint: 'Name the column in the row of column names, or empty the cell.',
      column: letters,
      value: short(value),
    })
  }
  return problems
}

/** Cells that show no value of their own, in columns that have a name. */
function unreadableOf(
  row: SheetRow,
  named: ReadonlyMap<number, string>,
  file: string,
  number: number,
): readonly Problem[] {
  return (row.faults ?? []).flatMap(({ cell, code, message, hint }) => {
    const column = named.get(cell)
    const place = { severity: 'error', file, row: number, line: row.number } as const
    return column === undefined ? [] : [{ ...place, code, message, hint, column }]
  })
}

/** `A` for 0, `AA` for 26. */
export function columnLetters(position: number): string {
  let letters = ''
  for (let rest = position + 1; rest > 0; rest = Math.floor((rest - 1) / 26)) {
    letters = String.fromCharCode(65 + ((rest - 1) % 26)) + letters
  }
  return letters
}
