/** Copies of lists with further columns: what they add, and that nothing else of the list changes. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { SourceSettings } from '../../src/config/settings.ts'
import { UsageError } from '../../src/errors.ts'
import { cellText } from '../../src/source/cells/cell.ts'
import { type CopyFormat, extendList } from '../../src/source/extend/extend.ts'
import { type Extension, freeName } from '../../src/source/extend/extension.ts'
import { openInput } from '../../src/source/input/input.ts'
import { openSource } from '../../src/source/open.ts'
import type { Row } from '../../src/source/source.ts'
import { Zip } from '../../src/source/workbook/zip.ts'
import { readAll } from './read.ts'
import { writeXlsx } from './zip-writer.ts'

const FIXTURES = join(import.meta.dirname, 'fixtures')
const WORKBOOKS = readdirSync(join(FIXTURES, 'workbooks'))

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'mailmerge-test-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

type Added = (row: Row) => readonly string[] | undefined

/** The copy of a list, every row with what `added` says of it. */
async function copied(
  settings: SourceSettings,
  format: CopyFormat,
  added: Added,
  more: Partial<Extension> = {},
): Promise<Buffer> {
  const source = await openSource(settings)
  async function* rows() {
    for await (const batch of source.rows()) {
      yield batch.flatMap((row) => {
        const cells = added(row)
        return cells === undefined ? [] : [{ number: row.number, line: row.line, cells }]
      })
    }
  }
  const extension = { columns: ['status'], rows: rows(), only: false, ...more }
  const options = { cwd: dir, stdin: Readable.from([]), locale: 'en', timeZone: 'UTC' }
  const parts: Uint8Array[] = []
  for await (const part of await extendList(settings, format, extension, options)) parts.push(Buffer.from(part))
  return Buffer.concat(parts)
}

function listOf(content: string | Uint8Array, name = 'list.csv'): SourceSettings {
  const path = join(dir, name)
  writeFileSync(path, content)
  return { from: { kind: 'file', path } }
}

const numbered: Added = ({ number }) => [`row ${number}`]

