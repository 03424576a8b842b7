/**
 * Numbers of a spreadsheet as a person sees them in their cells. Owns the choice of the format, and which numbers are dates;
 * numfmt applies it.
 */
import { format, getFormatDateInfo, getFormatFromId, getLocale, isDateFormat, isTextFormat } from 'numfmt'

/** Days between the two calendars that workbooks count from: 1900 and 1904 (ECMA-376 part 1, 18.17.4.1). */
const DAYS_1904 = 1462
const DAY = 86_400_000
/** Day 0 of the calendar from 1900, which counts a 29 February 1900 that did not exist. */
const DAY_ZERO = Date.UTC(1899, 11, 30)
const FALSE_LEAP_DAY = 60

/** The text that a cell with this number shows. */
export interface NumberFormat {
  (value: number): string
  /** Set where the number is a date: whether a day or a time is shown. */
  readonly date: 'day' | 'wall' | undefined
  /** What clocks show at such a number, in milliseconds as if they showed UTC. */
  readonly wallOf: (value: number) => number
  /** The number of a date. */
  readonly serialOf: (wall: number) => number
}

export interface NumberFormatOptions {
  /** Number of a built-in format (ECMA-376 part 1, 18.8.30). */
  readonly id: number
  /** The pattern itself, where the workbook has its own. */
  readonly pattern?: string | undefined
  readonly from1904: boolean
  /** BCP 47 tag: decimal mark, names of months, the order of a short date. */
  readonly locale: string
}

export function createNumberFormat({ id, pattern, from1904, locale }: NumberFormatOptions): NumberFormat {
  const known = knownLocale(locale)
  const given = pattern ?? builtIn(id, known)
  const date = dateShown(given)
  const shift = from1904 ? DAYS_1904 : 0
  const wallOf = (value: number): number => {
    const serial = value + shift
    // Seconds are what people write; the fractions of a day that represent them are not exact.
    return Math.round(((serial < FALSE_LEAP_DAY && serial >= 1 ? serial + 1 : serial) * DAY + DAY_ZERO) / 1000) * 1000
  }
  const serialOf = (wall: number): number => (wall - DAY_ZERO) / DAY - shift
  return Object.assign(showing(given, known, date === undefined ? 0 : shift), { date, wallOf, serialOf })
}

function showing(given: string, locale: string, shift: number): (value: number) => string {
  if (given === 'General' || isTextFormat(given)) return (value) => general(value, locale)
  const code = isDateFormat(given)
    ? withDateSeparator(given)
    : // A currency's language says which sign it is, not how the reader writes numbers.
      given.replace(/\[\$([^[\]-]+)-[0-9a-f]+\]/gi, '[$$$1]')
  return (value) => {
    try {
      // Patterns pad with spaces to align numbers in a column; in a sentence they are in the way.
      return format(code, value + shift, { locale }).trim()
    } catch {
      return general(value, locale)
    }
  }
}

/** A duration (`[h]:mm`) and a time without a day are numbers, not dates. */
function dateShown(given: string): NumberFormat['date'] {
  if (!isDateFormat(given) || /\[[hms]+\]/i.test(given)) return undefined
  const { year, month, day, hours, minutes } = getFormatDateInfo(given)
  if (!year && !month && !day) return undefined
  return hours || minutes ? 'wall' : 'day'
}

/** In a pattern of another language than the reader's, `/` is the sign that this language writes between day and month. */
function withDateSeparator(pattern: string): string {
  const language = /\[\$-([0-9a-f]{3,8})\]/i.exec(pattern)?.[1]
  if (language === undefined) return pattern
  const sign = /[^a-z]/i.exec(builtIn(14, language.slice(-4)))?.[0] ?? '/'
  if (sign === '/') return pattern
  return pattern.replace(/"[^"]*(?:"|$)|\\.|\[[^\]]*(?:\]|$)|\//g, (token) => (token === '/' ? `\\${sign}` : token))
}

/**
 * A number without a format of its own, with all its digits: a column's width is not a reason to cut a telephone number.
 * Fifteen digits are what a spreadsheet keeps.
 */
function general(value: number, locale: string): string {
  const text = `${Number(value.toPrecision(15))}`
  const decimal = getLocale(locale)?.decimal ?? '.'
  return decimal === '.' ? text : text.replace('.', decimal)
}

function knownLocale(locale: string): string {
  try {
    return getLocale(locale) === undefined ? 'en' : locale
  } catch {
    return 'en'
  }
}

function builtIn(id: number, locale: string): string {
  try {
    return getFormatFromId(id, locale) ?? 'General'
  } catch {
    return 'General'
  }
}
