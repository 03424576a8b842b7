/** Numbers, dates and answers of a list: used by their value, printed as the list shows them, never guessed. */
import { describe, expect, test } from 'vitest'
import { DataError, type Problem } from '../../../src/errors.ts'
import { writeOds, writeXlsx } from '../../source/zip-writer.ts'
import { rehearse, textTemplate } from './rehearsal.ts'

const STYLES = {
  'xl/styles.xml': `<styleSheet><numFmts count="3"><numFmt numFmtId="164" formatCode="#,##0.00\\ &quot;€&quot;"/><numFmt numFmtId="165" formatCode="[$-407]d/\\ mmmm\\ yyyy"/><numFmt numFmtId="166" formatCode="[h]:mm"/></numFmts>
    <cellXfs><xf numFmtId="0"/><xf numFmtId="4"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="22"/><xf numFmtId="166"/></cellXfs></styleSheet>`,
}

type Cell = string | { readonly v: number | string; readonly s?: number; readonly t?: string }

/** A workbook with these rows; texts are texts, the rest is stored with a style of `STYLES`. */
function workbook(...rows: readonly (readonly Cell[])[]): Buffer {
  const cell = (one: Cell) =>
    typeof one === 'string'
      ? `<c t="inlineStr"><is><t>${one}</t></is></c>`
      : `<c s="${one.s ?? 0}" t="${one.t ?? 'n'}"><v>${one.v}</v></c>`
  return writeXlsx(rows.map((row) => `<row>${row.map(cell).join('')}</row>`).join(''), STYLES)
}

const config = (more = '') => `message: { from: s@example.org }\n${more}`

async function problems(rehearsal: Promise<unknown>): Promise<readonly Problem[]> {
  const error = await rehearsal.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(DataError)
  return (error as DataError).problems
}

describe('a number of a workbook', () => {
  const list = workbook(
    ['email', 'Fee', 'Price'],
    ['a@example.com', { v: 950 }, { v: 12.5, s: 3 }],
    ['b@example.com', { v: 1234, s: 1 }, { v: 1234.5, s: 3 }],
    ['c@example.com', { v: 12500, s: 1 }, { v: 0.5, s: 3 }],
  )
  const body = '{{Fee}}|{{number Fee}}|{{multiply Fee 2}}|{{#if (gt Fee 1000)}}over{{else}}under{{/if}}|{{Price}}'

  test.each([
    ['', '1,234.00|1,234|2468|over|1,234.50 €'],
    ['locale: de\n', '1.234,00|1.234|2468|over|1.234,50 €'],
    ['locale: tr\n', '1.234,00|1.234|2468|over|1.234,50 €'],
    ['columns: { types: { Fee: number } }\n', '1,234.00|1,234|2468|over|1,234.50 €'],
    [
      'locale: de\ncolumns: { types: { Fee: { type: number, format: "1,234.5" } } }\n',
      '1.234,00|1.234|2468|over|1.234,50 €',
    ],
  ])('is used as stored and printed as shown, with %j', async (more, expected) => {
    const texts = await rehearse({
      'mailmerge.yaml': config(more),
      'list.xlsx': list,
      'templates/t.txt': textTemplate(body),
    })
    expect(texts['b@example.com']).toBe(expected)
    expect(texts['a@example.com']).toMatch(/^950\|950\|1900\|under/)
  })

  test.each([
    ['Fee>1000', ['b@example.com', 'c@example.com']],
    ['Fee=1234', ['b@example.com']],
    ['Fee!=1234', ['a@example.com', 'c@example.com']],
    ['Price<=12.50', ['a@example.com', 'c@example.com']],
  ])('is chosen by its value: %s', async (where, addresses) => {
    for (const more of ['', 'locale: de\n']) {
      const files = { 'mailmerge.yaml': config(more), 'list.xlsx': list, 'templates/t.txt': textTemplate('x') }
      expect(Object.keys(await rehearse(files, { where: [where] })).sort()).toEqual(addresses)
    }
  })

  test('is a number for helpers of the project, and for JSON', async () => {
    const files = {
      'list.xlsx': list,
      'templates/_helpers/own.js': 'export const kind = (x) => typeof x\n',
      'templates/t.txt': textTemplate('{{kind Price}} {{tojson Price}}'),
    }
    expect(await rehearse(files)).toMatchObject({ 'b@example.com': 'number 1234.5' })
  })
})

describe('a date of a workbook', () => {
  const list = workbook(
    ['email', 'Due'],
    ['a@example.com', { v: 46380, s: 2 }],
    ['b@example.com', { v: 46085, s: 4 }],
    ['c@example.com', { v: 46360.75, s: 5 }],
    ['d@example.com', { v: '2026-12-04T00:00:00.000Z', s: 2, t: 'd' }],
  )
  const template = textTemplate(
    '[{{Due}}] {{date Due}} {{date (later Due 1)}} {{#if (lt Due "2026-12-01")}}late{{/if}}',
  )

  test.each(['', 'columns: { types: { Due: date } }\n', 'timeZone: America/New_York\n'])(
    'is that day in every view, with %j',
    async (more) => {
      const files = { 'mailmerge.yaml': config(more), 'list.xlsx': list, 'templates/t.txt': template }
      expect(await rehearse(files)).toEqual({
        'a@example.com': '[12/24/2026] December 24, 2026 December 25, 2026 ',
        'b@example.com': '[4. März 2026] March 4, 2026 March 5, 2026 late',
        'c@example.com': '[12/4/2026 18:00] December 4, 2026 December 5, 2026 ',
        'd@example.com': '[12/4/2026] December 4, 2026 December 5, 2026 ',
      })
    },
  )

  test.each([
    ['Due<2026-12-01', ['b@example.com']],
    ['Due=2026-12-04', ['c@example.com', 'd@example.com']],
    ['Due>4 December 2026', ['a@example.com']],
  ])('is chosen as a day: %s', async (where, addresses) => {
    const chosen = await rehearse({ 'list.xlsx': list, 'templates/t.txt': template }, { where: [where] })
    expect(Object.keys(chosen).sort()).toEqual(addresses)
  })
})

