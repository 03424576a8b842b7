/** What a person is told about each wrong list: one line that says what and where, and one that says what to do. */
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { SourceSettings } from '../../src/config/settings.ts'
import { MailmergeError, type Problem } from '../../src/errors.ts'
import { readText } from './read.ts'
import { textRow, writeXlsx, writeZip } from './zip-writer.ts'

interface Wrong {
  readonly name: string
  readonly list: string | Uint8Array
  readonly settings?: Omit<SourceSettings, 'from'>
  /** The error, or the first problem as `row:line:column: message`. */
  readonly says: string
  readonly exit?: number
}

const WRONG: readonly Wrong[] = [
  { name: 'an empty file', list: '', says: 'standard input is empty' },
  { name: 'blank lines only', list: '\n \n\r\n', says: 'standard input is empty' },
  {
    name: 'no line of names',
    list: 'ann@example.com,Ann\nbob@example.com,Bob\n',
    says: "standard input begins with a row, not with column names: 'ann@example.com' is an address",
  },
  {
    name: 'several wrong names',
    list: 'email,,email,\0\na@example.com,x,y,z\n',
    says: 'the column names of standard input cannot be used: the name of column 4 holds a character that cannot be in a name',
  },
  {
    name: 'ten thousand columns',
    list: `${Array.from({ length: 10_000 }, (_, i) => `c${i}`).join(',')}\n`,
    says: 'standard input has 10000 columns; at most 2000 can be read',
  },
  {
    name: 'a header row that is not there',
    list: 'email\na@example.com\n',
    settings: { headerRow: 9 },
    says: 'standard input has no line 9 to take column names from; it has 2',
  },
  {
    name: 'too few cells',
    list: 'email,name,city\na@example.com,Ann,Rome\nb@example.com,Bob\n',
    says: "2:3:: the row has 2 cells, the list has 3 columns; there is nothing for 'city'",
  },
  {
    name: 'too many cells',
    list: 'email,name\na@example.com,Doe, Jane\n',
    says: '1:2:3: the row has 3 cells, the list has 2 columns',
  },
  {
    name: 'the wrong delimiter asked for',
    list: 'email;name\na@example.com;Ann\nb@example.com;Doe, J\n',
    settings: { delimiter: 'comma' },
    says: '2:3:2: the row has 2 cells, the list has 1 column',
  },
  {
    name: 'a delimiter that is none',
    list: 'email\na@example.com\n',
    settings: { delimiter: '"' },
    says: `'"' cannot be a delimiter`,
    exit: 78,
  },
  {
    name: 'a misspelt name of a delimiter',
    list: 'email;name\na@example.com;Ann\n',
    settings: { delimiter: 'semicolons' },
    says: `'semicolons' cannot be a delimiter`,
    exit: 78,
  },
  {
    name: 'an encoding that is none',
    list: 'email\na@example.com\n',
    settings: { encoding: 'latin-99' },
    says: "there is no encoding 'latin-99'",
    exit: 78,
  },
  {
    name: 'a quote that is never closed',
    list: 'email,name\na@example.com,Ann\nb@example.com,"Bob\nc@example.com,Cy\n',
    says: "the row that begins on line 3 of standard input opens a quote in column 'name' that is never closed",
  },
  {
    name: 'the same in three megabytes',
    list: `email,name\na@example.com,"Ann\n${'b@example.com,Bob\n'.repeat(180_000)}`,
    says: "the row that begins on line 2 of standard input is longer than 2 MiB by column 'name': is a quote opened there and never closed?",
  },
  {
    name: 'text after a closing quote',
    list: 'email,name\na@example.com,"Ann" Lee\n',
    says: '1:2:name: the cell goes on after its closing quotation mark',
  },
  {
    name: 'a NUL',
    list: 'email,name\na@example.com,A\0nn\n',
    says: '1:2:name: the cell holds a NUL character',
  },
  {
    name: 'broken UTF-8',
    list: Buffer.concat([Buffer.from('email,name\nz@example.com,Zoë\na@example.com,A'), Buffer.from([0xe9, 0x0a])]),
    says: '2:3:name: the cell holds characters that could not be read',
  },
  {
    name: 'a cell of a million characters',
    list: `email,name\na@example.com,${'x'.repeat(1_100_000)}\n`,
    says: '1:2:name: the cell has 1100000 characters; at most 1048576 can be read',
  },
  {
    name: 'a PNG image',
    list: Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1'),
    says: 'standard input is a PNG image, not a list',
  },
  { name: 'a PDF', list: '%PDF-1.7\n%âãÏÓ\n', says: 'standard input is a PDF document, not a list' },
  {
    name: 'an old Excel file',
    list: Buffer.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]),
    says: 'standard input is an old Excel workbook (.xls), or one with a password, not a list',
  },
  {
    name: 'a web page',
    list: '\n<!DOCTYPE html><html><body>Log in</body></html>',
    says: 'standard input is a web page, not a list',
  },
  {
    name: 'a vCard',
    list: 'BEGIN:VCARD\nVERSION:3.0\n',
    says: 'standard input is an address book (vCard), not a list',
  },
  { name: 'a database', list: 'SQLite format 3\0', says: 'standard input is an SQLite database, not a list' },
  {
    name: 'octets of any kind',
    list: Uint8Array.from({ length: 4096 }, (_, i) => (i * 7919 + (i >> 3)) & 0xff),
    says: 'standard input is not text',
  },
  { name: 'the same in gzip', list: gzipSync(Buffer.alloc(4096)), says: 'standard input is not text' },
  {
    name: 'a zip archive',
    list: writeZip({ 'list.csv': 'email\n' }),
    says: 'standard input is a zip archive, not a list',
  },
  {
    name: 'a workbook said to be CSV',
    list: writeXlsx(textRow(1, 'email')),
    settings: { format: 'csv' },
    says: 'standard input is a workbook or zip archive, not csv',
  },
  {
    name: 'CSV said to be a workbook',
    list: 'email\na@example.com\n',
    settings: { format: 'xlsx' },
    says: 'standard input is not an xlsx workbook',
  },
  {
    name: 'an empty sheet',
    list: writeXlsx('<row r="1"><c r="A1"/></row>'),
    says: "the sheet 'List' of standard input is empty",
  },
  {
    name: 'a sheet that is not there',
    list: writeXlsx(textRow(1, 'email')),
    settings: { sheet: 'Guests' },
    says: "standard input has no sheet 'Guests'",
  },
  {
    name: 'an error in a sheet',
    list: writeXlsx(`${textRow(1, 'email')}<row r="2"><c r="A2" t="e"><v>#N/A</v></c></row>`),
    says: '1:2:email: the cell shows the error #N/A',
  },
  {
    name: 'a column without a name in a sheet',
    list: writeXlsx(textRow(1, 'email', '', 'name') + textRow(2, 'a@example.com', 'x', 'Ann')),
    says: '1:2:B: the cell B2 holds a value, and its column has no name',
  },
  {
    name: 'JSON that is no list',
    list: '[1, 2]',
    settings: { format: 'json' },
    says: "standard input, line 1: '1' is where a row should begin",
  },
  { name: 'an empty JSON list', list: '[]', says: 'standard input has no rows' },
  {
    name: 'a line that is no JSON',
    list: '{"email":"a@example.com"}\n{"email":\n',
    says: '2:2:: the row is not JSON: Unexpected end of JSON input',
  },
]

test.each(WRONG)('$name', async ({ list, settings, says, exit }) => {
  const said = await readText(list, settings).then(
    ({ rows }) => rows.flatMap((row) => [...(row.problems ?? []), ...(row.unreadable ?? [])])[0],
    (error: unknown) => error as MailmergeError,
  )
  expect(said instanceof MailmergeError ? said.message : place(said)).toBe(says)
  expect(said?.hint).toBeTruthy()
  if (said instanceof MailmergeError) expect(said.exitCode).toBe(exit ?? 65)
})

test('are more than thirty', () => {
  expect(WRONG.length).toBeGreaterThan(30)
})

function place(problem: Problem | undefined): string {
  if (problem === undefined) return 'nothing was wrong'
  return `${problem.row}:${problem.line}:${problem.column ?? ''}: ${problem.message}`
}
