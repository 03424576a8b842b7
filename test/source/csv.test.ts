import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DataError } from '../../src/errors.ts'
import { readText } from './read.ts'

const CORPUS = join(import.meta.dirname, '../../../shared/corpora/csv-spectrum')

describe.skipIf(!existsSync(CORPUS))('csv-spectrum (skipped where ../shared/corpora is absent)', () => {
  const names = existsSync(CORPUS) ? readdirSync(join(CORPUS, 'csvs')).map((file) => file.replace(/\.csv$/, '')) : []
  test.each(names)('%s is read as its JSON says', async (name) => {
    let text = readFileSync(join(CORPUS, 'csvs', `${name}.csv`), 'utf8')
    // The files lost their CRLF on their way through git; their expectations have kept it.
    if (name.endsWith('_crlf')) text = text.replaceAll('\n', '\r\n')
    const expected = JSON.parse(readFileSync(join(CORPUS, 'json', `${name}.json`), 'utf8'))
    // This one expectation is a single object with another telephone number than its list.
    if (name === 'location_coordinates') expected['Contact Phone Number'] = '2095257564'
    const { data, rows } = await readText(text)
    expect(data).toEqual([expected].flat())
    expect(rows.filter((row) => row.problems !== undefined)).toEqual([])
  })
})

describe('dialects', () => {
  const expected = [
    { email: 'a@example.com', name: 'Doe, Jane', note: 'x;y|z' },
    { email: 'b@example.com', name: 'Bob', note: '' },
  ]
  test.each([
    ['comma', 'email,name,note\na@example.com,"Doe, Jane",x;y|z\nb@example.com,Bob,\n'],
    ['semicolon', 'email;name;note\na@example.com;Doe, Jane;"x;y|z"\nb@example.com;Bob;\n'],
    ['tab', 'email\tname\tnote\na@example.com\tDoe, Jane\tx;y|z\nb@example.com\tBob\t\n'],
    ['pipe', 'email|name|note\na@example.com|Doe, Jane|"x;y|z"\nb@example.com|Bob|\n'],
    ['CRLF', 'email,name,note\r\na@example.com,"Doe, Jane",x;y|z\r\nb@example.com,Bob,\r\n'],
    ['CR', 'email,name,note\ra@example.com,"Doe, Jane",x;y|z\rb@example.com,Bob,\r'],
    ['mixed line ends', 'email,name,note\r\na@example.com,"Doe, Jane",x;y|z\nb@example.com,Bob,\r\n'],
    ['no line end at the end', 'email,name,note\na@example.com,"Doe, Jane",x;y|z\nb@example.com,Bob,'],
    ['UTF-8 mark', '\u{FEFF}email,name,note\na@example.com,"Doe, Jane",x;y|z\nb@example.com,Bob,\n'],
    ['sep= line', 'sep=;\r\nemail;name;note\r\na@example.com;Doe, Jane;"x;y|z"\r\nb@example.com;Bob;\r\n'],
    ['mark and sep= line', '\u{FEFF}"sep=|"\nemail|name|note\na@example.com|Doe, Jane|"x;y|z"\nb@example.com|Bob|\n'],
    ['blank lines around', '\n\nemail,name,note\na@example.com,"Doe, Jane",x;y|z\n\nb@example.com,Bob,\n,,\n \n\n'],
    ['empty columns at the end', 'email,name,note,,\na@example.com,"Doe, Jane",x;y|z,,\nb@example.com,Bob,,,\n'],
  ])('%s gives the same rows', async (_name, text) => {
    for (const size of [1, 7, 1 << 16]) {
      const { data, rows } = await readText(text, {}, size)
      expect(data).toEqual(expected)
      expect(rows.flatMap((row) => row.problems ?? [])).toEqual([])
    }
  })

  test('a comma in the header of a semicolon list does not hide the semicolon', async () => {
    const { source } = await readText('Name, Vorname;E-Mail\nDoe, J;j@example.com\nRoe, K;k@example.com\n')
    expect(source.columns).toEqual(['Name, Vorname', 'E-Mail'])
    expect(source.notes).toContain('the delimiter is the semicolon')
  })

  test('a delimiter that is named is taken, by its word too', async () => {
    const { source } = await readText('a,b;c,d\n1,2;3,4\n', { delimiter: 'semicolon' })
    expect(source.columns).toEqual(['a,b', 'c,d'])
  })

  test('signs that delimit together are taken', async () => {
    expect((await readText('a||b\n1||2\n', { delimiter: '||' })).source.columns).toEqual(['a', 'b'])
  })

  test('a sheet that is asked of a list without sheets is reported', async () => {
    const { source } = await readText('email\na@b.example\n', { sheet: 'People' })
    expect(source.notes).toEqual([expect.stringContaining("is not a workbook: it has no sheet 'People'")])
  })

  test('columns without a name at the end are left out with a note, and a value in one is a problem', async () => {
    const { source, rows } = await readText('email,name,,\na@b.example,Ann,,\nb@b.example,Bob,x,\n')
    expect(source.columns).toEqual(['email', 'name'])
    expect(source.notes).toContain('left out 2 columns without a name')
    expect(rows[0]?.problems).toBeUndefined()
    expect(rows[1]?.problems).toMatchObject([{ code: 'ragged-row', row: 2, line: 3, column: '3', value: 'x' }])
  })
})