test('dates, numbers and answers of an ODS are used as stored', async () => {
  const cell = (type: string, value: string, shown: string) =>
    `<table:table-cell office:value-type="${type}" office:${type === 'float' ? '' : `${type}-`}value="${value}"><text:p>${shown}</text:p></table:table-cell>`
  const row = (cells: string) => `<table:table-row>${cells}</table:table-row>`
  const name = (text: string) =>
    `<table:table-cell office:value-type="string"><text:p>${text}</text:p></table:table-cell>`
  const list = writeOds(
    row(['email', 'Due', 'Fee', 'Paid'].map(name).join('')) +
      row(
        name('a@example.com') +
          cell('date', '2026-05-03', '3. Mai 2026') +
          cell('float', '1234.5', '1.234,50') +
          cell('boolean', 'false', 'FALSCH'),
      ),
  )
  const body = '{{Due}} {{date Due}} {{Fee}} {{number Fee}} {{Paid}} {{#if Paid}}paid{{else}}open{{/if}}'
  expect(await rehearse({ 'list.ods': list, 'templates/t.txt': textTemplate(body) })).toEqual({
    'a@example.com': '3. Mai 2026 May 3, 2026 1.234,50 1,234.5 FALSCH open',
  })
})

test('an answer of a workbook is what it holds to every condition, and printed as shown', async () => {
  const list = workbook(['email', 'Paid'], ['a@example.com', { v: 1, t: 'b' }], ['b@example.com', { v: 0, t: 'b' }])
  const body =
    '{{Paid}} {{#if Paid}}if{{/if}} {{#unless Paid}}unless{{/unless}} {{#Paid}}section{{/Paid}} {{#yes Paid}}yes{{/yes}} {{choose Paid "A" "B"}} {{#eq Paid true}}eq{{/eq}}'
  const files = { 'list.xlsx': list, 'templates/t.txt': textTemplate(body) }
  expect(await rehearse(files)).toEqual({
    'a@example.com': 'TRUE if  section yes A eq',
    'b@example.com': 'FALSE  unless   B ',
  })
  expect(Object.keys(await rehearse(files, { where: ['Paid=false'] }))).toEqual(['b@example.com'])
})

describe('a text that can be read in two ways', () => {
  const files = (cell: string, body: string, more = '') => ({
    'mailmerge.yaml': config(more),
    'list.csv': `email;price\na@example.com;950\nb@example.com;${cell}\n`,
    'templates/t.txt': textTemplate(body),
  })

  test.each([
    ['1.234', '{{currency price "EUR"}}', "'1.234' can be read in two ways, as 1.234 or as 1234"],
    ['12,34,567', '{{add price 1}}', "'12,34,567' may be 1234567"],
  ])('is an error of its row that names columns.types: %s in %s', async (cell, body, message) => {
    const [problem] = await problems(rehearse(files(cell, body)))
    expect(problem).toMatchObject({ row: 2, message: expect.stringContaining(message) })
    expect(problem?.hint).toContain('columns.types: { price: { type: number')
  })

  test('is one where its column has a type, or the project a language', async () => {
    const read = async (more: string) => (await rehearse(files('1.234', '{{number price}}', more)))['b@example.com']
    expect(await read('columns: { types: { price: { type: number, format: "1.234,5" } } }\n')).toBe('1,234')
    expect(await read('columns: { types: { price: { type: number, format: "1,234.5" } } }\n')).toBe('1.234')
    expect(await read('locale: de\n')).toBe('1.234')
    expect(await read('locale: de\ncolumns: { types: { price: number } }\n')).toBe('1.234')
    const [problem] = await problems(rehearse(files('1.234', 'x', 'columns: { types: { price: number } }\n')))
    expect(problem).toMatchObject({ row: 2, column: 'price', hint: expect.stringContaining('format: "1,234.5"') })
  })

  test('chooses nobody: it is an error of its row, and so is what cannot be compared', async () => {
    for (const cell of ['1.234', 'n/a', '2026-12-24']) {
      const [problem] = await problems(rehearse(files(cell, 'x'), { where: ['price>1000'] }))
      expect(problem).toMatchObject({ row: 2, column: 'price', value: cell })
    }
    await expect(rehearse(files('5', 'x'), { where: ['price>1.234'] })).rejects.toThrow(/two ways/)
  })
})

test('an amount with another currency is not printed as one of this', async () => {
  const files = {
    'list.csv': 'email,price\na@example.com,$5.00\n',
    'templates/t.txt': textTemplate('{{currency price "EUR"}}'),
  }
  const [problem] = await problems(rehearse(files))
  expect(problem?.message).toContain("'$5.00' is an amount in $, not in EUR")
})

test('a typed date that stands alone is shown as in the list, also after it was planned', async () => {
  const files = {
    'mailmerge.yaml': config('columns: { types: { d: { type: date, format: MM/dd/yyyy } } }\n'),
    'list.csv': 'email,d\na@example.com,03/04/2026\n',
    'templates/t.txt': textTemplate('{{d}} => {{date d}}'),
  }
  expect(await rehearse(files)).toEqual({ 'a@example.com': '03/04/2026 => March 4, 2026' })
})
