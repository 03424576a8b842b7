/**
 * Cells compared with each other and with what a person wrote: numbers as numbers, dates as dates, words as words. Owns what
 * counts as equal, less and more; an empty cell is the caller's.
 */
import { CellError, cellText, quoted, storedValue } from './cell.ts'
import { type DateReading, offsetAt, type ReadDate, readDate } from './date.ts'
import { type NumberReading, readNumber } from './number.ts'

/** How the list is written, as far as anybody said. */
export interface Reading {
  /** BCP 47 tag. */
  readonly locale: string | undefined
  /** IANA zone of times without one; the computer's without it. */
  readonly timeZone: string | undefined
}

const DAY = 86_400_000
const WHICH_NUMBER =
  'Say how the list writes numbers, under columns.types: { COLUMN: { type: number, format: "1,234.5" } }.'
const WHICH_DATE = 'Say how the list writes dates, under columns.types: { COLUMN: { type: date, format: dd/MM/yyyy } }.'

/**
 * The number of a cell.
 * @throws CellError for a text that is not a number, or can be read as two.
 */
export function numberOf(cell: unknown, reading: Pick<Reading, 'locale'>): number {
  const read = readNumber(cell, reading.locale)
  if (read === undefined) throw new CellError(cell, `${quoted(cell)} is not a number`)
  if ('either' in read) throw ambiguousNumber(cell, read.either)
  return read.number
}

/**
 * The day, time or moment of a cell.
 * @throws CellError for a text that is not a date, or can be read as two.
 */
export function dateOf(cell: unknown, reading: Pick<Reading, 'locale'>): ReadDate {
  const read = readDate(cell, reading.locale)
  if (read === undefined)
    throw new CellError(cell, `${quoted(cell)} is not a date such as 2026-12-24 or 2026-12-24 19:00`)
  if ('either' in read) throw ambiguousDate(cell, read.either)
  return read
}

function ambiguousNumber(cell: unknown, either: readonly number[]): CellError {
  const [one, other] = either
  const what =
    other === undefined ? `may be ${one}, and may be a mistake` : `can be read in two ways, as ${one} or as ${other}`
  return new CellError(cell, `${quoted(cell)} ${what}`, WHICH_NUMBER)
}

function ambiguousDate(cell: unknown, [one, other]: readonly [string, string]): CellError {
  return new CellError(cell, `${quoted(cell)} can be read in two ways, as ${one} or as ${other}`, WHICH_DATE)
}

/**
 * Less than 0 where `a` is less than `b`, more than 0 where it is more. Two texts that are neither numbers nor dates are
 * compared by their letters.
 * @throws CellError where the two cannot be compared, or one can be read in two ways.
 */
export function compareCells(a: unknown, b: unknown, reading: Reading): number {
  const [x, y] = [readNumber(a, reading.locale), readNumber(b, reading.locale)]
  if (x !== undefined && y !== undefined) return certain(a, x) - certain(b, y)
  const [from, to] = [readDate(a, reading.locale), readDate(b, reading.locale)]
  if (from !== undefined && to !== undefined) return compareDates(certainDate(a, from), certainDate(b, to), reading)
  if (x !== undefined || from !== undefined) throw unlike(b, a, x !== undefined)
  if (y !== undefined || to !== undefined) throw unlike(a, b, y !== undefined)
  const [left, right] = [words(a), words(b)]
  return left < right ? -1 : left > right ? 1 : 0
}

function certain(cell: unknown, read: NonNullable<NumberReading>): number {
  if ('either' in read) throw ambiguousNumber(cell, read.either)
  return read.number
}

function certainDate(cell: unknown, read: NonNullable<DateReading>): ReadDate {
  if ('either' in read) throw ambiguousDate(cell, read.either)
  return read
}

function unlike(cell: unknown, other: unknown, isNumber: boolean): CellError {
  return new CellError(
    cell,
    `${quoted(cell)} is not a ${isNumber ? 'number' : 'date'}, and cannot be compared with ${quoted(other)}`,
  )
}

/** A day is compared with a time by its day alone. */
function compareDates(a: ReadDate, b: ReadDate, { timeZone }: Reading): number {
  if (a.kind === 'day' || b.kind === 'day') {
    return Math.floor(wallOf(a, timeZone) / DAY) - Math.floor(wallOf(b, timeZone) / DAY)
  }
  if (a.kind === b.kind) return a.at.getTime() - b.at.getTime()
  return wallOf(a, timeZone) - wallOf(b, timeZone)
}

/** What clocks show, in milliseconds as if they showed UTC. */
function wallOf({ kind, at }: ReadDate, timeZone: string | undefined): number {
  return kind === 'moment' ? at.getTime() + offsetAt(at.getTime(), timeZone) : at.getTime()
}

/**
 * The day of a date as clocks show it: `2026-12-24`.
 * @throws CellError for a text that is not a date, or can be read as two.
 */
export function dayOf(cell: unknown, reading: Reading): string {
  return new Date(wallOf(dateOf(cell, reading), reading.timeZone)).toISOString().slice(0, 10)
}

function words(cell: unknown): string {
  return cellText(cell).trim()
}

/**
 * True for the same words without spaces around them, and where one of the two is stored as a number, a date or an answer,
 * for the same value.
 * @throws CellError for a text that is the same in one of the two ways in which it can be read.
 */
export function sameCells(a: unknown, b: unknown, reading: Reading): boolean {
  if (words(a) === words(b)) return true
  const [left, right] = [storedValue(a), storedValue(b)]
  if (typeof left === 'boolean' || typeof right === 'boolean') return sameAnswer(left, right)
  if (isStored(left) || isStored(right)) return sameValue(a, b, reading)
  return false
}

/** As `sameCells`, and texts that are numbers or dates are compared by value too. */
export function sameValue(a: unknown, b: unknown, reading: Reading): boolean {
  if (words(a) === words(b)) return true
  const [left, right] = [storedValue(a), storedValue(b)]
  if (typeof left === 'boolean' || typeof right === 'boolean') return sameAnswer(left, right)
  const [x, y] = [readNumber(a, reading.locale), readNumber(b, reading.locale)]
  if (x !== undefined && y !== undefined) {
    const [ones, others] = ['either' in x ? x.either : [x.number], 'either' in y ? y.either : [y.number]]
    if (!ones.some((one) => others.includes(one))) return false
    return certain(a, x) === certain(b, y)
  }
  const [from, to] = [readDate(a, reading.locale), readDate(b, reading.locale)]
  if (from === undefined || to === undefined) return false
  if ('either' in from && !('either' in to) && !mayBe(from.either, to)) return false
  if ('either' in to && !('either' in from) && !mayBe(to.either, from)) return false
  return compareDates(certainDate(a, from), certainDate(b, to), reading) === 0
}

function mayBe(days: readonly string[], { at }: ReadDate): boolean {
  return days.includes(at.toISOString().slice(0, 10))
}

function isStored(value: unknown): boolean {
  return typeof value === 'number' || value instanceof Date
}

function sameAnswer(a: unknown, b: unknown): boolean {
  const answer = (value: unknown) => words(value).toLowerCase()
  return answer(a) === answer(b)
}
