/** What counts as equal, less and more between cells and what a person wrote, and what is refused instead of guessed. */
import { describe, expect, test } from 'vitest'
import { CellError, StoredCell } from '../../../src/source/cells/cell.ts'
import {
  compareCells,
  dateOf,
  dayOf,
  numberOf,
  type Reading,
  sameCells,
  sameValue,
} from '../../../src/source/cells/compare.ts'
import { dateCell } from '../../../src/source/cells/date.ts'

const ENGLISH: Reading = { locale: 'en', timeZone: 'Europe/Paris' }
const GERMAN: Reading = { locale: 'de', timeZone: 'Europe/Paris' }
const UNSET: Reading = { locale: undefined, timeZone: 'Europe/Paris' }

function errorOf(work: () => unknown): CellError {
  try {
    work()
  } catch (error) {
    if (error instanceof CellError) return error
  }
  throw new Error('no CellError')
}

describe('compareCells', () => {
  test.each<[less: unknown, more: unknown, reading: Reading]>([
    ['9', '10', ENGLISH],
    ['-1', '0.5', ENGLISH],
    ['1.234,5', '1.234,6', GERMAN],
    [new StoredCell(2, '2.00 €'), '10', ENGLISH],
    ['2026-12-24', '2026-12-25', ENGLISH],
    ['2026-12-24 09:00', '2026-12-24 10:00', ENGLISH],
    ['Ada', 'Bob', ENGLISH],
  ])('%s is less than %s', (less, more, reading) => {
    expect(compareCells(less, more, reading)).toBeLessThan(0)
    expect(compareCells(more, less, reading)).toBeGreaterThan(0)
    expect(compareCells(less, less, reading)).toBe(0)
  })

  test('a day is compared with a time by its day alone', () => {
    expect(compareCells('2026-12-24', '2026-12-24 23:59', ENGLISH)).toBe(0)
    expect(compareCells('2026-12-24', '2026-12-25 00:00', ENGLISH)).toBeLessThan(0)
  })

  test('a moment with a zone of its own is compared by what clocks of the list show', () => {
    // 23:30 UTC is the next day in Paris.
    expect(compareCells('2026-12-24T23:30:00Z', '2026-12-25', ENGLISH)).toBe(0)
    expect(compareCells('2026-12-24T23:30:00Z', '2026-12-25 00:30', ENGLISH)).toBe(0)
  })

  test.each([
    ['a number with a word', '12', 'twelve', "'twelve' is not a number, and cannot be compared with '12'"],
    ['a date with a word', 'soon', '2026-12-24', "'soon' is not a date, and cannot be compared with '2026-12-24'"],
  ])('%s cannot be compared', (_what, one, other, message) => {
    expect(errorOf(() => compareCells(one, other, ENGLISH)).message).toBe(message)
  })

  test('a cell that can be read in two ways is refused, with what to do', () => {
    const date = errorOf(() => compareCells('03/04/2026', '2026-05-01', UNSET))
    expect(date.message).toMatch(/^'03\/04\/2026' can be read in two ways, as 2026-0[34]-0[34] or as 2026-0[34]-0[34]$/)
    expect(date.hint).toContain('type: date')
    const number = errorOf(() => compareCells('1,234', '7', UNSET))
    expect(number.message).toMatch(/^'1,234' can be read in two ways/)
    expect(number.hint).toContain('type: number')
  })
})

describe('equal', () => {
  test.each<[one: unknown, other: unknown, sameAsCell: boolean, sameAsValue: boolean]>([
    [' Paris ', 'Paris', true, true],
    ['Paris', 'paris', false, false],
    // Texts that look like numbers are words in a cell, and numbers in a condition.
    ['007', '7', false, true],
    ['1.50', '1.5', false, true],
    [new StoredCell(7, '007'), '7', true, true],
    [new StoredCell(true, 'WAHR'), 'true', true, true],
    [new StoredCell(true, 'WAHR'), 'false', false, false],
    ['2026-12-24', '24 December 2026', false, true],
    ['', ' ', true, true],
    ['', '0', false, false],
  ])('%s and %s: as cells %s, by value %s', (one, other, asCell, byValue) => {
    expect([sameCells(one, other, ENGLISH), sameCells(other, one, ENGLISH)]).toEqual([asCell, asCell])
    expect([sameValue(one, other, ENGLISH), sameValue(other, one, ENGLISH)]).toEqual([byValue, byValue])
  })

  test('what cannot be equal in either way of reading needs no decision; what could be is refused', () => {
    expect(sameValue('03/04/2026', '2026-12-31', UNSET)).toBe(false)
    expect(errorOf(() => sameValue('03/04/2026', '2026-04-03', UNSET)).message).toContain('can be read in two ways')
    expect(sameValue('1,234', '5', UNSET)).toBe(false)
    expect(errorOf(() => sameValue('1,234', '1234', UNSET)).message).toContain('can be read in two ways')
  })

  test('a stored date is the same as a text that means its day', () => {
    const found = dateOf('2026-12-24', ENGLISH)
    const stored = dateCell(found, 'Europe/Paris', '24.12.26')
    expect([sameCells(stored, '24.12.26', ENGLISH), sameCells(stored, '2026-12-24', ENGLISH)]).toEqual([true, true])
    expect(sameCells(stored, '2026-12-23', ENGLISH)).toBe(false)
  })
})

test('what is not a number or a date says so, cut to what can be shown', () => {
  expect(errorOf(() => numberOf('x'.repeat(99), ENGLISH)).message).toBe(`'${'x'.repeat(40)}…' is not a number`)
  expect(errorOf(() => dateOf('tomorrowish', ENGLISH)).message).toMatch(/^'tomorrowish' is not a date such as/)
  expect(numberOf('1.234,5', GERMAN)).toBe(1234.5)
})

test('the day of a moment is the one that clocks of the list show', () => {
  expect(dayOf('2026-12-24T23:30:00Z', ENGLISH)).toBe('2026-12-25')
  expect(dayOf('2026-12-24T23:30:00Z', { ...ENGLISH, timeZone: 'America/New_York' })).toBe('2026-12-24')
  expect(dayOf('2026-12-24', ENGLISH)).toBe('2026-12-24')
})
