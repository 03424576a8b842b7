/**
 * Sending hours (`Mon-Fri 09:00-17:00`), pauses (`5-12 s`) and warming up (`50/day, +50 %/day, to 2000/day`) as people write them. Owns
 * their grammar; says what is wrong with a text and at which character.
 */
import type { DayHours, DayRange } from '../sending-window.ts'
import type { Pause, RampUp } from './settings.ts'
import { readDuration } from './units.ts'

/** What a text means, or what is wrong with it, as the end of a sentence about it. */
export type Reading<T> = { readonly value: T } | { readonly wrong: string }

export const WINDOW_HINT = "Write it as 'Mon-Fri 09:00-17:00', or several in a list."
export const PAUSE_HINT = 'Write it as 5 s, or 5-12 s for a random one.'
export const RAMP_UP_HINT = "Write it as '50/day, +50 %/day, to 2000/day', or '50/day, +25/day'."
export const HOLIDAY_HINT =
  "Write 2026-12-25, 12-25 for every year, '2026-12-24 to 2027-01-02', or the name of an .ics file."

/** Instead of hours: at any time. */
export const ALWAYS = 'always'

/** Of the entries of holidays, those that name a file. */
export function isCalendarFile(text: string): boolean {
  return /\.ics$/i.test(text)
}

const DAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday']
const MINUTES = 1440

class Wrong extends Error {}

function reading<T>(read: () => T): Reading<T> {
  try {
    return { value: read() }
  } catch (error) {
    if (error instanceof Wrong) return { wrong: error.message }
    throw error
  }
}

/** Where a text is being read. */
class Cursor {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
    this.take(/\s*/y)
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#text.length
  }

  /** What the pattern finds here, and the white space behind it. */
  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    if (found === undefined) return undefined
    this.#at += found.length
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++
    return found
  }

  sees(pattern: RegExp): boolean {
    return pattern.test(this.#text[this.#at] ?? '')
  }

  /** `is` follows what is here: `'Fry' at character 5 is not a day`. */
  wrong(is: string, at = this.#at): never {
    const rest = this.#text.slice(at)
    const word = /^(?:[\p{L}\d:.-]+|\S)/u.exec(rest)?.[0]
    const shown = word === undefined ? 'its end' : `'${word.slice(0, 30)}' at character ${at + 1}`
    throw new Wrong(`${shown} ${is}`)
  }

  get at(): number {
    return this.#at
  }
}

/** The hours of the week in `Mon-Fri 09:00-17:00`, `Sat, Sun 10:00-12:00, 14:00-16:00`, `22:00-02:00`. */
export function readHours(text: string): Reading<readonly DayHours[]> {
  return reading(() => {
    const cursor = new Cursor(text)
    const found: DayHours[] = []
    do found.push(...readWindow(cursor))
    while (cursor.take(/,/y) !== undefined)
    if (!cursor.isAtEnd) cursor.wrong('is not expected here')
    return found
  })
}

/** Days and their hours; without days every day, without hours all day. */
function readWindow(cursor: Cursor): readonly DayHours[] {
  const days = cursor.sees(/\p{L}/u) ? readDays(cursor) : [1, 2, 3, 4, 5, 6, 7]
  if (cursor.isAtEnd && days.length < 7) return days.map((day) => ({ day, from: 0, to: MINUTES }))
  const found: DayHours[] = []
  do {
    // Behind the comma another window may begin, with its own days.
    if (found.length > 0 && cursor.sees(/\p{L}/u)) return [...found, ...readWindow(cursor)]
    const [from, to] = readTimes(cursor)
    for (const day of days) found.push(...onDay(day, from, to))
  } while (cursor.take(/,/y) !== undefined)
  return found
}

function readDays(cursor: Cursor): readonly number[] {
  const days: number[] = []
  do {
    const first = readDay(cursor)
    const last = cursor.take(/[-–]/y) === undefined ? first : readDay(cursor)
    for (let day = first; ; day = (day % 7) + 1) {
      days.push(day)
      if (day === last) break
    }
  } while (cursor.take(/,/y) !== undefined)
  return [...new Set(days)]
}

