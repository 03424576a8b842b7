/** Cells of typed columns as dates, numbers and lists, as the settings say how they are written. Owns what a type takes. */
import type { ColumnType } from '../../config/settings.ts'
import { ConfigError } from '../../errors.ts'
import { cellText, DateCell, storedValue } from '../cells/cell.ts'
import type { Reading } from '../cells/compare.ts'
import { dateCell, parseDate } from '../cells/date.ts'
import { datePattern, type PatternReader } from '../cells/date-pattern.ts'
import { marksOf, type NumberMarks, type NumberReading, parseNumber, parseNumberStrictly } from '../cells/number.ts'

/** A value, or what is wrong with the cell as the end of a sentence. */
export type TypedValue = { readonly value: unknown } | { readonly fault: string; readonly hint?: string }
export type ValueReader = (cell: unknown) => TypedValue

/** @throws ConfigError for a format that cannot be understood. */
export function createValueReader(column: string, type: ColumnType, reading: Reading): ValueReader {
  switch (type.type) {
    case 'number':
      return numberReader(column, type.format, reading)
    case 'date':
      return dateReader(column, type.format, reading)
    case 'list':
      return listReader(type.separator)
    default:
      return (cell) => ({ value: cellText(cell) })
  }
}

function listReader(separator: string | undefined): ValueReader {
  const between = separator ?? /[;,\n]/
  const items = (text: string) =>
    text
      .split(between)
      .map((item) => item.trim())
      .filter((item) => item !== '')
  return (cell) => ({ value: Array.isArray(cell) ? cell : items(cellText(cell)) })
}

const ENGLISH: NumberMarks = { decimal: '.', group: ',', pairs: false }

/**
 * A stored number is taken as it is; a text by the format.
 *
 * @param format how 1234.5 is written (`1.234,5`, `1 234,5`), or the tag of a language that writes so (`de`). Without it, as in
 *   the language of the list; where that is not set, as in English, and what could be meant otherwise is a fault.
 */
function numberReader(column: string, format: string | undefined, { locale }: Reading): ValueReader {
  const marks = format === undefined ? (marksOf(locale) ?? ENGLISH) : formatMarks(column, format)
  const isGuess = format === undefined && marksOf(locale) === undefined
  return (cell) => {
    const stored = storedValue(cell)
    // As it is: also a number keeps the text that its cell shows.
    if (typeof stored === 'number') return { value: cell }
    if (typeof stored !== 'string') return { fault: 'is not a number' }
    const lax: NumberReading = isGuess ? parseNumber(stored) : undefined
    if (lax !== undefined && 'either' in lax) {
      const hint = `Say how the list writes numbers: ${column}: { type: number, format: "1,234.5" }.`
      return { fault: 'can be read as two numbers', hint }
    }
    const read = parseNumberStrictly(stored, marks)
    if (read === undefined || 'either' in read) return { fault: `is not a number such as ${format ?? example(marks)}` }
    return { value: read.number }
  }
}

function example({ decimal, group }: NumberMarks): string {
  return `1${group}234${decimal}5`
}

function formatMarks(column: string, format: string): NumberMarks {
  const mark = /\d([.,])\d{1,2}$/.exec(format)?.[1]
  if (mark !== undefined) {
    return { decimal: mark, group: mark === ',' ? '.' : ',', pairs: /\d,\d\d,\d{3}/.test(format) }
  }
  try {
    return marksOf(format) ?? ENGLISH
  } catch (cause) {
    throw new ConfigError(`the column '${column}' has the number format '${format}', which cannot be understood`, {
      hint: "Write 1234.5 as the list does, for example '1.234,5', or name a language: de.",
      cause,
    })
  }
}

const ISO = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?\s?(?:Z|[+-]\d\d:?\d\d)?)?$/

/** A stored date is taken as it is; a text by the pattern, or as ISO 8601 without one. */
function dateReader(column: string, format: string | undefined, { locale, timeZone }: Reading): ValueReader {
  const read = format === undefined ? isoDate : datePattern(format, locale ?? 'en')
  if (read === undefined) {
    throw new ConfigError(`the column '${column}' has the date format '${format}', which has no year and month`, {
      hint: 'Formats are written like dd.MM.yyyy, MM/dd/yyyy or d MMM yyyy HH:mm.',
    })
  }
  return (cell) => {
    if (cell instanceof DateCell) return { value: cell }
    if (typeof cell !== 'string') return { fault: 'is not a date' }
    const found = read(cell)
    if (found !== undefined && 'fault' in found) return found
    if (found === undefined || 'either' in found) return { fault: 'is a day or time that does not exist' }
    return { value: dateCell(found, timeZone, cell.trim()) }
  }
}

const isoDate: PatternReader = (text) => {
  const trimmed = text.trim()
  return ISO.test(trimmed) ? parseDate(trimmed) : { fault: 'is not a date such as 2026-03-31' }
}
