/** One `--where` condition over a row: `city=Paris`, `age>=18`, `name~=ann`, `note=` (empty). Owns syntax and comparison. */

import { didYouMean } from '../../did-you-mean.ts'
import { UsageError } from '../../errors.ts'
import type { RowData } from '../../source/source.ts'

export interface Condition {
  readonly text: string
  holds(row: RowData): boolean
}

type Comparison = (cell: unknown, value: string) => boolean

/** Numbers compare as numbers, all else as text in the order of the letters. */
function order(cell: unknown, value: string): number {
  const left = text(cell)
  const [a, b] = [Number(left), Number(value)]
  if (left !== '' && value !== '' && !Number.isNaN(a) && !Number.isNaN(b)) return a - b
  return left < value ? -1 : left > value ? 1 : 0
}

function text(cell: unknown): string {
  if (cell instanceof Date) return cell.toISOString()
  if (Array.isArray(cell)) return cell.map(text).join(', ')
  return cell === null || cell === undefined ? '' : String(cell).trim()
}

const COMPARISONS: readonly (readonly [sign: string, holds: Comparison])[] = [
  ['!~', (cell, value) => !text(cell).toLowerCase().includes(value.toLowerCase())],
  ['~', (cell, value) => text(cell).toLowerCase().includes(value.toLowerCase())],
  ['!=', (cell, value) => order(cell, value) !== 0],
  ['>=', (cell, value) => order(cell, value) >= 0],
  ['<=', (cell, value) => order(cell, value) <= 0],
  ['=', (cell, value) => order(cell, value) === 0],
  ['>', (cell, value) => text(cell) !== '' && order(cell, value) > 0],
  ['<', (cell, value) => text(cell) !== '' && order(cell, value) < 0],
]

/**
 * Reads a condition; `where` says in errors where it stood. The column is everything before the first comparison sign; `~` means 'contains', in any case.
 * @throws UsageError for an unknown column, naming the nearest one, and for a text without a sign.
 */
export function parseCondition(condition: string, columns: readonly string[], where = '--where'): Condition {
  const at = condition.search(/!~|!=|>=|<=|[~=<>]/)
  const found = at < 1 ? undefined : COMPARISONS.find(([sign]) => condition.startsWith(sign, at))
  if (found === undefined) {
    throw new UsageError(`${where} does not understand '${condition}'`, {
      hint: "Write column=value, with one of = != > < >= <= ~ (contains) !~ between, for example --where 'city=Paris'",
    })
  }
  const [sign, holds] = found
  const column = condition.slice(0, at).trim()
  const value = condition.slice(at + sign.length).trim()
  if (!columns.includes(column)) {
    throw new UsageError(`${where} names the column '${column}', which the list does not have`, {
      hint: didYouMean(column, columns, `Its columns are ${columns.join(', ')}.`),
    })
  }
  return { text: condition, holds: (row) => holds(row[column], value) }
}
