import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DataError } from '../../src/errors.ts'
import { openSource } from '../../src/source/open.ts'
import { createNumberFormat } from '../../src/source/workbook/number-format.ts'
import { readAll, readText } from './read.ts'
import { textRow, writeOds, writeXlsx, writeZip } from './zip-writer.ts'

const fixture = (name: string) => join(import.meta.dirname, 'fixtures', name)

describe('workbooks that LibreOffice made', () => {
  test.each([
    ['guests.xlsx', 'guests.csv'],
    ['guests.ods', 'guests.csv'],
    ['people.xlsx', 'people.csv'],
    ['people.ods', 'people.csv'],
  ])('%s gives the rows of %s: dates, numbers, percentages as shown, leading zeros kept', async (workbook, csv) => {
    const expected = await readAll(await openSource({ from: { kind: 'file', path: fixture(csv) } }))
    const { data, rows, source } = await readAll(await openSource({ from: { kind: 'file', path: fixture(workbook) } }))
    expect(source.columns).toEqual(expected.source.columns)
    expect(data).toEqual(expected.data)
    expect(rows.flatMap((row) => row.problems ?? [])).toEqual([])
    expect(data.length).toBeGreaterThan(2)
  })

  test.each(['people.xlsx', 'people.ods'])('%s from a pipe reads the same', async (name) => {
    const piped = await readText(readFileSync(fixture(name)))
    expect(piped.data).toEqual((await readAll(await openSource({ from: { kind: 'file', path: fixture(name) } }))).data)
  })

  test.each(['people.xlsx', 'people.ods'])('%s: rows know their number in the sheet', async (name) => {
    const { rows } = await readAll(await openSource({ from: { kind: 'file', path: fixture(name) } }))
    expect(rows.map((row) => [row.number, row.line])).toEqual([
      [1, 2],
      [2, 3],
      [3, 4],
      [4, 8],
    ])
  })

  test.each(['people.xlsx', 'people.ods'])(
    '%s: the first sheet that shows is read, another by name or number',
    async (name) => {
      const first = await openSource({ from: { kind: 'file', path: fixture(name) } })
      expect(first.notes).toEqual(["read the sheet 'People'; there are also 'Hidden', 'Second list'"])
      for (const sheet of ['Second list', 'second LIST ', '3']) {
        const { data } = await readAll(
          await openSource({ from: { kind: 'file', path: fixture(name) }, sheet, headerRow: 3 }),
        )
        expect(data).toEqual([{ email: 'x@example.com', name: 'Xaver' }])
      }
      const hidden = await readAll(await openSource({ from: { kind: 'file', path: fixture(name) }, sheet: 'Hidden' }))
      expect(hidden.data).toEqual([{ email: 'hidden@example.com' }])
      const missing = openSource({ from: { kind: 'file', path: fixture(name) }, sheet: 'Third' })
      await expect(missing).rejects.toMatchObject({ hint: "Its sheets are 'Hidden', 'People', 'Second list'." })
    },
  )

  test('numbers are written as in the language asked for', async () => {
    const { data } = await readAll(
      await openSource({ from: { kind: 'file', path: fixture('people.xlsx') } }, { locale: 'de-DE' }),
    )
    expect(data[0]).toMatchObject({ Amount: '1.234,50', Price: '12,50 €', Joined: '29. Februar 2024', Zip: '01067' })
  })

  test('formulas without a result are problems of their rows', async () => {
    const { rows } = await readAll(
      await openSource({ from: { kind: 'file', path: fixture('no-formula-results.xlsx') } }),
    )
    expect(rows[0]?.unreadable).toMatchObject([{ code: 'no-formula-result', row: 1, line: 2, column: 'Sum' }])
  })
})

describe('numbers as a person sees them', () => {
  test.each([
    [0, undefined, 491701234567, '491701234567'],
    [0, undefined, 0.1 + 0.2, '0.3'],
    [0, undefined, 1e21, '1e+21'],
    [9, undefined, 0.5, '50%'],
    [10, undefined, 0.1234, '12.34%'],
    [14, undefined, 45000, '3/15/2023'],
    [49, undefined, 42, '42'],
    [164, '00000', 1067, '01067'],
    [164, '_("$"* #,##0.00_)', 5, '$5.00'],
    [164, '[h]:mm', 1.5, '36:00'],
    [164, '#,##0.00 [$€-407]', 1999, '1,999.00 €'],
    [164, 'broken "format', 5, '5'],
  ])('format %s %s of %s shows %s', (id, pattern, value, text) => {
    const show = createNumberFormat({
      id,
      from1904: false,
      locale: 'en',
      ...(pattern === undefined ? {} : { pattern }),
    })
    expect(show(value)).toBe(text)
  })

  test('the calendar from 1904 is four years and a day later', () => {
    const style = { id: 164, pattern: 'yyyy-mm-dd', locale: 'en' }
    expect(createNumberFormat({ ...style, from1904: true })(43538)).toBe('2023-03-15')
    expect(createNumberFormat({ ...style, from1904: false })(45000)).toBe('2023-03-15')
  })
})

