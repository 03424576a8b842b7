/**
 * Texts read as numbers, by one rule for every part of the program: marks that group digits stand before exactly three of them,
 * and of two different marks the last is the decimal one. What can still be read in two ways is reported as such, never
 * guessed. Owns this reading; never knows columns.
 */
import { BoundedMap } from '../../bounded-map.ts'
import { StoredCell } from './cell.ts'

/** How a language writes numbers. */
export interface NumberMarks {
  readonly decimal: string
  readonly group: string
  /** Digits beyond the last three are grouped in pairs: `12,34,567`. */
  readonly pairs: boolean
}

/** Two readings of one text. */
export interface Ambiguous {
  readonly either: readonly number[]
}

export interface ReadNumber {
  readonly number: number
  /** The currency sign or code beside it. */
  readonly currency?: string
}

export type NumberReading = ReadNumber | Ambiguous | undefined

/** Longer than any number that a person writes. */
const LONGEST = 60
const SIGN = '[-+\u2212]?'
const CURRENCY = '(?:[A-Z]{0,2}\\p{Sc}|[A-Z]{3})'
const SHAPE = new RegExp(
  `^(${SIGN})\\s*(${CURRENCY}?)\\s*(${SIGN})\\s*([\\d.,](?:[\\d.,'\u2019 \u00A0\u202F\u2009]*\\d)?)\\s*(%|${CURRENCY})?$`,
  'u',
)

/** A decimal number, from its digits before and after the mark. */
function decimal(whole: string, fraction = ''): number {
  return Number(`${whole || '0'}.${fraction || '0'}`)
}

/**
 * Reads a number as a person writes it, with its percent sign (`12 %` is 0.12), currency or minus.
 *
 * @param marks of the language that the list is written in, where it is known.
 * @returns undefined for what is not a number.
 */
export function parseNumber(text: string, marks?: NumberMarks): NumberReading {
  return parsed(text, (body) => byShape(body, marks))
}

/** As `parseNumber`, where it is laid down which mark is which. */
export function parseNumberStrictly(text: string, marks: NumberMarks): NumberReading {
  return parsed(text, (body) => byMarks(body, marks))
}

function parsed(text: string, read: (body: string) => number | Ambiguous | undefined): NumberReading {
  const trimmed = text.trim()
  if (trimmed === '' || trimmed.length > LONGEST) return undefined
  const [, before = '', prefix = '', after = '', body = '', suffix = ''] = SHAPE.exec(trimmed) ?? []
  const currency = prefix || (suffix === '%' ? '' : suffix)
  if (body === '' || (before !== '' && after !== '') || (prefix !== '' && suffix !== '')) return undefined
  if (!/\p{Sc}/u.test(currency) && currency !== '' && !currencies().has(currency)) return undefined
  const found = read(body.replace(/[\u00A0\u202F\u2009]/g, ' ').replaceAll('\u2019', "'"))
  if (found === undefined) return undefined
  const scale = suffix === '%' ? 100 : 1
  const sign = /[-\u2212]/.test(before + after) ? -1 : 1
  const value = (size: number): number => (sign * size) / scale
  if (typeof found !== 'number') return { either: found.either.map(value) }
  return currency === '' ? { number: value(found) } : { number: value(found), currency }
}

let known: ReadonlySet<string> | undefined

function currencies(): ReadonlySet<string> {
  known ??= new Set(Intl.supportedValuesOf('currency'))
  return known
}

function byShape(body: string, marks: NumberMarks | undefined): number | Ambiguous | undefined {
  const digits = body.split(/[^\d]/)
  const signs = body.replace(/\d/g, '')
  const last = signs.at(-1) ?? ''
  const kinds = new Set(signs)
  if (digits.slice(1).includes('')) return undefined
  if (signs === '') return decimal(body)
  if (kinds.size === 1 && signs.length === 1 && last !== ' ' && last !== "'") {
    const [whole = '', rest = ''] = digits
    const mayGroup = rest.length === 3 && whole.length <= 3 && /^[1-9]/.test(whole)
    if (!mayGroup || last === marks?.decimal) return decimal(whole, rest)
    return last === marks?.group ? decimal(whole + rest) : { either: [decimal(whole, rest), decimal(whole + rest)] }
  }
  if (kinds.size === 1) return grouped(digits, last, marks)
  const isFraction = kinds.size === 2 && (last === '.' || last === ',') && signs.indexOf(last) === signs.length - 1
  return isFraction ? grouped(digits.slice(0, -1), signs[0] ?? '', marks, digits.at(-1)) : undefined
}

function grouped(
  digits: readonly string[],
  mark: string,
  marks: NumberMarks | undefined,
  fraction?: string,
): number | Ambiguous | undefined {
  const value = decimal(digits.join(''), fraction)
  const [first = '', ...rest] = digits
  if (!/^[1-9]\d{0,2}$/.test(first)) return undefined
  if (rest.every(({ length }) => length === 3)) return value
  const inPairs = mark === ',' && isInPairs(first, rest)
  if (!inPairs) return undefined
  return marks?.pairs ? value : { either: [value] }
}

function isInPairs(first: string, rest: readonly string[]): boolean {
  return first.length <= 2 && rest.at(-1)?.length === 3 && rest.slice(0, -1).every(({ length }) => length === 2)
}

function byMarks(body: string, marks: NumberMarks): number | undefined {
  const [whole = '', fraction, ...more] = body.split(marks.decimal)
  if (more.length > 0 || fraction === '' || (fraction !== undefined && /\D/.test(fraction))) return undefined
  if (/^\d*$/.test(whole)) return decimal(whole, fraction)
  const signs = new Set(whole.replace(/\d/g, ''))
  const [first = '', ...rest] = whole.split(/\D/)
  if (signs.size > 1 || !/^\d{1,3}$/.test(first)) return undefined
  const isRight = rest.every(({ length }) => length === 3) || (marks.pairs && isInPairs(first, rest))
  return isRight ? decimal(first + rest.join(''), fraction) : undefined
}

const marksByLocale = new BoundedMap<string, NumberMarks>(200)

/** The marks of a language; undefined where nobody said which it is, or it has others than `.` and `,`. */
export function marksOf(locale: string | undefined): NumberMarks | undefined {
  if (locale === undefined) return undefined
  let marks = marksByLocale.get(locale)
  if (marks === undefined) {
    const parts = new Intl.NumberFormat(locale).formatToParts(1234567.5)
    const mark = (wanted: string) => parts.find(({ type }) => type === wanted)?.value ?? ''
    const pairs = parts.filter(({ type }) => type === 'integer').some(({ value }, i) => i > 0 && value.length === 2)
    marks = { decimal: mark('decimal'), group: mark('group'), pairs }
    marksByLocale.set(locale, marks)
  }
  return marks.decimal === '.' || marks.decimal === ',' ? marks : undefined
}

/** A cell as a number: as it is stored, or as its text says. */
export function readNumber(cell: unknown, locale: string | undefined): NumberReading {
  const value = cell instanceof StoredCell ? cell.value : cell
  if (typeof value === 'number') return Number.isFinite(value) ? { number: value } : undefined
  return typeof value === 'string' ? parseNumber(value, marksOf(locale)) : undefined
}
