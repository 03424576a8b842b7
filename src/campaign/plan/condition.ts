/** One `--where` condition over a row: `city=Paris`, `age>=18`, `name~=ann`, `note=` (empty). Owns syntax and comparison. */
import { didYouMean } from '../../did-you-mean.ts'
import { DataError, UsageError } from '../../errors.ts'
import { CellError, cellText } from '../../source/cells/cell.ts'
import { compareCells, type Reading, sameValue } from '../../source/cells/compare.ts'
import { readDate } from '../../source/cells/date.ts'
import { readNumber } from '../../source/cells/number.ts'
import type { RowData } from '../../source/source.ts'

export interface Condition {
  readonly text: string
  /** @throws DataError for a cell that cannot be compared, naming its column. */
  holds(row: RowData): boolean
}

type Comparison = (cell: unknown, value: string, reading: Reading) => boolean

function contains(cell: unknown, value: string): boolean {
  return cellText(cell).toLowerCase().includes(value.toLowerCase())
}

/** An empty cell is neither less nor more than anything. */
function ordered(test: (difference: number) => boolean): Comparison {
  return (cell, value, reading) => cellText(cell).trim() !== '' && test(compareCells(cell, value, reading))
}

const COMPARISONS: readonly (readonly [sign: string, holds: Comparison])[] = [
  ['!~', (cell, value) => !contains(cell, value)],
  ['~', contains],
  ['!=', (cell, value, reading) => !sameValue(cell, value, reading)],
  ['>=', ordered((difference) => difference >= 0)],
  ['<=', ordered((difference) => difference <= 0)],
  ['==', sameValue],
  ['=', sameValue],
  ['>', ordered((difference) => difference > 0)],
  ['<', ordered((difference) => difference < 0)],
]

/**
 * Reads a condition. The column is everything before the first comparison sign; `~` means 'contains', in any case.
 *
 * @param where what the condition is part of, for errors.
 * @throws UsageError for an unknown column, naming the nearest one, and for a text without a sign.
 */
export function parseCondition(
  condition: string,
  columns: readonly string[],
  reading: Reading,
  where = '--where',
): Condition {
  const at = condition.search(/!~|!=|>=|<=|[~=<>]/)
  const found = at < 1 ? undefined : COMPARISONS.find(([sign]) => condition.startsWith(sign, at))
  if (found === undefined) throw unclear(where, condition)
  const [sign, compare] = found
  const column = condition.slice(0, at).trim().normalize('NFC')
  const value = condition.slice(at + sign.length).trim()
  if (!columns.includes(column)) {
    throw new UsageError(`${where} names the column '${column}', which the list does not have`, {
      hint: didYouMean(column, columns, `Its columns are ${columns.join(', ')}.`),
    })
  }
  if (/^[=<>~]/.test(value)) throw unclear(where, condition, 'it has two comparison signs')
  if (/[<>]/.test(sign)) refuseTwoMeanings(value, reading, where, condition)
  const holds = (row: RowData): boolean => {
    try {
      return compare(row[column], value, reading)
    } catch (error) {
      throw error instanceof CellError ? incomparable(error, column, condition, row[column]) : error
    }
  }
  return { text: condition, holds }
}

function unclear(where: string, condition: string, why?: string): UsageError {
  return new UsageError(`${where} does not understand '${condition}'${why === undefined ? '' : `: ${why}`}`, {
    hint: "Write column=value, with one of = != > < >= <= ~ (contains) !~ between, for example --where 'city=Paris'",
  })
}

/** A value that can be read in two ways chooses nobody for certain. */
function refuseTwoMeanings(value: string, { locale }: Reading, where: string, condition: string): void {
  const number = readNumber(value, locale)
  const date = readDate(value, locale)
  const isUnclear = [number, date].some((read) => read !== undefined && 'either' in read)
  if (!isUnclear) return
  throw new UsageError(`${where} compares with '${value}', which can be read in two ways (${condition})`, {
    hint: 'Write numbers like 1234.5 and dates like 2026-12-24.',
  })
}

function incomparable({ message, hint }: CellError, column: string, condition: string, cell: unknown): DataError {
  const problem = {
    severity: 'error',
    code: 'incomparable',
    message: `the condition ${condition} cannot be decided: ${message}`,
    column,
    value: cellText(cell).slice(0, 60),
    hint: hint?.replace('COLUMN', column) ?? 'Fix the cell, or choose rows by another condition.',
  } as const
  return new DataError(problem.message, { problems: [problem] })
}
