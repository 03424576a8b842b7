/** Problems of a list or a template as people and programs read them. Owns which are one, and the form of their line. */
import type { Problem } from '../../errors.ts'
import { given } from '../../given.ts'
import { escapeInvisible } from '../../text/visible.ts'
import { escapedLines, plural } from './format.ts'
import { cut } from './table.ts'

/** Ranges of rows named with one problem. */
const RANGES = 6

/** A problem as programs read it, also from `check --json`. */
export function problemFields({ severity, code, row, column, message, hint, file, line, value }: Problem): object {
  const place = given({ file, line, value })
  return { severity, code, row: row ?? null, column: column ?? null, message, hint: hint ?? null, ...place }
}

/** What is wrong in the same way in one or many rows. */
export interface Alike {
  /** The first of them. */
  readonly problem: Problem
  readonly rows: readonly number[]
  /** What each row holds, where that differs; the first few. */
  readonly values: readonly string[]
  /** The line of the file, where it is the same for all: one of a template. */
  readonly line: number | undefined
}

/** Values shown of a group. */
const VALUES = 3

/**
 * What is wrong in the same way in many rows is one thing to fix. With `anyValue` also where the rows hold different values:
 * for warnings, whose values are of less use than their number.
 */
export function alike(
  problems: readonly Problem[],
  { anyValue = false }: { readonly anyValue?: boolean } = {},
): readonly Alike[] {
  const groups = new Map<string, { problem: Problem; rows: number[]; values: string[]; line: number | undefined }>()
  for (const problem of problems) {
    const { severity, code, file, line, column, message, value, row } = problem
    const name = JSON.stringify([severity, code, file, column, message, anyValue ? '' : value])
    const group = groups.get(name) ?? { problem, rows: [], values: [], line }
    if (group.line !== line) group.line = undefined
    groups.set(name, group)
    if (row !== undefined) group.rows.push(row)
    if (value !== undefined && group.values.length <= VALUES && !group.values.includes(value)) group.values.push(value)
  }
  return [...groups.values()]
}

/** A problem as one line: place, weight, sentence, value. `allRows`: how many rows there are, where that is known. */
export function problemLine(
  { problem, rows, values, line }: Alike,
  { allRows }: { readonly allRows?: number } = {},
): string {
  const { severity, file, column, message } = problem
  // Of a template, a column is the number of a character: its place is written as compilers do.
  const isCharacter = line !== undefined && rows.length === 0 && /^\d+$/.test(column ?? '')
  const inFile = line === undefined ? '' : isCharacter ? `:${line}:${column}` : `:${line}`
  const place = [
    file === undefined ? undefined : `${escapeInvisible(file)}${inFile}`,
    rowWords(rows, allRows),
    column === undefined || isCharacter ? undefined : `column ${escapeInvisible(column)}`,
  ].filter((part) => part !== undefined)
  const weight = severity === 'error' ? '' : `${severity}: `
  const shown = valueWords(values.filter((value) => value !== '' && !message.includes(value)))
  return `${place.length === 0 ? '' : `${place.join(', ')}: `}${weight}${escapedLines(message)}${shown}`
}

function valueWords(values: readonly string[]): string {
  const [only] = values
  if (only === undefined) return ''
  if (values.length === 1) return ` (${cut(escapeInvisible(only), 80)})`
  const some = values.slice(0, VALUES).map((value) => cut(escapeInvisible(value), 40))
  return ` (${some.join(', ')}${values.length > VALUES ? ' ...' : ''})`
}

/** `row 3`, `rows 1-3, 7` or `every row`; undefined without any. */
function rowWords(rows: readonly number[], allRows: number | undefined): string | undefined {
  if (rows.length < 2) return rows.length === 0 ? undefined : `row ${rows[0]}`
  if (new Set(rows).size === allRows) return 'every row'
  const ranges: [first: number, last: number][] = []
  for (const row of rows) {
    const range = ranges.at(-1)
    if (range !== undefined && row === range[1] + 1) range[1] = row
    else ranges.push([row, row])
  }
  const shown = ranges.slice(0, RANGES).map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`))
  const rest = ranges.slice(RANGES).reduce((sum, [first, last]) => sum + last - first + 1, 0)
  return `rows ${shown.join(', ')}${rest === 0 ? '' : ` and ${plural(rest, 'more', 'more')}`}`
}
