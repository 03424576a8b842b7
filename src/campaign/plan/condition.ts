/**
 * Conditions over a row: `city=Paris and (age >= 18 or note is empty)`. Owns what they mean; their syntax is in
 * `condition-syntax.ts`.
 */
import { Temporal } from 'temporal-polyfill'
import type { CalendarSpan } from '../../config/units.ts'
import { DataError, UsageError } from '../../errors.ts'
import { CellError, cellText } from '../../source/cells/cell.ts'
import { compareCells, dayOf, type Reading, sameValue } from '../../source/cells/compare.ts'
import { readDate } from '../../source/cells/date.ts'
import { readNumber } from '../../source/cells/number.ts'
import type { RowData } from '../../source/source.ts'
import {
  type Comparison,
  type ConditionTree,
  parseConditionTree,
  relativeDayOf,
  type Sign,
  type Value,
} from './condition-syntax.ts'

export interface Condition {
  readonly text: string
  /** @throws DataError for a cell that cannot be compared, naming its column. */
  holds(row: RowData): boolean
}

/** How the list is written, and which day `today` is: `2026-12-24`. */
export interface ConditionReading extends Reading {
  readonly today: string
}

type Test = (row: RowData) => boolean

/**
 * Reads a condition. Its parts are asked from left to right, and no more of them than decide it.
 *
 * @param where what the condition is part of, for errors.
 * @throws UsageError for what is not understood, with its position, and for an unknown column, naming the nearest one.
 */
export function parseCondition(
  condition: string,
  columns: readonly string[],
  reading: ConditionReading,
  where = '--where',
): Condition {
  const holds = testOf(parseConditionTree(condition, columns, where), { condition, reading, where })
  return { text: condition, holds }
}

interface Context {
  readonly condition: string
  readonly reading: ConditionReading
  readonly where: string
}

function testOf(tree: ConditionTree, context: Context): Test {
  switch (tree.kind) {
    case 'any': {
      const tests = tree.parts.map((part) => testOf(part, context))
      return (row) => tests.some((test) => test(row))
    }
    case 'all': {
      const tests = tree.parts.map((part) => testOf(part, context))
      return (row) => tests.every((test) => test(row))
    }
    case 'not': {
      const test = testOf(tree.part, context)
      return (row) => !test(row)
    }
    default:
      return comparisonOf(tree, context)
  }
}

function comparisonOf(comparison: Comparison, context: Context): Test {
  const { column, written } = comparison
  const test = cellTestOf(comparison, context)
  return (row) => {
    try {
      return test(row[column])
    } catch (error) {
      throw error instanceof CellError ? incomparable(error, column, written, row[column]) : error
    }
  }
}

function cellTestOf(comparison: Comparison, context: Context): (cell: unknown) => boolean {
  const { reading } = context
  switch (comparison.kind) {
    case 'empty':
      return isEmpty
    case 'in': {
      const tests = comparison.values.map((value) => sameAs(value, reading))
      return (cell) => tests.some((test) => test(cell))
    }
    case 'anniversary': {
      const day = dateAt(comparison.day, reading.today)
      return (cell) => !isEmpty(cell) && isAnniversary(dayOfYear(cell, reading), day)
    }
    case 'compare':
      return comparedWith(comparison.sign, comparison.value, context)
  }
}

function comparedWith(sign: Sign, value: Value, { condition, reading, where }: Context): (cell: unknown) => boolean {
  const same = sameAs(value, reading)
  const { text } = value
  switch (sign) {
    case '=':
      return same
    case '!=':
      return (cell) => !same(cell)
    case '~':
      return (cell) => contains(cell, text)
    case '!~':
      return (cell) => !contains(cell, text)
    default: {
      refuseTwoMeanings(text, reading, where, condition)
      const bound = dayOrText(value, reading)
      const test = ORDERS[sign]
      // An empty cell is neither less nor more than anything.
      return (cell) => !isEmpty(cell) && test(compareCells(cell, bound, reading))
    }
  }
}

const ORDERS: Readonly<Record<'<' | '<=' | '>' | '>=', (difference: number) => boolean>> = {
  '<': (difference) => difference < 0,
  '<=': (difference) => difference <= 0,
  '>': (difference) => difference > 0,
  '>=': (difference) => difference >= 0,
}

function isEmpty(cell: unknown): boolean {
  return cellText(cell).trim() === ''
}

function contains(cell: unknown, value: string): boolean {
  return cellText(cell).toLowerCase().includes(value.toLowerCase())
}

/** A list of words may hold the word `today` itself. */
function sameAs(value: Value, reading: ConditionReading): (cell: unknown) => boolean {
  const day = dayOrText(value, reading)
  return (cell) => sameValue(cell, value.text, reading) || (day !== value.text && sameValue(cell, day, reading))
}

function dayOrText(value: Value, { today }: ConditionReading): string {
  const day = relativeDayOf(value)
  return day === undefined ? value.text : dateAt(day, today)
}

/** `today+30d` as `2027-01-23`. A month after the 31st is the last day of the next. */
function dateAt({ count, unit }: CalendarSpan, today: string): string {
  return Temporal.PlainDate.from(today)
    .add({ [unit]: count })
    .toString()
}

/** In a year without it, 29 February is the day before March. */
function isAnniversary(born: string, day: string): boolean {
  if (born.slice(5) === day.slice(5)) return true
  return born.endsWith('-02-29') && day.endsWith('-02-28') && !Temporal.PlainDate.from(day).inLeapYear
}

/** The day of a cell; birthdays are also written without their year. */
function dayOfYear(cell: unknown, reading: Reading): string {
  const text = cellText(cell).trim()
  const bare = text.replace(/^--/, '')
  const forms = [`${bare} 2000`, `${bare}2000`, `${bare}/2000`, `2000-${bare}`]
  const whole = /\d{4}/.test(text) ? undefined : forms.find((form) => readDate(form, reading.locale) !== undefined)
  return dayOf(whole ?? cell, reading)
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
