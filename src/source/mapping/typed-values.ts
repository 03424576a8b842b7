/** Texts of cells to dates, numbers and lists, as the settings say how they are written. Owns these readings alone. */
import type { ColumnType } from '../../config/settings.ts'
import { ConfigError } from '../../errors.ts'

/** A value, or what is wrong with the text as the end of a sentence. */
type Reading = { readonly value: unknown } | { readonly fault: string }
export type ValueReader = (text: string) => Reading

export interface Region {
  /** BCP 47 tag for the names of months. */
  readonly locale: string
  /** IANA zone that a date without one is in; the computer's without it. */
  readonly timeZone: string | undefined
}

/** @throws ConfigError for a format that cannot be understood. */
export function createValueReader(column: string, type: ColumnType, region: Region): ValueReader {
  switch (type.type) {
    case 'number':
      return numberReader(column, type.format)
    case 'date':
      return dateReader(column, type.format, region)
    case 'list':
      return listReader(type.separator)
    default:
      return (text) => ({ value: text })
  }
}

function listReader(separator: string | undefined): ValueReader {
  const between = separator ?? /[;,\n]/
  return (text) => ({
    value: text
      .split(between)
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  })
}

/**
 * @param format how 1234.5 is written (`1.234,5`, `1 234,5`), or the tag of a language that writes so (`de`). Without it,
 *   a comma groups and a point is decimal.
 */
function numberReader(column: string, format: string | undefined): ValueReader {
  const decimal = format === undefined ? '.' : decimalOf(column, format)
  const group = decimal === ',' ? '.' : ','
  const shape = new RegExp(`^[-+]?(?:\\d{1,3}(?:[${group}'’ \\u00A0\\u202F]\\d{3})+|\\d+)?(?:\\${decimal}\\d+)?%?$`)
  return (text) => {
    const trimmed = text.trim().replace('−', '-').replace(/\s+%$/, '%')
    if (!/\d/.test(trimmed) || !shape.test(trimmed)) return { fault: `is not a number such as ${format ?? '1,234.5'}` }
    const plain = trimmed.replace(/[^\d%+-]/g, (sign) => (sign === decimal ? '.' : ''))
    const number = Number(plain.replace('%', ''))
    return { value: plain.endsWith('%') ? number / 100 : number }
  }
}

function decimalOf(column: string, format: string): string {
  const mark = /\d([.,])\d{1,2}$/.exec(format)?.[1]
  if (mark !== undefined) return mark
  try {
    const parts = new Intl.NumberFormat(format).formatToParts(1.5)
    return parts.find((part) => part.type === 'decimal')?.value === ',' ? ',' : '.'
  } catch (cause) {
    throw new ConfigError(`the column '${column}' has the number format '${format}', which cannot be understood`, {
      hint: "Write 1234.5 as the list does, for example '1.234,5', or name a language: de.",
      cause,
    })
  }
}

type Field = 'year' | 'month' | 'monthName' | 'day' | 'hour' | 'minute' | 'second' | 'half'

const TOKEN = /y{2,4}|M{1,4}|m{1,2}|d{1,2}|[Hh]{1,2}|s{1,2}|a|[^a-z]+|'[^']*'|./gi
const ISO = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?\s*(Z|[+-]\d\d:?\d\d)?)?$/

/** @param format such as `dd.MM.yyyy` or `d MMM yyyy HH:mm`; ISO 8601 without it. */
function dateReader(column: string, format: string | undefined, region: Region): ValueReader {
  if (format === undefined) return isoReader(region)
  const { pattern, fields } = compileFormat(column, format)
  const months = monthNames(region.locale)
  return (text) => {
    const found = pattern.exec(text.trim())
    if (found === null) return { fault: `is not a date written as ${format}` }
    const parts: Partial<Record<Field, string>> = {}
    for (const [i, field] of fields.entries()) parts[field] = found[i + 1] ?? ''
    const month = parts.monthName === undefined ? Number(parts.month ?? 1) : months.get(fold(parts.monthName))
    if (month === undefined) return { fault: `names the month '${parts.monthName}', which is not known` }
    return instant(
      [
        fullYear(parts.year ?? '1970'),
        month,
        Number(parts.day ?? 1),
        hourOf(parts),
        Number(parts.minute ?? 0),
        Number(parts.second ?? 0),
      ],
      region.timeZone,
    )
  }
}

