import { describe, expect, test } from 'vitest'
import { createSelector, parseRowRanges } from '../../src/campaign/select.ts'
import { UsageError } from '../../src/errors.ts'
import type { Row } from '../../src/source/source.ts'

const columns = ['name', 'city', 'age']
const rows: readonly Row[] = [
  { number: 1, data: { name: 'Ada', city: 'London', age: '36' } },
  { number: 2, data: { name: 'Grace', city: 'New York', age: '85' } },
  { number: 3, data: { name: 'Zoë', city: '', age: '9' } },
  { number: 4, data: { name: 'Bo', city: 'London', age: '' } },
]

function chosen(selection: Parameters<typeof createSelector>[0]): number[] {
  const select = createSelector(selection, columns)
  return rows.filter((row) => select(row) === undefined).map((row) => row.number)
}

describe('--rows', () => {
  test.each([
    ['1', [1]],
    ['2-3', [2, 3]],
    ['4,1-2', [1, 2, 4]],
    ['3-', [3, 4]],
    [' 1 , 3 - 3 ', [1, 3]],
  ])('%s selects rows %j', (text, numbers) => {
    expect(chosen({ rows: text })).toEqual(numbers)
  })

  test.each(['0', '3-1', 'a', '1-2-3', '-2', '', '1,,2'])('%j is refused', (text) => {
    expect(() => parseRowRanges(text)).toThrow(UsageError)
  })
})

describe('--where', () => {
  test.each([
    ['city=London', [1, 4]],
    ['city!=London', [2, 3]],
    ['city=', [3]],
    ['age>=36', [1, 2]],
    ['age<36', [3]],
    ['name~a', [1, 2]],
    ['name!~A', [3, 4]],
  ])('%s selects rows %j: numbers as numbers, an empty cell is no number', (where, numbers) => {
    expect(chosen({ where: [where] })).toEqual(numbers)
  })

  test('several conditions must all hold', () => {
    expect(chosen({ where: ['city=London', 'age>30'] })).toEqual([1])
  })

  test('a misspelt column is an error that names the nearest one', () => {
    expect(() => chosen({ where: ['ctiy=London'] })).toThrow(
      expect.objectContaining({ message: expect.stringContaining("'ctiy'"), hint: "Did you mean 'city'?" }),
    )
  })

  test('a condition without a comparison is an error', () => {
    expect(() => chosen({ where: ['London'] })).toThrow(UsageError)
  })
})

test('--limit counts the rows that the other conditions let through, in order', () => {
  expect(chosen({ where: ['city=London'], limit: 1 })).toEqual([1])
  expect(chosen({ limit: 0 })).toEqual([])
})

test('a row that is not selected says by what', () => {
  const select = createSelector({ rows: '1-2', where: ['city=London'], limit: 5 }, columns)
  expect(rows.map((row) => select(row))).toEqual([
    undefined,
    'not selected by --where city=London',
    'not selected by --rows',
    'not selected by --rows',
  ])
})
