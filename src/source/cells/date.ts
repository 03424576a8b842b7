/**
 * Texts read as days and times, by one rule for every part of the program: a date is read where it can be one day only. Owns the
 * forms that are understood without a pattern; those of a pattern are in `date-pattern.ts`.
 */
import { BoundedMap } from '../../bounded-map.ts'
import { DateCell, type DateKind } from './cell.ts'

/** A day, a time or a moment. The first two are given as if clocks showed UTC. */
export interface ReadDate {
  readonly kind: DateKind
  readonly at: Date
}

/** Two days that one text can mean, as `2026-04-03`. */
export interface AmbiguousDate {
  readonly either: readonly [string, string]
}

export type DateReading = ReadDate | AmbiguousDate | undefined

/** Longer than any date that a person writes. */
const LONGEST = 80
const YEAR_FIRST = /^(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(\D.*)?$/s
const CHINESE = /^(\d{4})年(\d{1,2})月(\d{1,2})日(.*)$/s
const WITH_POINTS = /^(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})(\D.*)?$/s
const YEAR_LAST = /^(\d{1,2})([-/])(\d{1,2})\2(\d{4})(\D.*)?$/s
const DAY_AND_NAME =
  /^(\d{1,2})(?:st|nd|rd|th|er|[.ºª])?[\s-]+(?:de\s+|of\s+)?(\p{L}[\p{L}\p{M}]*)\.?[\s,-]+(?:de\s+|del\s+)?(\d{4})(\D.*)?$/su
const NAME_AND_DAY = /^(\p{L}[\p{L}\p{M}]*)\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})(\D.*)?$/su
const WEEKDAY = /^(\p{L}[\p{L}\p{M}]*)[.,]+\s+/u
const TIME =
  /^(?:T|,?\s+)(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*([AaPp]\.?[Mm]\.?)?\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2})?$/

/**
 * Reads a date as a person writes it: `2026-12-24`, `24.12.2026`, `24 Dec 2026`, `12/24/2026`, each with or without a time.
 *
 * @param locale of the list, where it is known: for the names of months, and the order of `03/04/2026` where that language
 *   writes dates with this sign.
 * @returns undefined for what is not a date, or a day that does not exist.
 */
export function parseDate(text: string, locale?: string): DateReading {
  const trimmed = text.trim()
  if (trimmed === '' || trimmed.length > LONGEST) return undefined
  const yearFirst = YEAR_FIRST.exec(trimmed)
  if (yearFirst !== null) return dated(yearFirst[1], yearFirst[3], yearFirst[4], yearFirst[5])
  const points = WITH_POINTS.exec(trimmed)
  if (points !== null) return dated(points[3], points[2], points[1], points[4])
  const yearLast = YEAR_LAST.exec(trimmed)
  if (yearLast !== null) return inSomeOrder(yearLast, locale)
  const chinese = CHINESE.exec(trimmed)
  if (chinese !== null) return dated(chinese[1], chinese[2], chinese[3], chinese[4])
  return /\p{L}/u.test(trimmed) ? withName(trimmed, locale) : undefined
}

function inSomeOrder(
  [, first = '', sign = '', second = '', year, rest]: RegExpExecArray,
  locale?: string,
): DateReading {
  const dayFirst = dated(year, second, first, rest)
  const monthFirst = dated(year, first, second, rest)
  if (dayFirst === undefined || monthFirst === undefined || first === second) return dayFirst ?? monthFirst
  const order = orderOf(locale, sign)
  if (order !== undefined) return order === 'day' ? dayFirst : monthFirst
  return { either: [dayOf(dayFirst), dayOf(monthFirst)] }
}

function dayOf({ at }: ReadDate): string {
  return at.toISOString().slice(0, 10)
}

function withName(text: string, locale: string | undefined): ReadDate | undefined {
  const names = monthNames(locale ?? 'en')
  const bare = text.replace(WEEKDAY, '')
  for (const candidate of bare === text ? [text] : [text, bare]) {
    const dayFirst = DAY_AND_NAME.exec(candidate)
    if (dayFirst !== null) return dated(dayFirst[3], names.get(foldName(dayFirst[2] ?? '')), dayFirst[1], dayFirst[4])
    const nameFirst = NAME_AND_DAY.exec(candidate)
    if (nameFirst !== null)
      return dated(nameFirst[3], names.get(foldName(nameFirst[1] ?? '')), nameFirst[2], nameFirst[4])
  }
  return undefined
}