function isoReader({ timeZone }: Region): ValueReader {
  return (text) => {
    const found = ISO.exec(text.trim())
    if (found === null) return { fault: 'is not a date such as 2026-03-31' }
    const [, year, month, day, hour = '0', minute = '0', second = '0', zone] = found
    const local: Wall = [Number(year), Number(month), Number(day), Number(hour), Number(minute), Number(second)]
    const reading = instant(local, zone === undefined ? timeZone : 'UTC')
    if (zone === undefined || zone === 'Z' || 'fault' in reading) return reading
    const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))
    const shift = (zone.startsWith('-') ? minutes : -minutes) * 60_000
    return { value: new Date((reading.value as Date).getTime() + shift) }
  }
}

function compileFormat(
  column: string,
  format: string,
): { readonly pattern: RegExp; readonly fields: readonly Field[] } {
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
  if (fields.includes('year') && (fields.includes('month') || fields.includes('monthName'))) {
    return { pattern: new RegExp(`^${pattern.join('')}$`, 'iu'), fields }
  }
  throw new ConfigError(`the column '${column}' has the date format '${format}', which has no year and month`, {
    hint: 'Formats are written like dd.MM.yyyy, MM/dd/yyyy or d MMM yyyy HH:mm.',
  })
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

type Wall = readonly [year: number, month: number, day: number, hour: number, minute: number, second: number]

/** The moment at which clocks in `timeZone` show this; a day that no calendar has is a fault. */
function instant(wall: Wall, timeZone: string | undefined): Reading {
  const [year, month, day, hour, minute, second] = wall
  const utc = new Date(0)
  utc.setUTCFullYear(year, month - 1, day)
  utc.setUTCHours(hour, minute, second)
  const real =
    utc.getUTCFullYear() === year &&
    utc.getUTCMonth() === month - 1 &&
    utc.getUTCDate() === day &&
    utc.getUTCHours() === hour &&
    utc.getUTCMinutes() === minute
  if (!real) return { fault: 'is a day or time that does not exist' }
  if (timeZone === 'UTC') return { value: utc }
  // Twice, because the offset at the first guess may be the one before a change of the clocks.
  const guess = utc.getTime() - offset(utc.getTime(), timeZone)
  return { value: new Date(utc.getTime() - offset(guess, timeZone)) }
}

const FORMATS = new Map<string, Intl.DateTimeFormat>()

/** Milliseconds that clocks in `timeZone` are before UTC at this moment. */
function offset(time: number, timeZone: string | undefined): number {
  if (timeZone === undefined) return -new Date(time).getTimezoneOffset() * 60_000
  let format = FORMATS.get(timeZone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' })
    FORMATS.set(timeZone, format)
  }
  const name = format.formatToParts(time).find((part) => part.type === 'timeZoneName')?.value ?? ''
  const found = /([+-])(\d\d):(\d\d)/.exec(name)
  if (found === null) return 0
  const minutes = Number(found[2]) * 60 + Number(found[3])
  return (found[1] === '-' ? -minutes : minutes) * 60_000
}

function fold(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/\p{M}|\./gu, '')
    .toLowerCase()
}

/** Long and short names of the months in English and the list's language. */
function monthNames(locale: string): ReadonlyMap<string, number> {
  const names = new Map([['sept', 9]])
  for (const language of ['en', locale]) {
    for (const month of ['long', 'short'] as const) {
      for (const day of ['numeric', undefined] as const) {
        // With a day beside it, a month has another form in Slavic languages.
        const format = new Intl.DateTimeFormat(language, {
          month,
          timeZone: 'UTC',
          ...(day === undefined ? {} : { day }),
        })
        for (let i = 0; i < 12; i++) {
          const part = format.formatToParts(Date.UTC(2026, i, 5)).find(({ type }) => type === 'month')
          if (part !== undefined) names.set(fold(part.value), i + 1)
        }
      }
    }
  }
  return names
}