describe('XLSX details', () => {
  test('shared texts, runs, reading aids, escapes, booleans, errors, cells without names', async () => {
    const shared =
      '<sst><si><t>email</t></si><si><r><t>First </t></r><r><t>name</t></r><rPh><t>aid</t></rPh></si><si><t xml:space="preserve">a_x000D_b_x005F_</t></si></sst>'
    const rows = `<row r="2"><c r="B2" t="s"><v>0</v></c><c r="C2" t="s"><v>1</v></c><c r="E2" t="inlineStr"><is><t>ok</t></is></c></row>
      <row><c/><c t="str"><f>"x"</f><v>x@example.com</v></c><c t="s"><v>2</v></c><c/><c t="b"><v>1</v></c></row>
      <row r="5"><c r="B5" t="str"><v>y@example.com</v></c><c r="D5"><v>7</v></c><c r="E5" t="e"><v>#REF!</v></c></row>`
    const { rows: read, data, source } = await readText(writeXlsx(rows, { 'xl/sharedStrings.xml': shared }))
    expect(source.columns).toEqual(['email', 'First name', 'ok'])
    expect(data).toEqual([
      { email: 'x@example.com', 'First name': 'a\rb_', ok: 'TRUE' },
      { email: 'y@example.com', 'First name': '', ok: '#REF!' },
    ])
    expect(read.map((row) => row.line)).toEqual([3, 5])
    expect(read[1]?.unreadable).toMatchObject([{ code: 'cell-error', column: 'ok', line: 5 }])
    expect(read[1]?.problems).toMatchObject([{ code: 'unnamed-column', column: 'D', value: '7' }])
  })

  test('prefixed elements are read too', async () => {
    const workbook = writeXlsx(
      '<x:row xmlns:x="m" r="1"><x:c t="str"><x:v>email</x:v></x:c></x:row><x:row xmlns:x="m"><x:c t="str"><x:v>a@b.example</x:v></x:c></x:row>',
    )
    expect((await readText(workbook)).data).toEqual([{ email: 'a@b.example' }])
  })

  test('names like __proto__ are columns, and nothing else', async () => {
    const { rows } = await readText(writeXlsx(textRow(1, '__proto__', 'email') + textRow(2, 'x', 'a@b.example')))
    expect(Object.entries(rows[0]?.data ?? {})).toEqual([
      ['__proto__', 'x'],
      ['email', 'a@b.example'],
    ])
  })
})

describe('hostile workbooks are refused, in little time and memory', () => {
  const refused = async (workbook: Buffer): Promise<string> => {
    const error = await readText(workbook).then(
      () => new Error('was read'),
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(DataError)
    return (error as DataError).message
  }

  test('a sheet that unpacks a thousandfold', async () => {
    expect(await refused(writeXlsx(Buffer.alloc(32 << 20, ' ')))).toMatch(/would unpack from \d+ to \d+ bytes/)
  })

  test('a part that is larger than it says', async () => {
    const workbook = writeXlsx(Buffer.alloc(1 << 20, ' '))
    // The size once unpacked stands 24 bytes into the part's entry of the directory.
    const entry = workbook.indexOf('xl/worksheets/sheet1.xml', workbook.indexOf('PK\x01\x02')) - 46
    workbook.writeUInt32LE(1000, entry + 24)
    expect(await refused(workbook)).toMatch(/is damaged/)
  })

  test('rows beyond the last of a sheet', async () => {
    expect(await refused(writeXlsx(`${textRow(1, 'email')}${'<row/>'.repeat(1_100_000)}`))).toMatch(/has a row 1048577/)
  })

  test('a cell beyond the last column', async () => {
    expect(await refused(writeXlsx('<row r="1"><c r="ZZZ1" t="str"><v>x</v></c></row>'))).toMatch(/has a cell ZZZ1/)
  })

  test('tags without end', async () => {
    expect(await refused(writeXlsx('<a>'.repeat(100_000)))).toMatch(/nested too deeply/)
  })

  test('one text without end', async () => {
    const noise = Buffer.from(Array.from({ length: 6 << 20 }, (_, i) => 97 + ((i * 7919 + (i >> 8) * 31) % 26)))
    expect(await refused(writeXlsx(noise))).toMatch(/text of more than 4 million characters|would unpack/)
  })

  test('entities that explode', async () => {
    const entities = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><sst><si><t>&b;</t></si></sst>'
    const workbook = writeXlsx('<row r="1"><c r="A1" t="s"><v>0</v></c></row>', { 'xl/sharedStrings.xml': entities })
    expect(await refused(workbook)).toMatch(/declares a document type/)
  })

  test('an ODS row repeated beyond the last of a sheet', async () => {
    const cell = '<table:table-cell><text:p>email</text:p></table:table-cell>'
    const row = (count: number) => `<table:table-row table:number-rows-repeated="${count}">${cell}</table:table-row>`
    expect(await refused(writeOds(row(1) + row(2_000_000_000)))).toMatch(/more rows than a sheet can have/)
  })

  test('an ODS cell repeated beyond the last column', async () => {
    const cell = '<table:table-cell table:number-columns-repeated="2000000000"><text:p>x</text:p></table:table-cell>'
    expect(await refused(writeOds(`<table:table-row>${cell}</table:table-row>`))).toMatch(/more columns/)
  })

  test.each([
    ['word/document.xml', /Word document/],
    ['xl/workbook.bin', /binary Excel workbook/],
    ['Index/Document.iwa', /Apple Numbers/],
    ['readme.txt', /zip archive, not a list/],
  ])('a zip with %s is named for what it is', async (part, message) => {
    expect(await refused(writeZip({ [part]: 'x' }))).toMatch(message)
  })

  test('a workbook cut off in the middle', async () => {
    const workbook = readFileSync(fixture('people.xlsx'))
    expect(await refused(workbook.subarray(0, workbook.length / 2))).toMatch(/is damaged/)
  })
})