describe('a copy of a CSV list', () => {
  test.each([
    [
      'semicolons, quotes and line ends',
      'a;b\r\n1;"x;""y"""\r\n2;\r\n',
      'a;b;status\r\n1;"x;""y""";row 1\r\n2;;row 2\r\n',
    ],
    ['blank lines', '\na,b\n\n1,2\n\n\n3,4\n\n', '\na,b,status\n\n1,2,row 1\n\n\n3,4,row 2\n\n'],
    ['a line break in a cell', 'a,b\n"1\n1",2\n3,4', 'a,b,status\n"1\n1",2,row 1\n3,4,row 2'],
    ['line ends of old Macs', 'a\tb\r1\t2\r', 'a\tb\tstatus\r1\t2\trow 1\r'],
    ['a sep= line', 'sep=|\na|b\n1|2\n', 'sep=|\na|b|status\n1|2|row 1\n'],
    ['cells that a spreadsheet would run', 'a,b\n=1+1,@x\n', 'a,b,status\n=1+1,@x,row 1\n'],
    ['rows of delimiters alone', 'a,b\n,\n1,2\n', 'a,b,status\n,\n1,2,row 1\n'],
    ['empty columns at the end of a row', 'a,b\n1,2,,\n', 'a,b,status\n1,2,row 1\n'],
    ['columns without a name', 'a,,b,\n1,x,2,\n', 'a,,b,,status\n1,x,2,,row 1\n'],
    ['a row that is too short', 'a,b,c\n1\n', 'a,b,c,status\n1,,,row 1\n'],
  ])('keeps %s', async (_, list, copy) => {
    expect((await copied(listOf(list), 'csv', numbered)).toString()).toBe(copy)
  })

  test('has the line above the names where the settings say where they are', async () => {
    const settings = { ...listOf('Guests,\na,b\n1,2\n'), headerRow: 2 }
    expect((await copied(settings, 'csv', numbered)).toString()).toBe('Guests,\na,b,status\n1,2,row 1\n')
  })

  test.each([
    ['Windows-1252', Buffer.from('name;x\nZo\xeb M\xfcller;1\n', 'latin1')],
    ['UTF-16', Buffer.from('\u{FEFF}name;x\nZoë Müller;1\n', 'utf16le')],
    ['UTF-8 with a mark', Buffer.from('\u{FEFF}name;x\nZoë Müller;1\n')],
  ])('of %s is UTF-8 with a mark', async (_, bytes) => {
    const copy = await copied(listOf(bytes), 'csv', numbered)
    expect(copy.toString()).toBe('\u{FEFF}name;x;status\nZoë Müller;1;row 1\n')
  })

  test('defuses and quotes what is added, by the delimiter of the list', async () => {
    const copy = await copied(listOf('a|b\n1|2\n'), 'csv', () => ['=cmd|x', 'say "no"'], { columns: ['one', 'two'] })
    expect(copy.toString()).toBe(`a|b|one|two\n1|2|"'=cmd|x"|"say ""no"""\n`)
  })

  test('has the chosen rows alone where it is asked for them', async () => {
    const second: Added = (row) => (row.number === 2 ? ['here'] : undefined)
    const copy = await copied(listOf('a,b\r\n1,2\r\n\r\n3,4\r\n5,6'), 'csv', second, { only: true })
    expect(copy.toString()).toBe('a,b,status\r\n3,4,here\r\n')
    const third: Added = (row) => (row.number === 3 ? ['here'] : undefined)
    expect((await copied(listOf('a,b\n1,2\n3,4\n5,6'), 'csv', third, { only: true })).toString()).toBe(
      'a,b,status\n5,6,here\n',
    )
  })

  test('of a list longer than what is read at once is the same but for what is added', async () => {
    const lines = Array.from({ length: 30_000 }, (_, i) => `${i},"Zoë ""${i}"""`)
    const copy = await copied(listOf(`a,b\r\n${lines.join('\r\n')}\r\n`), 'csv', numbered)
    const wanted = lines.map((line, i) => `${line},row ${i + 1}`)
    expect(copy.toString() === `a,b,status\r\n${wanted.join('\r\n')}\r\n`).toBe(true)
  })
})

describe('a copy of another list as CSV', () => {
  test('of JSON has its columns', async () => {
    const settings = listOf('[{"a":"x, y","b":1},{"a":"","b":true}]', 'list.json')
    expect((await copied(settings, 'csv', numbered)).toString()).toBe('a,b,status\r\n"x, y",1,row 1\r\n,true,row 2\r\n')
  })

  test('of a workbook has the cells as it shows them', async () => {
    const settings: SourceSettings = { from: { kind: 'file', path: join(FIXTURES, 'people.ods') } }
    const [head = '', first = ''] = (await copied(settings, 'csv', numbered)).toString().split('\r\n')
    const { source, data } = await readAll(await openSource(settings))
    expect(head).toBe([...source.columns, 'status'].join(','))
    expect(first.startsWith(cellText(data[0]?.[source.columns[0] ?? '']))).toBe(true)
  })

  test('has the names of the list, though the settings rename columns and add some', async () => {
    const mapped = { ...listOf('Mail\nx\n'), rename: { Mail: 'email' } }
    expect((await copied(mapped, 'csv', numbered)).toString()).toBe('Mail,status\nx,row 1\n')
  })
})