function readDay(cursor: Cursor): number {
  const { at } = cursor
  const word = cursor.take(/\p{L}+/uy)?.toLowerCase() ?? ''
  const day = word.length < 3 ? -1 : DAYS.findIndex((name) => name.startsWith(word))
  return day < 0 ? cursor.wrong('is not a day of the week (Mon, Tue, Wed, Thu, Fri, Sat, Sun)', at) : day + 1
}

function readTimes(cursor: Cursor): readonly [from: number, to: number] {
  const { at } = cursor
  const from = readTime(cursor)
  if (cursor.take(/[-–]/y) === undefined) cursor.wrong("is not the '-' before the end of the hours")
  const to = readTime(cursor)
  if (from === to) cursor.wrong('has no length; the whole day is 00:00-24:00', at)
  if (from === MINUTES) cursor.wrong('begins at the end of a day', at)
  return [from, to]
}

function readTime(cursor: Cursor): number {
  const { at } = cursor
  const time = cursor.take(/\d{1,2}:\d{2}(?![\d:])/y)
  const [hour = 0, minute = 0] = time?.split(':').map(Number) ?? []
  if (time === undefined || minute > 59 || hour * 60 + minute > MINUTES) cursor.wrong('is not a time such as 09:00', at)
  return hour * 60 + minute
}

/** Hours that end before they begin go on on the next day. */
function onDay(day: number, from: number, to: number): readonly DayHours[] {
  if (from < to) return [{ day, from, to }]
  const rest = to === 0 ? [] : [{ day: (day % 7) + 1, from: 0, to }]
  return [{ day, from, to: MINUTES }, ...rest]
}

/** In the order of the week, without overlaps. */
export function inOrder(hours: readonly DayHours[]): readonly DayHours[] {
  const sorted = hours.toSorted((one, other) => one.day - other.day || one.from - other.from)
  const merged: DayHours[] = []
  for (const next of sorted) {
    const last = merged.at(-1)
    if (last?.day === next.day && next.from <= last.to) {
      merged[merged.length - 1] = { ...last, to: Math.max(last.to, next.to) }
    } else merged.push(next)
  }
  return merged
}

/** `2026-12-25`, `12-25` for every year, `2026-12-24 to 2027-01-02`. */
export function readHoliday(text: string): Reading<DayRange> {
  return reading(() => {
    const cursor = new Cursor(text)
    const { at } = cursor
    const from = readDate(cursor)
    if (cursor.isAtEnd) return { from, to: from }
    if (cursor.take(/to\b/iy) === undefined) cursor.wrong("is not the word 'to' before the last day")
    const to = readDate(cursor)
    if (!cursor.isAtEnd) cursor.wrong('is not expected here')
    if (from.length !== to.length) cursor.wrong('has a year on one side only', at)
    if (from > to && from.length > 5) cursor.wrong('is after the last day', at)
    return { from, to }
  })
}

function readDate(cursor: Cursor): string {
  const { at } = cursor
  const date = cursor.take(/(?:\d{4}-)?\d{2}-\d{2}(?![\d-])/y)
  if (date === undefined || !isDate(date)) cursor.wrong('is not a date such as 2026-12-25, or 12-25', at)
  return date
}

function isDate(text: string): boolean {
  const whole = text.length === 5 ? `2028-${text}` : text
  const date = new Date(`${whole}T00:00:00Z`)
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(whole)
}

const LONGEST_PAUSE_MS = 86_400_000

