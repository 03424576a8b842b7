/**
 * Dates written by a pattern: that of Unicode (`dd.MM.yyyy`, `d MMM yyyy HH:mm`, words in quotes), as date-fns and Luxon read it.
 * Owns the pattern. Luxon was tried in its place: it refuses 31.3.2026 for dd.MM.yyyy, `5 Sept` and `5 March` for `d MMM`, and the
 * DD and YYYY that spreadsheets show, all of which lists have.
 */
import type { DateReading } from './date.ts'
import { foldName, monthNames, wallOf } from './date.ts'

type Field = 'year' | 'month' | 'monthName' | 'day' | 'hour' | 'minute' | 'second' | 'half'

/** Longer than any date that a person writes. */
const LONGEST = 80
const TOKEN = /y{2,4}|M{1,4}|m{1,2}|d{1,2}|[Hh]{1,2}|s{1,2}|a|[^a-z]+|'[^']*'|./gi

/** Reads one text, or says what is wrong with it as the end of a sentence. */
export type PatternReader = (text: string) => DateReading | { readonly fault: string }

/**
 * @param locale for the names of months, beside those of English.
 * @returns undefined for a pattern without year and month.
 */
export function datePattern(format: string, locale: string): PatternReader | undefined {
  const { pattern, fields } = compile(format)
  if (!fields.includes('year') || !(fields.includes('month') || fields.includes('monthName'))) return undefined
  const months = monthNames(locale)
  const hasTime = fields.includes('hour') || fields.includes('minute')
  return (text) => {
    const found = text.length > LONGEST ? null : pattern.exec(text.trim())
    if (found === null) return { fault: `is not a date written as ${format}` }
    const parts: Partial<Record<Field, string>> = {}
    for (const [i, field] of fields.entries()) parts[field] = found[i + 1] ?? ''
    const month = parts.monthName === undefined ? Number(parts.month ?? 1) : months.get(foldName(parts.monthName))
    if (month === undefined) return { fault: `names the month '${parts.monthName}', which is not known` }
    const day = wallOf(fullYear(parts.year ?? '1970'), month, Number(parts.day ?? 1))
    const [hour, minute, second] = [hourOf(parts), Number(parts.minute ?? 0), Number(parts.second ?? 0)]
    if (day === undefined || hour > 23 || minute > 59 || second > 59) {
      return { fault: 'is a day or time that does not exist' }
    }
    const at = new Date(day + ((hour * 60 + minute) * 60 + second) * 1000)
    return { kind: hasTime ? 'wall' : 'day', at }
  }
}

function compile(format: string): { readonly pattern: RegExp; readonly fields: readonly Field[] } {
  const fields: Field[] = []
  const hasHours = /h/i.test(format)
  const field = (name: Field, shape: string) => {
    fields.push(name)
    return `(${shape})`
  }
  const pattern = (format.match(TOKEN) ?? []).map((token) => {
    // Who writes dd.mm.yyyy without hours means months.
    const month = token[0] === 'M' || (/^mm?$/.test(token) && !hasHours)
    if (/^y/i.test(token)) return field('year', token.length > 2 ? '\\d{4}' : '\\d{2}')
    if (month) return token.length > 2 ? field('monthName', '\\p{L}+\\.?') : field('month', '\\d{1,2}')
    if (/^m/.test(token)) return field('minute', '\\d{1,2}')
    if (/^d/i.test(token)) return field('day', '\\d{1,2}')
    if (/^h/i.test(token)) return field('hour', '\\d{1,2}')
    if (/^s/i.test(token)) return field('second', '\\d{1,2}')
    if (/^a$/i.test(token)) return field('half', '[ap]\\.?m\\.?')
    return token.replace(/^'|'$/g, '').replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
  })
  return { pattern: new RegExp(`^${pattern.join('')}$`, 'iu'), fields }
}

function fullYear(digits: string): number {
  const year = Number(digits)
  if (digits.length > 2) return year
  return year < 69 ? 2000 + year : 1900 + year
}

function hourOf(parts: Partial<Record<Field, string>>): number {
  const hour = Number(parts.hour ?? 0)
  if (parts.half === undefined) return hour
  return (hour % 12) + (/^p/i.test(parts.half) ? 12 : 0)
}