describe('a copy of a workbook', () => {
  // Made by openpyxl 3.1, exceljs 4.4 and LibreOffice 7.4: styles, tables, charts, filters, comments, formulas, links.
  test.each(WORKBOOKS)('%s has all its parts as they were, and ours in its sheet', async (name) => {
    const path = join(FIXTURES, 'workbooks', name)
    const settings: SourceSettings = {
      from: { kind: 'file', path },
      ...(name.includes('title') ? { headerRow: 3 } : {}),
    }
    const copy = join(dir, 'copy.xlsx')
    writeFileSync(copy, await copied(settings, 'xlsx', numbered, { columns: ['status', 'more'] }))

    const [before, after] = await Promise.all([partsOf(path), partsOf(copy)])
    expect([...after.keys()]).toEqual([...before.keys()])
    const changed = [...before.keys()].filter((part) => before.get(part) !== after.get(part))
    expect(changed).toEqual(['xl/worksheets/sheet1.xml'])
    const ours =
      /<c r="[A-Z]+\d+"(?: s="\d+")? t="inlineStr"><is><t xml:space="preserve">(?:row \d|status|more)<\/t><\/is><\/c>/g
    // The range and spans of used cells, and cells without a value at the place of ours.
    const hints = /<dimension[^>]*>| spans="[^"]*"|<c r="E2" s="\d+"(?: t="n")?(?:\/>|><\/c>)/g
    const plain = (parts: ReadonlyMap<string, string>) => parts.get('xl/worksheets/sheet1.xml')?.replace(hints, '')
    expect(plain(after)?.replace(ours, '')).toBe(plain(before))

    const was = await readAll(await openSource(settings))
    const is = await readAll(await openSource({ ...settings, from: { kind: 'file', path: copy } }))
    expect(is.source.columns).toEqual([...was.source.columns, 'status', 'more'])
    expect(is.data).toEqual(was.data.map((data, i) => ({ ...data, status: `row ${i + 1}`, more: '' })))
    expect(is.rows.map(({ hidden }) => hidden)).toEqual(was.rows.map(({ hidden }) => hidden))
  })

  test('takes rows and cells without a place, with a prefix, empty, and keeps what looks like rows elsewhere', async () => {
    const rows = `<row><c t="str"><v>email</v></c><c t="str"><v>a&amp;b</v></c></row><!-- <row r="9"/> -->
      <row/><row r="5" spans="1:2"><c t="str"><v>x@example.com</v></c><c r="B5"/><c r="D5" s="0"/><extLst/></row>`
    const path = join(dir, 'odd.xlsx')
    writeFileSync(path, writeXlsx(rows))
    const settings: SourceSettings = { from: { kind: 'file', path } }
    const copy = join(dir, 'copy.xlsx')
    writeFileSync(copy, await copied(settings, 'xlsx', () => ['<&> _x0041_ \u0001']))
    const { data } = await readAll(await openSource({ from: { kind: 'file', path: copy } }))
    expect(data).toEqual([{ email: 'x@example.com', 'a&b': '', status: '<&> _x0041_ \u{FFFD}' }])
    const [sheet = ''] = [...(await partsOf(copy))].filter(([part]) => part.includes('sheet1')).map(([, xml]) => xml)
    expect(sheet).toContain('<!-- <row r="9"/> -->')
    expect(sheet).toContain('<row r="5" spans="1:3">')
    expect(sheet).toContain('<c r="D5" s="0"/><extLst/></row>')
  })

  test('is refused as a workbook where the list is not one', async () => {
    await expect(copied(listOf('a\n1\n'), 'xlsx', numbered)).rejects.toThrow(UsageError)
    const ods: SourceSettings = { from: { kind: 'file', path: join(FIXTURES, 'people.ods') } }
    await expect(copied(ods, 'xlsx', numbered)).rejects.toThrow(UsageError)
  })
})

test('a name that is taken gets a number', () => {
  expect(freeName('status', ['email'])).toBe('status')
  expect(freeName('status', ['status', 'status 2'])).toBe('status 3')
})

async function partsOf(path: string): Promise<ReadonlyMap<string, string>> {
  const zip = await Zip.open(await openInput(path, dir, Readable.from([])))
  const parts = new Map<string, string>()
  for (const part of zip.parts) {
    if (part.endsWith('/')) continue
    const bytes: Buffer[] = []
    for await (const chunk of zip.read(part)) bytes.push(chunk)
    parts.set(part, Buffer.concat(bytes).toString('latin1'))
  }
  return parts
}
