/** Numbers of a spreadsheet as a person sees them in their cells. Owns the choice of the format; numfmt applies it. */
import { format, getFormatFromId, getLocale, isDateFormat, isTextFormat } from 'numfmt'

/** Days between the two calendars that workbooks count from: 1900 and 1904 (ECMA-376 part 1, 18.17.4.1). */
const DAYS_1904 = 1462

export type NumberFormat = (value: number) => string

export interface NumberFormatOptions {
  /** Number of a built-in format (ECMA-376 part 1, 18.8.30). */
  readonly id: number
  /** The pattern itself, where the workbook has its own. */
  readonly pattern?: string
  readonly from1904: boolean
  /** BCP 47 tag: decimal mark, names of months, the order of a short date. */
  readonly locale: string
}

export function createNumberFormat({ id, pattern, from1904, locale }: NumberFormatOptions): NumberFormat {
  const known = knownLocale(locale)
  const given = pattern ?? builtIn(id, known)
  if (given === 'General' || isTextFormat(given)) return (value) => general(value, known)
  const isDate = isDateFormat(given)
  const shift = from1904 && isDate ? DAYS_1904 : 0
  // A currency's language says which sign it is, not how the reader writes numbers.
  const code = isDate ? given : given.replace(/\[\$([^\]-]+)-[0-9a-f]+\]/gi, '[$$$1]')
  return (value) => {
    try {
      // Patterns pad with spaces to align numbers in a column; in a sentence they are in the way.
      return format(code, value + shift, { locale: known }).trim()
    } catch {
      return general(value, known)
    }
  }
}

/**
 * A number without a format of its own, with all its digits: a column's width is no reason to cut a telephone number.
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
