/**
 * The helpers that mail merges need. Owns their names and their rules for empty cells: an empty value gives an empty
 * text, never `NaN` or `undefined`. docs/templates.md explains each with an example that a test runs.
 */
import { nearest } from '../nearest.ts'
import type { Helper } from './engine.ts'
import { qrPng } from './qr.ts'
import { readDate, readNumber } from './values.ts'

/** What a helper may know beside its arguments; set for each row. */
export interface HelperData {
  readonly locale: string
  readonly timeZone: string
  /** Images that the row's HTML shows. */
  readonly images: {
    readonly cid: string
    readonly name: string
    readonly type: string
    readonly content: Uint8Array
  }[]
  readonly tables: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

interface HelperOptions {
  readonly hash: Readonly<Record<string, unknown>>
  readonly data: { readonly helpers: HelperData }
  readonly fn?: (context: unknown) => string
  readonly inverse?: (context: unknown) => string
}

/** Splits what Handlebars gives into the arguments and the options that it always adds. */
function split(args: readonly unknown[]): { readonly values: readonly unknown[]; readonly options: HelperOptions } {
  return { values: args.slice(0, -1), options: args.at(-1) as HelperOptions }
}

function isEmpty(value: unknown): boolean {
  return (
    value === undefined ||
    value === null ||
    value === '' ||
    value === false ||
    (Array.isArray(value) && value.length === 0) ||
    (typeof value === 'string' && value.trim() === '')
  )
}

function text(value: unknown): string {
  if (value === undefined || value === null) return ''
  return value instanceof Date ? value.toISOString() : String(value)
}

/** A condition that works inside `{{#if (eq a b)}}` and as a block of its own, `{{#eq a b}}`. */
function condition(test: (values: readonly unknown[]) => boolean): Helper {
  return function (this: unknown, ...args) {
    const { values, options } = split(args)
    const holds = test(values)
    if (options.fn === undefined) return holds
    return holds ? options.fn(this) : (options.inverse?.(this) ?? '')
  }
}

function plain(make: (values: readonly unknown[], options: HelperOptions) => unknown): Helper {
  return (...args) => {
    const { values, options } = split(args)
    return make(values, options)
  }
}

function compare(a: unknown, b: unknown): number {
  const [x, y] = [readNumber(a, 'en'), readNumber(b, 'en')]
  if (x !== undefined && y !== undefined) return x - y
  return text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0
}

function localeOf({ hash, data }: HelperOptions): string {
  return text(hash['locale']) || data.helpers.locale
}

const DATE_STYLES = new Set(['full', 'long', 'medium', 'short'])
const numberFormats = new Map<string, Intl.NumberFormat>()
const dateFormats = new Map<string, Intl.DateTimeFormat>()

/** Formatters are costly to make and the same for most rows. */
function numberFormat(locale: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = `${locale} ${JSON.stringify(options)}`
  const known = numberFormats.get(key) ?? new Intl.NumberFormat(locale, options)
  numberFormats.set(key, known)
  return known
}

function dateFormat(locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${locale} ${JSON.stringify(options)}`
  const known = dateFormats.get(key) ?? new Intl.DateTimeFormat(locale, options)
  dateFormats.set(key, known)
  return known
}

function formatDate(value: unknown, options: HelperOptions, usual: Intl.DateTimeFormatOptions): string {
  if (isEmpty(value)) return ''
  const read = readDate(value)
  if (read === undefined) throw new Error(`'${text(value).slice(0, 40)}' is no date`)
  const { hash, data } = options
  const style = text(hash['style'])
  // A day without a time is that day everywhere: no zone may move it.
  const timeZone = read.isDay ? 'UTC' : text(hash['zone']) || data.helpers.timeZone
  const pattern = text(hash['format'])
  if (pattern !== '') return patterned(read.at, pattern, localeOf(options), timeZone)
  const shape = DATE_STYLES.has(style) ? styled(usual, style as 'full') : usual
  return dateFormat(localeOf(options), { ...shape, timeZone }).format(read.at)
}

function styled(
  usual: Intl.DateTimeFormatOptions,
  style: 'full' | 'long' | 'medium' | 'short',
): Intl.DateTimeFormatOptions {
  return {
    ...(usual.dateStyle === undefined ? {} : { dateStyle: style }),
    ...(usual.timeStyle === undefined ? {} : { timeStyle: usual.dateStyle === undefined ? style : 'short' }),
  }
}

/** `yyyy-MM-dd HH:mm`, with month and day names in the locale: MMM, MMMM, EEE, EEEE. */
function patterned(at: Date, pattern: string, locale: string, timeZone: string): string {
  const parts: Record<string, string> = {}
  const numeric = dateFormat('en-GB', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  })
  for (const { type, value } of numeric.formatToParts(at)) parts[type] = value
  const named = (options: Intl.DateTimeFormatOptions): string => dateFormat(locale, { ...options, timeZone }).format(at)
  return pattern.replace(/yyyy|yy|MMMM|MMM|MM|M|dd|d|EEEE|EEE|HH|H|mm|ss/g, (token) => {
    switch (token) {
      case 'yyyy':
        return parts['year'] ?? ''
      case 'yy':
        return (parts['year'] ?? '').slice(-2)
      case 'MMMM':
        return named({ month: 'long' })
      case 'MMM':
        return named({ month: 'short' })
      case 'MM':
        return parts['month'] ?? ''
      case 'M':
        return String(Number(parts['month']))
      case 'dd':
        return parts['day'] ?? ''
      case 'd':
        return String(Number(parts['day']))
      case 'EEEE':
        return named({ weekday: 'long' })
      case 'EEE':
        return named({ weekday: 'short' })
      case 'HH':
        return parts['hour'] ?? ''
      case 'H':
        return String(Number(parts['hour']))
      case 'mm':
        return parts['minute'] ?? ''
      default:
        return parts['second'] ?? ''
    }
  })
}

function formatNumber(value: unknown, options: HelperOptions, extra: Intl.NumberFormatOptions): string {
  if (isEmpty(value)) return ''
  const read = readNumber(value, localeOf(options))
  if (read === undefined) throw new Error(`'${text(value).slice(0, 40)}' is no number`)
  const digits = options.hash['digits']
  const fraction =
    digits === undefined ? {} : { minimumFractionDigits: Number(digits), maximumFractionDigits: Number(digits) }
  return numberFormat(localeOf(options), { ...extra, ...fraction }).format(read)
}

function listOf(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.map(text)
  return text(value)
    .split(/[;,|\n]/)
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

export const HELPERS: Readonly<Record<string, Helper>> = {
  date: plain(([value], options) => formatDate(value, options, { dateStyle: 'long' })),
  time: plain(([value], options) => formatDate(value, options, { timeStyle: 'short' })),
  datetime: plain(([value], options) => formatDate(value, options, { dateStyle: 'long', timeStyle: 'short' })),
  number: plain(([value], options) => formatNumber(value, options, {})),
  percent: plain(([value], options) => formatNumber(value, options, { style: 'percent' })),
  currency: plain(([value, code], options) =>
    formatNumber(value, options, { style: 'currency', currency: text(code || options.hash['code']) || 'EUR' }),
  ),
  plural: plain(([count, ...forms], options) => {
    const value = readNumber(count, localeOf(options)) ?? 0
    const category = new Intl.PluralRules(localeOf(options)).select(value)
    const form = options.hash[category] ?? (category === 'one' ? forms[0] : forms[1]) ?? forms.at(-1) ?? ''
    return text(form).replaceAll('#', numberFormat(localeOf(options), {}).format(value))
  }),
  list: plain(([value], options) =>
    new Intl.ListFormat(localeOf(options), {
      type: options.hash['type'] === 'or' ? 'disjunction' : 'conjunction',
    }).format(listOf(value)),
  ),
  join: plain(([value, separator]) => listOf(value).join(separator === undefined ? ', ' : text(separator))),
  default: plain((values) => values.find((value) => !isEmpty(value)) ?? ''),
  upper: plain(([value], options) => text(value).toLocaleUpperCase(localeOf(options))),
  lower: plain(([value], options) => text(value).toLocaleLowerCase(localeOf(options))),
  capitalize: plain(([value], options) => {
    const [first = '', ...rest] = text(value)
    return first.toLocaleUpperCase(localeOf(options)) + rest.join('')
  }),
  trim: plain(([value]) => text(value).trim()),
  truncate: plain(([value, length]) => {
    const characters = [...text(value)]
    const most = Number(length) || 80
    return characters.length <= most
      ? characters.join('')
      : `${characters
          .slice(0, most - 1)
          .join('')
          .trimEnd()}…`
  }),
  urlencode: plain(([value]) => encodeURIComponent(text(value).toWellFormed())),
  tojson: plain(([value]) => JSON.stringify(value ?? null)),
  table: plain(([name, key, otherwise], { data }) => {
    const table = data.helpers.tables[text(name)]
    if (table === undefined) {
      const guess = nearest(text(name), Object.keys(data.helpers.tables))
      throw new Error(`there is no table '${text(name)}'${guess === undefined ? '' : `; did you mean '${guess}'?`}`)
    }
    const found = Object.hasOwn(table, text(key)) ? table[text(key)] : undefined
    if (found !== undefined) return found
    if (otherwise !== undefined) return otherwise
    throw new Error(`the table '${text(name)}' has no entry '${text(key).slice(0, 40)}'`)
  }),
  qr: plain(([value], { data, hash }) => {
    const { images } = data.helpers
    const cid = `qr${images.length + 1}@mailmerge`
    images.push({
      cid,
      name: `qr${images.length + 1}.png`,
      type: 'image/png',
      content: qrPng(text(value), Number(hash['scale']) || 6),
    })
    return `cid:${cid}`
  }),
  eq: condition(([a, b]) => text(a) === text(b)),
  ne: condition(([a, b]) => text(a) !== text(b)),
  lt: condition(([a, b]) => compare(a, b) < 0),
  le: condition(([a, b]) => compare(a, b) <= 0),
  gt: condition(([a, b]) => compare(a, b) > 0),
  ge: condition(([a, b]) => compare(a, b) >= 0),
  and: condition((values) => values.every((value) => !isEmpty(value))),
  or: condition((values) => values.some((value) => !isEmpty(value))),
  not: condition(([value]) => isEmpty(value)),
  in: condition(([value, ...list]) =>
    list.flatMap((item) => (Array.isArray(item) ? item.map(text) : listOf(item))).includes(text(value)),
  ),
  contains: condition(([whole, part]) => text(whole).toLowerCase().includes(text(part).toLowerCase())),
}
