/** What the ledger keeps of a row comes back as it was, whatever its cells hold. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { restoreRow, storeRow, threaded } from '../../../src/campaign/plan/row-data.ts'
import { OutputError } from '../../../src/errors.ts'
import { DateCell, StoredCell } from '../../../src/source/cells/cell.ts'
import { ownText } from '../../../src/template/marked-text.ts'
import type { Rendered } from '../../../src/template/template.ts'

const cellsOf = (cells: Readonly<Record<string, unknown>>) => restoreRow(storeRow(cells, [])).cells

test('any texts come back as they were, those that begin as our marks do too', () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string().map((rest) => `\u0001${rest}`),
    fc.string().map((rest) => `\u0001cell:${rest}`),
    fc.string().map((rest) => `\u0001date:${rest}`),
  )
  fc.assert(
    fc.property(fc.dictionary(fc.string({ minLength: 1 }), text), (cells) => {
      expect({ ...cellsOf(cells) }).toEqual({ ...cells })
    }),
  )
})

test('numbers, answers, lists and objects of a JSON list come back by their values', () => {
  const cells = { number: 7.5, yes: true, none: null, items: ['a', { b: 1 }], person: { name: 'Ada' } }
  expect({ ...cellsOf(cells) }).toEqual(cells)
})

test('stored cells come back with value and text', () => {
  const cell = cellsOf({ price: new StoredCell(1234.5, '1.234,50 €') })['price'] as StoredCell
  expect(cell).toBeInstanceOf(StoredCell)
  expect([cell.value, String(cell)]).toEqual([1234.5, '1.234,50 €'])
})

test('dates come back with moment, kind, wall time and text', () => {
  const wall = Date.UTC(2026, 11, 24, 19)
  const cell = cellsOf({ day: new DateCell(wall - 3_600_000, 'wall', wall, '24.12.26 19:00') })['day'] as DateCell
  expect(cell).toBeInstanceOf(DateCell)
  expect([cell.getTime(), cell.kind, cell.wall, String(cell)]).toEqual([
    wall - 3_600_000,
    'wall',
    wall,
    '24.12.26 19:00',
  ])
})

test('a date kept by an earlier version is read', () => {
  const kept = JSON.stringify({ cells: { day: '\u0001date:2026-12-24T18:00:00.000Z' } })
  expect(restoreRow(kept).cells['day']).toEqual(new Date('2026-12-24T18:00:00Z'))
})

test('no column name reaches anything but a cell', () => {
  const cells = Object.assign(Object.create(null), JSON.parse('{"__proto__":"x","constructor":"y","toString":"z"}'))
  const restored = cellsOf(cells)
  expect(Object.getPrototypeOf(restored)).toBe(null)
  expect(Object.keys(restored)).toEqual(['__proto__', 'constructor', 'toString'])
})

test('the row that is kept is not changed', () => {
  const cells = { a: new StoredCell(1, 'one'), b: 'two' }
  storeRow(cells, [])
  expect(cells.a).toBeInstanceOf(StoredCell)
})

test('fingerprints of files and the thread are kept beside the cells', () => {
  const files = [{ path: '/a', size: 1, fingerprint: 'f1' }]
  const thread = { references: ['<1@x>', '<2@x>'], subject: 'Offer' }
  expect(restoreRow(storeRow({ email: 'a@example.com' }, files, thread))).toMatchObject({ files: ['f1'], thread })
})

test.each(['', 'x', '{"cells":', '{"cells":{"a":"\\u0001cell:x"}}'])(
  'a text that we did not write is a damaged ledger: %s',
  (text) => {
    expect(() => restoreRow(text)).toThrow(OutputError)
  },
)

describe('a message in a thread', () => {
  const rendered = (more: Partial<Rendered> = {}): Rendered =>
    ({ subject: '', headers: [], attachments: [], inline: [], ...more }) as unknown as Rendered
  const thread = { references: ['<1@x>', '<2@x>'], subject: 'Offer' }

  test('answers the last message and names them all', () => {
    const { headers, subject } = threaded(rendered(), thread)
    expect(headers).toEqual([
      ['In-Reply-To', '<2@x>'],
      ['References', '<1@x> <2@x>'],
    ])
    expect(subject).toBe('Re: Offer')
    expect(threaded(rendered(), { ...thread, subject: 'RE: Offer' }).subject).toBe('RE: Offer')
  })

  test('keeps what the template sets itself', () => {
    const own = rendered({ subject: 'Last call', headers: [['in-reply-to', ownText('<9@x>')]] })
    const { headers, subject } = threaded(own, thread)
    expect(subject).toBe('Last call')
    expect(headers.map(([name]) => name)).toEqual(['in-reply-to', 'References'])
  })

  test('has no subject where the first one is not known any more', () => {
    expect(threaded(rendered(), { ...thread, subject: '' }).subject).toBe('')
  })
})
