/** Lists as offices and other programs write them: titles, names, hidden rows, error cells, several addresses. */
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { DataError, MailmergeError } from '../../../src/errors.ts'
import { textRow, writeOds, writeXlsx, writeZip } from '../../source/zip-writer.ts'
import { rehearse, textTemplate } from './rehearsal.ts'

const csv = (list: string, template = textTemplate('Dear {{name}}'), more = '') => ({
  'mailmerge.yaml': `message: { from: s@example.org }\n${more}`,
  'list.csv': list,
  'templates/t.txt': template,
})

async function refusal(rehearsal: Promise<unknown>): Promise<MailmergeError> {
  const error = await rehearsal.then(
    () => new Error('it was read'),
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(MailmergeError)
  return error as MailmergeError
}

describe('column names', () => {
  test.each([
    ['without a name', ',name,email\n0,Ann,a@example.com\n1,Bob,b@example.com\n'],
    ['in the middle without a name', 'name,,email\nAnn,x,a@example.com\nBob,,b@example.com\n'],
    ['twice, unused', 'phone,name,email,phone\n1,Ann,a@example.com,2\n,Bob,b@example.com,\n'],
    ['with a space before a quote', 'email, "name"\na@example.com,Ann\nb@example.com,Bob\n'],
  ])('%s are not an error', async (_, list) => {
    expect(await rehearse(csv(list))).toEqual({ 'a@example.com': 'Dear Ann', 'b@example.com': 'Dear Bob' })
  })

  test('that stand twice and are used are an error that says how to call each', async () => {
    const error = await refusal(rehearse(csv('email,name,name\na@example.com,x,y\n')))
    expect(error).toBeInstanceOf(DataError)
    expect(`${error.message} ${error.hint}`).toMatch(/no column 'name'.*name \(2\)/s)
    const named = csv('email,name,name\na@example.com,x,y\n', textTemplate('{{[name (3)]}}'))
    expect(await rehearse(named)).toEqual({ 'a@example.com': 'y' })
    expect(
      (await refusal(rehearse(csv('email,email\na@example.com,b@example.com\n', textTemplate('x'))))).message,
    ).toMatch(/several columns.*'email \(1\)' and 'email \(2\)'/)
  })

  test('with line breaks have spaces, and letters with their accents apart are one letter', async () => {
    const list = 'email,"first\nname",Gro\u0308\u00DFe\na@example.com,Ann,XL\n'
    const files = csv(list, textTemplate('{{[first name]}} {{Gr\u00F6\u00DFe}} {{Gro\u0308\u00DFe}}'))
    expect(await rehearse(files, { where: ['Gro\u0308\u00DFe=XL'] })).toEqual({ 'a@example.com': 'Ann XL XL' })
  })

  test.each([
    ['Guests;;\n;;\nname;email;seat\nAnn;ann@example.com;A1\n', 2],
    ['Guests\n\nname,email\nAnn,ann@example.com\n', 2],
    ['Guests 2026,Vienna,\nname,email,seat\nAnn,ann@example.com,A1\n', 2],
  ])('below a title: the error gives the headerRow that works (%j)', async (list, row) => {
    const error = await refusal(rehearse(csv(list)))
    expect(error.hint).toContain(`headerRow: ${row} }`)
    const files = csv(list, undefined, `data: { path: list.csv, headerRow: ${row} }\n`)
    expect(await rehearse(files, {}, [])).toEqual({ 'ann@example.com': 'Dear Ann' })
  })

  test('below a title in a sheet', async () => {
    const list = writeXlsx(textRow(1, 'Guests') + textRow(3, 'name', 'email') + textRow(4, 'Ann', 'ann@example.com'))
    const error = await refusal(rehearse({ 'list.xlsx': list, 'templates/t.txt': textTemplate('{{name}}') }))
    expect(error.hint).toContain('headerRow: 3 }')
  })
})

describe('the address column', () => {
  const found = async (list: string, more = '') =>
    Object.keys(await rehearse(csv(list, textTemplate('x'), more))).sort()

  test.each(['Email ID', 'E-Mails', 'Adresse de messagerie', 'What is your email?', 'Email Addr', 'Kontakt'])(
    'is found by its cells: %s',
    async (name) => {
      expect(await found(`name,${name},town\nAnn,ann@example.com,Rome\nBob,bob@example.com,Bonn\n`)).toHaveLength(2)
    },
  )

  test.each([
    ['name,Parent email,Student email\nAnn,p@example.com,s@example.com\n', "'Parent email' and 'Student email'"],
    ['email,E-Mail\na@example.com,b@example.com\n', "'email' and 'E-Mail'"],
  ])('is asked for where several could be it', async (list, names) => {
    const error = await refusal(rehearse(csv(list, textTemplate('x'))))
    expect(error.message).toContain(names)
    expect(error.hint).toContain('emailColumn')
    const column = list.split(/[,\n]/).find((name) => /mail/i.test(name)) ?? ''
    expect(await found(list, `emailColumn: ${column}\n`)).toHaveLength(1)
    // A template that says who gets it needs none.
    const own = csv(list, textTemplate('x', `subject: x\nto: "{{[${column}]}}"\n`))
    expect(Object.keys(await rehearse(own))).toHaveLength(1)
  })

  test('is the one of two that holds addresses, and one of mail rather than of a street', async () => {
    expect(await found('email,E-Mail\n,b@example.com\n,c@example.com\n')).toHaveLength(2)
    expect(await found('Address,Guest e-mail\n1 Main St,b@example.com\n')).toEqual(['b@example.com'])
    expect(await found('Address,Contact\n1 Main St,b@example.com\n')).toEqual(['b@example.com'])
  })
})

describe('rows of a workbook', () => {
  const hidden = (row: string) => row.replace('<row ', '<row hidden="1" ')
  const list = writeXlsx(
    textRow(1, 'email', 'name') +
      textRow(2, 'a@example.com', 'Ann') +
      hidden(textRow(3, 'b@example.com', 'Bob')) +
      textRow(4, 'c@example.com', 'Cy'),
  )
  const files = { 'list.xlsx': list, 'templates/t.txt': textTemplate('Dear {{name}}') }

  test('that are hidden get no mail unless asked for, and it is said', async () => {
    const notes: string[] = []
    const note = (text: string): number => notes.push(text)
    expect(Object.keys(await rehearse(files, {}, undefined, { note }))).toHaveLength(2)
    expect(notes.join('\n')).toContain('1 row is hidden in the workbook')
    expect(Object.keys(await rehearse(files, { hiddenRows: 'send' }))).toHaveLength(3)
  })

  test.each([
    [
      'xlsx',
      writeXlsx(
        `${textRow(1, 'Family', 'name', 'email')}${textRow(2, 'Lee', 'Ann', 'a@example.com')}<row r="3"><c r="B3" t="inlineStr"><is><t>Bob</t></is></c><c r="C3" t="inlineStr"><is><t>b@example.com</t></is></c></row>${textRow(4, '', 'Cy', 'c@example.com')}</sheetData><mergeCells count="1"><mergeCell ref="A2:A3"/></mergeCells><sheetData>`,
      ),
    ],
    [
      'ods',
      writeOds(
        [
          ['Family', 'name', 'email'],
          ['Lee', 'Ann', 'a@example.com'],
          ['', 'Bob', 'b@example.com'],
          ['', 'Cy', 'c@example.com'],
        ]
          .map((cells) =>
            cells.map((text) => {
              const span = text === 'Lee' ? ' table:number-rows-spanned="2"' : ''
              return text === ''
                ? '<table:table-cell/>'
                : `<table:table-cell${span}><text:p>${text}</text:p></table:table-cell>`
            }),
          )
          .map((cells) => `<table:table-row>${cells.join('')}</table:table-row>`)
          .join(''),
      ),
    ],
  ])('share what a cell merged over them holds (%s)', async (format, list) => {
    const texts = await rehearse({ [`list.${format}`]: list, 'templates/t.txt': textTemplate('{{Family}} {{name}}') })
    expect(texts).toEqual({ 'a@example.com': 'Lee Ann', 'b@example.com': 'Lee Bob', 'c@example.com': ' Cy' })
  })

  test('with an error cell are bad only where something uses its column', async () => {
    const broken = writeXlsx(
      `${textRow(1, 'email', 'name', 'Lookup')}<row r="2"><c r="A2" t="inlineStr"><is><t>a@example.com</t></is></c><c r="B2" t="inlineStr"><is><t>Ann</t></is></c><c r="C2" t="e"><v>#N/A</v></c></row>`,
    )
    const unused = { ...files, 'list.xlsx': broken }
    expect(await rehearse(unused)).toEqual({ 'a@example.com': 'Dear Ann' })
    const used = { ...unused, 'templates/t.txt': textTemplate('{{Lookup}}') }
    expect((await refusal(rehearse(used))).problems).toMatchObject([{ row: 1, column: 'Lookup' }])
    const computed = {
      ...unused,
      'mailmerge.yaml': 'message: { from: s@example.org }\ncolumns: { computed: { x: "{{Lookup}}" } }\n',
    }
    expect((await refusal(rehearse(computed))).problems).toMatchObject([{ row: 1, column: 'Lookup' }])
  })
})

test('a space before a quote is an error of its row, and a quoted one is not', async () => {
  const error = await refusal(rehearse(csv('email,name\na@example.com, "Ann"\nb@example.com," ""Bob"""\n')))
  expect(error.problems).toMatchObject([{ row: 1, column: 'name', code: 'space-before-quote' }])
})

test('the end mark of DOS is not a row', async () => {
  expect(await rehearse(csv('email,name\r\na@example.com,Ann\r\n\u001A'))).toEqual({ 'a@example.com': 'Dear Ann' })
})

describe('a file that is not a list', () => {
  test.each<[string, string | Uint8Array, RegExp]>([
    ['list.xls', '<html><body><table><tr><th>name</th></tr></table></body></html>', /web page.*spreadsheet program/s],
    ['list.xls', '<!DOCTYPE html><html><body>Sign in</body></html>', /web page.*login page/s],
    ['list.dbf', Buffer.concat([Buffer.from([3, 126, 1, 1, 1, 0, 0, 0, 97]), Buffer.alloc(64)]), /dBASE.*spreadsheet/s],
    ['list.slk', 'ID;PWXL;N;E\nC;Y1;X1;K"name"\nE\n', /SYLK.*spreadsheet/s],
    ['~$list.xlsx', Buffer.from('\x03Ann                       '), /lock file.*list\.xlsx open/s],
  ])('%s is refused for what it is', async (name, content, says) => {
    const error = await refusal(rehearse({ [name]: content, 'templates/t.txt': textTemplate('x') }, {}, [name]))
    expect(`${error.message} ${error.hint}`).toMatch(says)
  })

  test('but a page of instructions before one: the error names the sheet to give', async () => {
    const office = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'
    const packages = 'http://schemas.openxmlformats.org/package/2006/relationships'
    const sheet = (rows: string) => `<worksheet><sheetData>${rows}</sheetData></worksheet>`
    const list = writeZip({
      '_rels/.rels': `<Relationships xmlns="${packages}"><Relationship Id="r" Type="${office}/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
      'xl/workbook.xml': `<workbook xmlns:r="${office}"><sheets><sheet name="Read me" r:id="a"/><sheet name="People" r:id="b"/></sheets></workbook>`,
      'xl/_rels/workbook.xml.rels': `<Relationships><Relationship Id="a" Type="${office}/worksheet" Target="worksheets/a.xml"/><Relationship Id="b" Type="${office}/worksheet" Target="worksheets/b.xml"/></Relationships>`,
      'xl/worksheets/a.xml': sheet(textRow(1, 'Fill in the next sheet, please.')),
      'xl/worksheets/b.xml': sheet(textRow(1, 'name', 'email') + textRow(2, 'Ann', 'a@example.com')),
    })
    const error = await refusal(rehearse({ 'list.xlsx': list, 'templates/t.txt': textTemplate('{{name}}') }))
    expect(error.hint).toContain('--sheet People')
  })
})

test('the euro sign of a Mac is a euro sign', async () => {
  const list = Buffer.concat([
    Buffer.from('email;name;note\ra@example.com;Zo'),
    Buffer.from([0x91]),
    Buffer.from(';Gr'),
    Buffer.from([0x9f, 0xa7]),
    Buffer.from('e '),
    Buffer.from([0xd2]),
    Buffer.from('beste'),
    Buffer.from([0xd3]),
    Buffer.from(' 5 '),
    Buffer.from([0xdb]),
    Buffer.from('\rb@example.com;Clo'),
    Buffer.from([0x91]),
    Buffer.from(';x\r'),
  ])
  const texts = await rehearse({ 'list.csv': list, 'templates/t.txt': textTemplate('{{name}} {{note}}') })
  expect(texts['a@example.com']).toBe('Zoë Grüße “beste” 5 €')
})

describe('hostile lists end soon', () => {
  test('a gzip of blanks is refused before it fills the disk of anybody', async () => {
    const bomb = gzipSync(Buffer.concat([Buffer.from('email,name\n'), Buffer.alloc(80 << 20, '\n')]), { level: 9 })
    const files = { 'list.csv.gz': bomb, 'templates/t.txt': textTemplate('x') }
    expect((await refusal(rehearse(files, {}, ['list.csv.gz']))).message).toMatch(/unpacks to more than 200 times/)
  })

  test.each([
    ['blanks in a cell', `email,name\na@example.com,"a${' '.repeat(900_000)}b"\n`],
    ['points in a cell', `email,name\na@example.com,a@${'.'.repeat(900_000)}@\n`],
    ['digits and commas in a cell', `email,name\na@example.com,"${'1,'.repeat(400_000)}x"\n`],
    ['blanks in a column name', `email,"name${' '.repeat(900_000)}x"\na@example.com,Ann\n`],
  ])('%s, for every condition and helper', { timeout: 30_000 }, async (_, list) => {
    const column = list.startsWith('email,name\n') ? 'name' : 'email'
    const body = `{{#if (eq ${column} 5)}}x{{/if}}{{#if (contains ${column} "zz")}}x{{/if}}{{truncate ${column} 3}}`
    const texts = await rehearse(csv(list, textTemplate(body)), {
      where: [`${column}!=1234.5`, `${column}!=2026-12-24`],
    })
    expect(Object.keys(texts)).toEqual(['a@example.com'])
  })

  test('a first row of JSON over 1 MiB is read, one over 2 MiB named', async () => {
    const list = (size: number) => `[{"email":"a@example.com","name":"Ann","bio":"${'x'.repeat(size)}"}]`
    const files = (size: number) => ({ 'list.json': list(size), 'templates/t.txt': textTemplate('{{name}}') })
    expect(await rehearse(files(1_500_000))).toEqual({ 'a@example.com': 'Ann' })
    expect((await refusal(rehearse(files(2_500_000)))).message).toMatch(/a row is longer than 2 MiB/)
  })
})
