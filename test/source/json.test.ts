import { describe, expect, test } from 'vitest'
import { DataError } from '../../src/errors.ts'
import { readText } from './read.ts'

const RECORDS = [
  { email: 'a@example.com', name: 'Ann "A" [x]', tags: ['x', 'y'], home: { city: 'Zürich', 'post code': 8001 } },
  { email: 'b@example.com', name: 'Bob \\ }{', tags: [], home: { city: '', 'post code': 0 } },
]

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe('layouts', () => {
  test.each([
    ['array', JSON.stringify(RECORDS)],
    ['array, pretty', JSON.stringify(RECORDS, null, 2)],
    ['array with a mark', `\u{FEFF}${JSON.stringify(RECORDS)}\n`],
    ['NDJSON', RECORDS.map((record) => JSON.stringify(record)).join('\n')],
    [
      'NDJSON with CRLF and blank lines',
      `\r\n${RECORDS.map((record) => `${JSON.stringify(record)}\r\n\r\n`).join('')}`,
    ],
  ])('%s gives the records, cut anywhere', async (_name, text) => {
    for (const size of [1, 3, 1 << 16]) {
      const { data, source, rows } = await readText(text, {}, size)
      expect(plain(data)).toEqual(RECORDS)
      expect(source.columns).toEqual(['email', 'name', 'tags', 'home'])
      expect(rows.map((row) => row.number)).toEqual([1, 2])
    }
  })

  test('objects one after another, pretty-printed', async () => {
    const text = RECORDS.map((record) => JSON.stringify(record, null, 2)).join('\n')
    const { data, rows } = await readText(text, { format: 'json' }, 5)
    expect(plain(data)).toEqual(RECORDS)
    expect(rows.map((row) => row.line)).toEqual([1, 13])
  })

  test('rows know their lines', async () => {
    const array = await readText('[\n  {"email": "a"},\n  {"email":\n "b"}, {"email": "c"}\n]\n')
    expect(array.rows.map((row) => row.line)).toEqual([2, 3, 4])
    const lines = await readText('{"email": "a"}\n\n{"email": "b"}\n')
    expect(lines.rows.map((row) => row.line)).toEqual([1, 3])
  })
})

describe('values', () => {
  test('have no prototype, at any depth, whatever their names', async () => {
    const { rows } = await readText('[{"email":"a","__proto__":{"x":1},"deep":{"__proto__":{"y":2},"constructor":3}}]')
    const data = rows[0]?.data as Record<string, Record<string, unknown>>
    expect(Object.getPrototypeOf(data)).toBe(null)
    expect(Object.keys(data)).toEqual(['email', '__proto__', 'deep'])
    expect(Object.getPrototypeOf(data['deep'])).toBe(null)
    expect(Object.keys(data['deep'] ?? {})).toEqual(['__proto__', 'constructor'])
    expect(({} as Record<string, unknown>)['x']).toBeUndefined()
  })

  test('that are missing or null are empty texts, and columns are those of all first rows', async () => {
    const { source, data } = await readText('{"email":"a","name":null}\n{"email":"b","city":"Rome"}\n')
    expect(source.columns).toEqual(['email', 'name', 'city'])
    expect(data).toEqual([
      { email: 'a', name: '', city: '' },
      { email: 'b', name: '', city: 'Rome' },
    ])
  })

  test('beyond what a number can hold keep their digits', async () => {
    const { data } = await readText('[{"email":"a","id":12345678901234567890,"n":12.5,"list":[9007199254740993]}]')
    expect(data).toEqual([{ email: 'a', id: '12345678901234567890', n: 12.5, list: ['9007199254740993'] }])
  })

  test('nested too deeply are a problem of their row', async () => {
    const deep = `${'['.repeat(50)}${']'.repeat(50)}`
    const { rows } = await readText(`{"email":"a"}\n{"email":"b","deep":${deep}}\n`)
    expect(rows.map((row) => row.problems?.[0]?.message)).toEqual([
      undefined,
      'the row is nested more than 32 levels deep',
    ])
  })
})

describe('rows that are not right carry their problems', () => {
  test.each([
    ['broken', '{"email": b}', 'bad-json'],
    ['no object', '["b"]', 'bad-json'],
    ['a NUL', '{"email": "b\\u0000"}', 'nul-character'],
  ])('%s', async (_name, line, code) => {
    const { rows } = await readText(`{"email": "a"}\n${line}\n{"email": "c"}\n`)
    expect(rows.map((row) => row.problems?.[0]?.code)).toEqual([undefined, code, undefined])
    expect(rows[1]?.problems?.[0]).toMatchObject({ row: 2, line: 2, severity: 'error' })
  })

  test('bytes that are not UTF-8', async () => {
    const octets = Buffer.concat([Buffer.from('{"email": "ä"}\n{"email": "'), Buffer.from([0xff]), Buffer.from('"}\n')])
    const { rows } = await readText(octets)
    expect(rows.map((row) => row.problems?.[0]?.code)).toEqual([undefined, 'lost-text'])
  })
})

describe('what ends reading is named by line', () => {
  test.each([
    ['a comma missing', '[{"email":"a"}\n{"email":"b"}]', /line 2: '\{' is where a comma should be/],
    ['a text as row', '[{"email":"a"},\n"b"]', /line 2: '"' is where a row should begin/],
    ['a list cut off', '[{"email":"a"},\n{"email":', /line 2: the text ends before the list does/],
    ['text behind the list', '[{"email":"a"}]\nx', /line 2: 'x' is outside the list/],
    ['a row without end', `[{"email":"a"},\n{"email":"${'x'.repeat(3 << 20)}"}]`, /line 2: a row is longer than 2 MiB/],
    ['an empty array', '[]', /has no rows/],
    ['a list inside of an object', '{"people":[{"email":"a"}]}', /with the list inside, under 'people'/],
  ])('%s', async (_name, text, message) => {
    await expect(readText(text)).rejects.toThrow(message)
    await expect(readText(text)).rejects.toThrow(DataError)
  })
})
