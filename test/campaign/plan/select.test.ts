import { describe, expect, test } from 'vitest'
import { createSelector, openSelector, parseRowRanges, readingOf } from '../../../src/campaign/plan/select.ts'
import { UsageError } from '../../../src/errors.ts'
import type { SkipReason } from '../../../src/ledger/records.ts'
import { skipWords } from '../../../src/report/reasons.ts'
import type { Row, Source } from '../../../src/source/source.ts'

const columns = ['name', 'city', 'age']
const rows: readonly Row[] = [
  { number: 1, data: { name: 'Ada', city: 'London', age: '36' } },
  { number: 2, data: { name: 'Grace', city: 'New York', age: '85' } },
  { number: 3, data: { name: 'Zoë', city: '', age: '9' } },
  { number: 4, data: { name: 'Bo', city: 'London', age: '' } },
]

const wordsOf = (skip: SkipReason | undefined) => skip && skipWords(skip)

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
  ])('%s selects rows %j: numbers as numbers, an empty cell is not a number', (where, numbers) => {
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
  expect(rows.map((row) => wordsOf(select(row)))).toEqual([
    undefined,
    'not selected by --where city=London',
    'not selected by --rows',
    'not selected by --rows',
  ])
})

describe('--segment', () => {
  const segments = { londoners: ['city=London', 'age>30'], nobody: ['ctiy=x'] }

  test('selects the rows for which all its conditions hold, and says so of the others', () => {
    const select = createSelector({ segment: 'londoners' }, columns, segments)
    expect(rows.map((row) => wordsOf(select(row)))).toEqual([
      undefined,
      ...Array(3).fill('not selected by --segment londoners'),
    ])
  })

  test('an unknown segment is an error that names the nearest one, a wrong condition one that names the segment', () => {
    expect(() => createSelector({ segment: 'londoner' }, columns, segments)).toThrow(
      expect.objectContaining({ hint: "Did you mean 'londoners'?" }),
    )
    expect(() => createSelector({ segment: 'nobody' }, columns, segments)).toThrow(
      "the segment 'nobody' names the column 'ctiy'",
    )
    expect(() => createSelector({ segment: 'toString' }, columns, segments)).toThrow(UsageError)
  })
})

describe('--sample', () => {
  const many: readonly Row[] = Array.from({ length: 1000 }, (_, i) => ({
    number: i + 1,
    data: { name: `${i}`, city: i % 2 === 0 ? 'London' : 'Paris', age: '' },
  }))
  const list = async (): Promise<Source> => ({
    name: 'list.csv',
    stem: 'list',
    columns,
    notes: [],
    async *rows() {
      yield many.slice(0, 600)
      yield many.slice(600)
    },
  })
  async function drawn(selection: Parameters<typeof createSelector>[0]): Promise<number[]> {
    const select = await openSelector(selection, columns, {}, readingOf({}, new Date()), list)
    return many.filter((row) => select(row) === undefined).map((row) => row.number)
  }

  test('draws exactly that many, the same for the same seed, others for another', async () => {
    const first = await drawn({ sample: 50 })
    expect(first).toHaveLength(50)
    expect(await drawn({ sample: 50 })).toEqual(first)
    expect(await drawn({ sample: 50, seed: '2' })).not.toEqual(first)
    // Fifty of a thousand that all lay in one half would be no lot.
    expect(first.filter((row) => row > 500).length).toBeGreaterThan(10)
    expect(first.filter((row) => row <= 500).length).toBeGreaterThan(10)
  })

  test('draws among what the other conditions select, before --limit', async () => {
    const sample = await drawn({ sample: 20, where: ['city=Paris'] })
    expect(sample).toHaveLength(20)
    expect(sample.every((row) => row % 2 === 0)).toBe(true)
    expect(await drawn({ sample: 20, where: ['city=Paris'], limit: 5 })).toEqual(sample.slice(0, 5))
  })

  test('a larger sample holds the smaller one, and one larger than the list is the list', async () => {
    const small = await drawn({ sample: 10 })
    expect(await drawn({ sample: 11 })).toEqual(expect.arrayContaining(small))
    expect(await drawn({ sample: 5000 })).toHaveLength(1000)
    expect(await drawn({ sample: 0 })).toEqual([])
  })

  test('a seed without a sample, and a sample that is not a number of rows, are errors', async () => {
    await expect(drawn({ seed: '2' })).rejects.toThrow(UsageError)
    await expect(drawn({ sample: 1.5 })).rejects.toThrow(UsageError)
  })
})