describe('lines', () => {
  test('rows know the line they begin on, whatever their cells hold', async () => {
    const text = 'email,note\r\n\r\na@b.example,"two\r\nlines"\r\nb@b.example,"one\n\ntwo"\r\n\r\nc@b.example,x\r\n'
    for (const size of [1, 5, 1 << 16]) {
      const { rows } = await readText(text, {}, size)
      expect(rows.map((row) => [row.number, row.line])).toEqual([
        [1, 3],
        [2, 5],
        [3, 9],
      ])
    }
  })

  test('the sep= line counts as a line', async () => {
    const { rows } = await readText('sep=,\nemail\na@b.example\n')
    expect(rows.map((row) => row.line)).toEqual([3])
  })
})

describe('names that are words of the language', () => {
  test('are columns like others, and rows have no prototype', async () => {
    const { rows, source } = await readText('__proto__,constructor,toString,email\nx,y,z,a@b.example\n')
    expect(source.columns).toEqual(['__proto__', 'constructor', 'toString', 'email'])
    const data = rows[0]?.data ?? {}
    expect(Object.getPrototypeOf(data)).toBe(null)
    expect(Object.entries(data)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
      ['toString', 'z'],
      ['email', 'a@b.example'],
    ])
    expect('hasOwnProperty' in data).toBe(false)
    expect(({} as Record<string, unknown>)['x']).toBeUndefined()
  })

  test('the same in a list too wide for generated code', async () => {
    const names = ['__proto__', ...Array.from({ length: 400 }, (_, i) => `c${i}`)]
    const { rows } = await readText(`${names.join(',')}\n${names.map((_, i) => i).join(',')}\n`)
    expect(Object.getPrototypeOf(rows[0]?.data)).toBe(null)
    expect(Object.keys(rows[0]?.data ?? {})).toEqual(names)
    expect(Object.getOwnPropertyDescriptor(rows[0]?.data, '__proto__')?.value).toBe('0')
  })
})

describe('rows that are not right carry their problems', () => {
  test.each([
    ['too few cells', 'email,name,city\na@b.example,Ann\n', { code: 'ragged-row', row: 1, line: 2 }],
    ['too many cells', 'email,name\na@b.example,Ann,x\n', { code: 'ragged-row', row: 1, line: 2, value: 'x' }],
    ['a NUL', 'email,name\na@b.example,A\0nn\n', { code: 'nul-character', column: 'name', value: 'A␀nn' }],
    ['text after a quote', 'email,name\na@b.example,"Ann"a\n', { code: 'stray-quote', column: 'name' }],
    ['a long cell', `email,name\na@b.example,${'x'.repeat(1 << 20)}y\n`, { code: 'cell-too-long', column: 'name' }],
  ])('%s', async (_name, text, problem) => {
    for (const size of [3, 1 << 16]) {
      if (size === 3 && text.length > 1000) continue
      const { rows } = await readText(text, {}, size)
      expect(rows).toHaveLength(1)
      expect(rows[0]?.problems).toMatchObject([
        { severity: 'error', file: 'standard input', row: 1, line: 2, ...problem },
      ])
      expect(rows[0]?.problems?.[0]?.hint).toBeTruthy()
      expect(rows[0]?.data['email']).toBe('a@b.example')
    }
  })

  test('only the row with the fault, not its neighbours', async () => {
    const { rows } = await readText(
      'email,name\na@b.example,"A ""x"" nn"\nb@b.example,"b"b\nc@b.example,"c\0"\nd@b.example,d\n',
    )
    expect(rows.map((row) => row.problems?.map((problem) => problem.code))).toEqual([
      undefined,
      ['stray-quote'],
      ['nul-character'],
      undefined,
    ])
  })

  test('a quote within a cell that begins with none is a letter like others', async () => {
    const { rows, data } = await readText('email,name\na@b.example,5" pipe "x"\nb@b.example,"""q"" r"\n')
    expect(rows.flatMap((row) => row.problems ?? [])).toEqual([])
    expect(data.map((row) => row['name'])).toEqual(['5" pipe "x"', '"q" r'])
  })
})