/** `5 s`, `5-12 s`, `500ms - 2s`; undefined for a pause of nothing. */
export function readPause(text: string): Reading<Pause | undefined> {
  return reading(() => {
    const cursor = new Cursor(text)
    const start = cursor.at
    const [first, firstUnit] = readAmount(cursor)
    const isRange = cursor.take(/[-–]/y) !== undefined
    const second = isRange ? cursor.at : start
    const [last, lastUnit] = isRange ? readAmount(cursor) : [first, firstUnit]
    if (!cursor.isAtEnd) cursor.wrong('is not expected here')
    const from = millisecondsOf(first, firstUnit ?? lastUnit, cursor, start)
    const to = millisecondsOf(last, lastUnit, cursor, second)
    if (from > to) cursor.wrong('begins with the longer pause', start)
    if (to > LONGEST_PAUSE_MS) cursor.wrong('is more than a day', second)
    return to === 0 ? undefined : { from, to }
  })
}

function readAmount(cursor: Cursor): readonly [amount: string, unit: string | undefined] {
  const amount = cursor.take(/\d{1,9}(?:\.\d{1,3})?(?![\d.])/y)
  if (amount === undefined) cursor.wrong('is not a number')
  return [amount, cursor.take(/[a-z]+/iy)]
}

function millisecondsOf(amount: string, unit: string | undefined, cursor: Cursor, at: number): number {
  const duration = readDuration(`${amount} ${unit ?? ''}`)
  return duration ?? cursor.wrong(unit === undefined ? 'has no unit' : `has the unknown unit '${unit}'`, at)
}

/** `50/day, +50 %/day, to 2000/day` */
export function readRampUp(text: string): Reading<RampUp> {
  return reading(() => {
    const cursor = new Cursor(text)
    const first = readPerDay(cursor)
    if (cursor.take(/,/y) === undefined) cursor.wrong('is not the comma before how it rises: 50/day, +50 %/day')
    if (cursor.take(/\+/y) === undefined) cursor.wrong("is not the '+' of how it rises: +50 %/day, or +25/day")
    const amountAt = cursor.at
    const amount = readNumber(cursor)
    if (amount === 0) cursor.wrong('does not let it rise', amountAt)
    const isPercent = cursor.take(/%/y) !== undefined
    readDayUnit(cursor)
    const growth = isPercent ? { percent: amount } : { messages: amount }
    if (cursor.isAtEnd) return { text: text.trim(), first, growth, top: undefined }
    if (cursor.take(/,/y) === undefined) cursor.wrong('is not the comma before its end: , to 2000/day')
    if (cursor.take(/to\b/iy) === undefined) cursor.wrong("is not the word 'to' of its end: to 2000/day")
    const topAt = cursor.at
    const top = readPerDay(cursor)
    if (top < first) cursor.wrong('is less than it begins with', topAt)
    if (!cursor.isAtEnd) cursor.wrong('is not expected here')
    return { text: text.trim(), first, growth, top }
  })
}

function readPerDay(cursor: Cursor): number {
  const { at } = cursor
  const count = readNumber(cursor)
  if (count === 0) cursor.wrong('lets nothing go', at)
  cursor.take(/messages?(?![a-z])/iy)
  readDayUnit(cursor)
  return count
}

function readNumber(cursor: Cursor): number {
  const number = cursor.take(/\d{1,9}(?![\d.])/y)
  return number === undefined ? cursor.wrong('is not a whole number') : Number(number)
}

function readDayUnit(cursor: Cursor): void {
  if (cursor.take(/(?:\/|per\b)/iy) === undefined || cursor.take(/d(?:ay)?(?![a-z])/iy) === undefined) {
    cursor.wrong("is not '/day': a ramp goes by calendar days and counts messages")
  }
}

/** Messages of the day that comes after `days` days on which some were sent. */
export function rampUpCap({ first, growth, top }: RampUp, days: number): number {
  const grown = 'percent' in growth ? first * (1 + growth.percent / 100) ** days : first + growth.messages * days
  // 50 × 1.1 is a little less than 55 here.
  return Math.floor(Math.min(grown + 1e-6, top ?? Number.MAX_SAFE_INTEGER))
}
