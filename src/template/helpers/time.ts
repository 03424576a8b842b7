/** Helpers for dates and times. Owns their forms; how a cell is read is in `source/cells`. */
import { Temporal } from 'temporal-polyfill'
import { quoted } from '../../source/cells/cell.ts'
import { dateOf } from '../../source/cells/compare.ts'
import { momentOf } from '../../time-zone.ts'
import type { Helper } from '../engine/engine.ts'
import { type HelperOptions, isEmpty, localeOf, plain, readingOf, remembered, text } from './helper.ts'

const dateFormat = remembered(Intl.DateTimeFormat)

const STYLES: ReadonlySet<unknown> = new Set(['full', 'long', 'medium', 'short'])
type Style = 'full' | 'long' | 'medium' | 'short'

function formatDate(value: unknown, options: HelperOptions, usual: Intl.DateTimeFormatOptions): string {
  if (isEmpty(value)) return ''
  const { kind, at } = dateOf(value, readingOf(options))
  const { hash, data } = options
  const zone = text(hash['zone'])
  const style = styleOf(hash['style'])
  const locale = localeOf(options)
  // A day without a time is that day everywhere. A time on the wall is a moment only when another zone asks for it.
  const isMoment = kind === 'moment' || (kind === 'wall' && (zone !== '' || style === 'full'))
  const timeZone = isMoment ? zone || data.helpers.timeZone : 'UTC'
  const moment = kind === 'wall' && isMoment ? momentOf(wallOf(at), data.helpers.timeZone).at : at
  const pattern = text(hash['format'])
  if (pattern !== '') return patterned(moment, pattern, locale, timeZone)
  return dateFormat(locale, { ...styled(usual, style), timeZone }).format(moment)
}

function wallOf(at: Date): Temporal.PlainDateTime {
  return Temporal.PlainDateTime.from(at.toISOString().slice(0, -1))
}

function styleOf(value: unknown): Style | undefined {
  if (value === undefined) return undefined
  if (!STYLES.has(value)) throw new Error(`style is one of ${[...STYLES].join(', ')}, not ${quoted(value)}`)
  return value as Style
}

function styled(usual: Intl.DateTimeFormatOptions, style: Style | undefined): Intl.DateTimeFormatOptions {
  if (style === undefined) return usual
  if (usual.dateStyle === undefined) return { timeStyle: style }
  return { dateStyle: style, ...(usual.timeStyle === undefined ? {} : { timeStyle: 'short' }) }
}

const NUMERIC = {
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
} as const

/** `yyyy-MM-dd HH:mm`, with month and day names in the locale: MMM, MMMM, EEE, EEEE. Words stand in single quotes. */
function patterned(at: Date, pattern: string, locale: string, timeZone: string): string {
  const parts: Record<string, string> = {}
  for (const { type, value } of dateFormat('en-GB', { ...NUMERIC, timeZone }).formatToParts(at)) parts[type] = value
  const { year = '', month = '', day = '', hour = '', minute = '', second = '' } = parts
  const named = (options: Intl.DateTimeFormatOptions): string => dateFormat(locale, { ...options, timeZone }).format(at)
  const tokens: Readonly<Record<string, () => string>> = {
    yyyy: () => year,
    yy: () => year.slice(-2),
    // A month beside a day has a form of its own in some languages.
    MMMM: () => monthName(at, locale, timeZone, 'long', /d/.test(pattern)),
    MMM: () => monthName(at, locale, timeZone, 'short', /d/.test(pattern)),
    MM: () => month,
    M: () => String(Number(month)),
    dd: () => day,
    d: () => String(Number(day)),
    EEEE: () => named({ weekday: 'long' }),
    EEE: () => named({ weekday: 'short' }),
    HH: () => hour,
    H: () => String(Number(hour)),
    hh: () => String(Number(hour) % 12 || 12).padStart(2, '0'),
    h: () => String(Number(hour) % 12 || 12),
    a: () => (Number(hour) < 12 ? 'AM' : 'PM'),
    mm: () => minute,
    ss: () => second,
  }
  return pattern.replace(
    /'([^']*)'|yyyy|yy|MMMM|MMM|MM|M|dd|d|EEEE|EEE|HH|H|hh|h|mm|ss|a/g,
    (token, word: string | undefined) => word ?? tokens[token]?.() ?? token,
  )
}

function monthName(at: Date, locale: string, timeZone: string, month: 'long' | 'short', beside: boolean): string {
  if (!beside) return dateFormat(locale, { month, timeZone }).format(at)
  const parts = dateFormat(locale, { month, day: 'numeric', timeZone }).formatToParts(at)
  return parts.find(({ type }) => type === 'month')?.value ?? ''
}

const UNITS = ['minutes', 'hours', 'days', 'weeks', 'months', 'years'] as const

/** `{{date (later due 14 "days")}}`: a day stays a day, a time a time. */
function later([value, amount, unit]: readonly unknown[], options: HelperOptions): unknown {
  const { data } = options
  if (isEmpty(value)) return ''
  const { kind, at } = dateOf(value, readingOf(options))
  const name = `${text(unit) || 'days'}s`.replace(/ss$/, 's') as (typeof UNITS)[number]
  const count = Number(amount)
  if (!UNITS.includes(name)) throw new Error(`the unit is one of ${UNITS.join(', ')}, not ${quoted(unit)}`)
  if (!Number.isInteger(count)) throw new Error(`${quoted(amount)} is not a whole number of ${name}`)
  if (kind === 'moment') {
    const moment = Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(data.helpers.timeZone)
    return moment
      .add({ [name]: count })
      .toInstant()
      .toString()
  }
  const wall = wallOf(at).add({ [name]: count })
  const isDay = kind === 'day' && !/minutes|hours/.test(name)
  return isDay ? wall.toPlainDate().toString() : wall.toString()
}

export const TIME_HELPERS: Readonly<Record<string, Helper>> = {
  date: plain(([value], options) => formatDate(value, options, { dateStyle: 'long' })),
  time: plain(([value], options) => formatDate(value, options, { timeStyle: 'short' })),
  datetime: plain(([value], options) => formatDate(value, options, { dateStyle: 'long', timeStyle: 'short' })),
  later: plain(later),
}