describe('a quote that is never closed', () => {
  test('is named by row and column at the end of a short list', async () => {
    const reading = readText('email,name\na@b.example,Ann\nb@b.example,"Bob\nc@b.example,Cy\n')
    await expect(reading).rejects.toThrow(/line 3 .*column 'name' that is never closed/)
    await expect(reading).rejects.toThrow(DataError)
  })

  test('stops reading after a bounded amount of a long one', async () => {
    let given = 0
    const { openSource } = await import('../../src/source/open.ts')
    const { Readable } = await import('node:stream')
    async function* endless() {
      yield Buffer.from('email,name\na@b.example,Ann\nb@b.example,"Bob\n')
      for (;;) {
        given += 1 << 16
        yield Buffer.alloc(1 << 16, 'c@b.example,Cy\n')
      }
    }
    const source = await openSource({ from: { kind: 'stdin' } }, { stdin: Readable.from(endless()) })
    const reading = (async () => {
      for await (const _batch of source.rows());
    })()
    await expect(reading).rejects.toThrow(/line 3 .*column 'name'/)
    expect(given).toBeLessThan(8 << 20)
  })
})

test('batches are bounded, and give every row once and in order', async () => {
  const text = `email\n${Array.from({ length: 5000 }, (_, i) => `user${i}@example.com\n`).join('')}`
  const { openSource } = await import('../../src/source/open.ts')
  const { Readable } = await import('node:stream')
  const source = await openSource({ from: { kind: 'stdin' } }, { stdin: Readable.from([Buffer.from(text)]) })
  const numbers: number[] = []
  for await (const batch of source.rows()) {
    expect(batch.length).toBeLessThanOrEqual(1000)
    numbers.push(...batch.map((row) => row.number))
  }
  expect(numbers).toEqual(Array.from({ length: 5000 }, (_, i) => i + 1))
})

test('any table, written in any dialect and cut anywhere, is read as it was', async () => {
  const cell = fc.string({
    unit: fc.constantFrom('a', 'é', '山', '😀', '"', ',', ';', '\t', '|', '\n', '\r\n', ' '),
    maxLength: 6,
  })
  const width = 3
  const table = fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 6 })
  const ends = fc.constantFrom('\n', '\r\n')
  const delimiters = fc.constantFrom(',', ';', '\t', '|')
  await fc.assert(
    fc.asyncProperty(
      table,
      delimiters,
      ends,
      fc.boolean(),
      fc.integer({ min: 1, max: 40 }),
      async (cells, delimiter, end, all, size) => {
        const write = (text: string) =>
          all || /["\r\n]/.test(text) || text.includes(delimiter) ? `"${text.replaceAll('"', '""')}"` : text
        let text = ['one', 'two', 'three'].join(delimiter) + end
        let line = 2
        const expected: unknown[] = []
        for (const row of cells) {
          const record = row.map(write).join(delimiter) + end
          // A row that holds nothing is not a row.
          if (row.some((value) => value.trim() !== '')) expected.push([line, ...row])
          text += record
          line += record.split('\n').length - 1
        }
        const { rows } = await readText(text, { delimiter }, size)
        expect(rows.map((row) => [row.line, row.data['one'], row.data['two'], row.data['three']])).toEqual(expected)
        expect(rows.flatMap((row) => row.problems ?? [])).toEqual([])
      },
    ),
    { numRuns: 300 },
  )
})