function dated(year: unknown, month: unknown, day: unknown, rest = ''): ReadDate | undefined {
  const wall = wallOf(Number(year), Number(month), Number(day))
  if (wall === undefined) return undefined
  const at = new Date(wall)
  if (rest.trim() === '') return { kind: 'day', at }
  const time = TIME.exec(rest)
  if (time === null) return undefined
  const [, hours, minutes, seconds = '0', fraction = '', half, zone] = time
  const hour = half === undefined ? Number(hours) : (Number(hours) % 12) + (/^p/i.test(half) ? 12 : 0)
  if (Number(hours) > (half === undefined ? 23 : 12) || Number(minutes) > 59 || Number(seconds) > 59) return undefined
  at.setUTCHours(hour, Number(minutes), Number(seconds), Number(fraction.slice(0, 3).padEnd(3, '0')))
  if (zone === undefined) return { kind: 'wall', at }
  const [, sign, zoneHours = '0', zoneMinutes = '0'] = /^([+-])(\d{2}):?(\d{2})$/.exec(zone) ?? []
  const offset = (Number(zoneHours) * 60 + Number(zoneMinutes)) * (sign === '-' ? -1 : 1)
  return { kind: 'moment', at: new Date(at.getTime() - offset * 60_000) }
}

/** Milliseconds of a day as if clocks showed UTC; undefined for a day that does not exist. */
export function wallOf(year: number, month: number, day: number): number | undefined {
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date.getTime() : undefined
}

const orders = new BoundedMap<string, readonly [order: string, sign: string]>(200)

/** Which part comes first where a language writes dates with this sign. English without a country is written in both ways. */
function orderOf(locale: string | undefined, sign: string): 'day' | 'month' | undefined {
  if (locale === undefined || /^en$/i.test(locale)) return undefined
  const [order, own] = orders.getOrMake(locale, () => {
    const parts = new Intl.DateTimeFormat(locale, { dateStyle: 'short', timeZone: 'UTC' }).formatToParts(0)
    const fields = parts.filter(({ type }) => type === 'day' || type === 'month' || type === 'year')
    return [fields[0]?.type ?? '', parts.find(({ type }) => type === 'literal')?.value.trim() ?? '']
  })
  return own === sign && (order === 'day' || order === 'month') ? order : undefined
}

/** A cell as a date: as it is stored or typed, or as its text says. */
export function readDate(cell: unknown, locale?: string): DateReading {
  if (cell instanceof DateCell)
    return { kind: cell.kind, at: new Date(cell.kind === 'moment' ? cell.getTime() : cell.wall) }
  if (cell instanceof Date) {
    if (Number.isNaN(cell.getTime())) return undefined
    return { kind: cell.getTime() % 86_400_000 === 0 ? 'day' : 'moment', at: cell }
  }
  return typeof cell === 'string' ? parseDate(cell, locale) : undefined
}

/** A date that is read, as a cell of the list. */
export function dateCell({ kind, at }: ReadDate, timeZone: string | undefined, text: string): DateCell {
  const time = at.getTime()
  return new DateCell(kind === 'moment' ? time : momentOf(time, timeZone), kind, time, text)
}

/** The moment at which clocks of the zone show `wall`; by the computer's zone without one. */
function momentOf(wall: number, timeZone: string | undefined): number {
  if (timeZone === 'UTC') return wall
  // Twice, because the offset at the first guess may be the one before a change of the clocks.
  const guess = wall - offsetAt(wall, timeZone)
  return wall - offsetAt(guess, timeZone)
}

const zones = new BoundedMap<string, Intl.DateTimeFormat>(100)
const offsets = new BoundedMap<string, number>(10_000)

/** Milliseconds that clocks in `timeZone` are before UTC at this moment. */
export function offsetAt(time: number, timeZone: string | undefined): number {
  if (timeZone === undefined) return -new Date(time).getTimezoneOffset() * 60_000
  return offsets.getOrMake(`${timeZone} ${time}`, () => {
    const format = zones.getOrMake(
      timeZone,
      () => new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' }),
    )
    const name = format.formatToParts(time).find((part) => part.type === 'timeZoneName')?.value ?? ''
    const found = /([+-])(\d\d):(\d\d)/.exec(name)
    if (found === null) return 0
    const minutes = Number(found[2]) * 60 + Number(found[3])
    return (found[1] === '-' ? -minutes : minutes) * 60_000
  })
}

/** A month's name without accents, points and capitals. */
export function foldName(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/\p{M}|\./gu, '')
    .toLowerCase()
}

const months = new BoundedMap<string, ReadonlyMap<string, number>>(100)

/** Long and short names of the months in English and the list's language. */
export function monthNames(locale: string): ReadonlyMap<string, number> {
  return months.getOrMake(locale, () => {
    const names = new Map([['sept', 9]])
    for (const language of ['en', locale]) {
      for (const month of ['long', 'short'] as const) {
        for (const day of ['numeric', undefined] as const) {
          // Beside a day, a month has another form in Slavic languages.
          const format = new Intl.DateTimeFormat(language, { month, day, timeZone: 'UTC' })
          for (let i = 0; i < 12; i++) {
            const part = format.formatToParts(Date.UTC(2026, i, 5)).find(({ type }) => type === 'month')
            if (part !== undefined) names.set(foldName(part.value), i + 1)
          }
        }
      }
    }
    return names
  })
}
