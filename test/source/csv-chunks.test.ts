/** A long list is parsed on a second thread: nothing about its rows may tell. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RecordThread } from '../../src/source/csv/chunks.ts'
import { type Reading, RecordReader } from '../../src/source/csv/parser.ts'
import { openSource } from '../../src/source/open.ts'
import { readAll } from './read.ts'

const DIALECT = { delimiter: ',', bareCr: false }
const OPEN = resolve(import.meta.dirname, '../../src/source/open.ts')

type Reader = Pick<RecordReader, 'write' | 'end'>

/** All that the chunks hold; after a break there is no more. */
async function readingsOf(reader: Reader, chunks: readonly Buffer[]): Promise<readonly Reading[]> {
  const readings: Reading[] = []
  for (const read of [...chunks.map((chunk) => () => reader.write(chunk)), () => reader.end()]) {
    const reading = await read()
    readings.push(reading)
    if (reading.broken !== undefined) break
  }
  return readings
}

describe('records read on a thread of their own', () => {
  test('are those that are read in turn, wherever the chunks are cut', async () => {
    const letters = fc.constantFrom('a', '"', '""', ',', '\r\n', '\n', '\r', 'é', '€', '😀', '\0', ' ')
    const text = fc.array(letters, { maxLength: 200 }).map((all) => all.join(''))
    await fc.assert(
      fc.asyncProperty(
        text,
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 3 }),
        async (all, size, line) => {
          const octets = Buffer.from(all)
          const chunks = Array.from({ length: Math.ceil(octets.length / size) }, (_, at) =>
            octets.subarray(at * size, (at + 1) * size),
          )
          const thread = new RecordThread(DIALECT, line)
          try {
            expect(await readingsOf(thread, chunks)).toEqual(await readingsOf(new RecordReader(DIALECT, line), chunks))
          } finally {
            await thread.close()
          }
        },
      ),
      { numRuns: 25 },
    )
  })

  test('come in the order of the chunks, which need not wait for each other', async () => {
    const thread = new RecordThread(DIALECT, 1)
    const written = Array.from({ length: 50 }, (_, at) => thread.write(Buffer.from(`${at},a\n`)))
    const rows = [...(await Promise.all(written)), await thread.end()].flatMap(({ cells }) => cells)
    expect(rows.map(([first]) => Number(first))).toEqual(Array.from({ length: 50 }, (_, at) => at))
    await thread.close()
  })

  test('are an error, not a wait without end, when the thread is gone', async () => {
    const thread = new RecordThread(DIALECT, 1)
    const asked = thread.write(Buffer.from('a,b\n'))
    asked.catch(() => {})
    await thread.close()
    await expect(thread.write(Buffer.from('c,d\n'))).rejects.toThrow('ended')
  })
})

describe('a list of 9 MB', () => {
  let dir: string
  let list: string
  const ROWS = 120_000

  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'mailmerge-long-'))
    list = join(dir, 'list.csv')
    const lines = ['sep=,', 'email,name,note']
    for (let row = 1; row <= ROWS; row++) {
      if (row % 1000 === 0) lines.push(`p${row}@example.com,"Ädä ""${row}""","two\r\nlines, and ${'more '.repeat(10)}"`)
      else if (row % 1777 === 0) lines.push(`p${row}@example.com,short`)
      else if (row % 1999 === 0) lines.push(`p${row}@example.com,"Ada" x,stray quote`)
      else if (row % 2003 === 0) lines.push(`p${row}@example.com,N\0L,`, '')
      else lines.push(`p${row}@example.com,Ada ${row},a note of some length on the row ${row} of the list`)
    }
    writeFileSync(list, `${lines.join('\r\n')}\r\n`)
    writeFileSync(`${list}.gz`, gzipSync(`${lines.join('\r\n')}\r\n`, { level: 1 }))
  })
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  test('gives the same rows, lines and problems as in a pipe, of which nobody knows how long it is', async () => {
    const long = await readAll(await openSource({ from: { kind: 'file', path: list } }))
    const piped = await readAll(await openSource({ from: { kind: 'file', path: `${list}.gz` } }))
    expect(long.rows.length).toBe(ROWS)
    expect(long.rows.filter(({ problems }) => problems !== undefined).length).toBeGreaterThan(150)
    const asText = (rows: typeof long.rows) => JSON.stringify(rows).replaceAll('list.csv.gz', 'list.csv')
    expect(asText(long.rows) === asText(piped.rows)).toBe(true)
  })

  test('can be left after its first rows: the thread ends, and so does the program', () => {
    const program = `
      const { openSource } = await import(${JSON.stringify(OPEN)})
      const source = await openSource({ from: { kind: 'file', path: ${JSON.stringify(list)} } })
      for await (const rows of source.rows()) { console.log(rows[0].data.email); break }
      const unread = source.rows()`
    const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { timeout: 20_000 })
    expect([status, String(stdout)]).toEqual([0, 'p1@example.com\n'])
  })
})
