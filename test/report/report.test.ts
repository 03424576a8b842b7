/** How a report gets to its file: whole or not at all, and with little memory. */
import { execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { OutputError, UsageError } from '../../src/errors.ts'
import type { ResultRow } from '../../src/ledger/records.ts'
import { checkWritable, formatOf, writeReport } from '../../src/report/report.ts'
import { reportHeadOf } from '../support/report-head.ts'

const HEAD = reportHeadOf()
let dir: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'mailmerge-report-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

function row(number: number): ResultRow {
  return { row: number, key: 'k', address: `p${number}@example.com`, status: 'sent', reason: '', attempts: 1 }
}

async function* two(): AsyncGenerator<readonly ResultRow[]> {
  yield [row(1)]
  yield [row(2)]
}

async function* broken(): AsyncGenerator<readonly ResultRow[]> {
  yield [row(1)]
  throw new Error('the ledger went away')
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
}

test.each([
  ['r.csv', 'csv'],
  ['r.JSON', 'json'],
  ['r.ndjson', 'json'],
  ['r.jsonl', 'json'],
  ['a/b.html', 'html'],
  ['/dev/stdout', 'csv'],
])('the ending of %s asks for %s', (path, format) => expect(formatOf(path)).toBe(format))

test('another ending is wrong usage, said before anything is sent', async () => {
  expect(await failure(checkWritable(join(dir, 'r.txt')))).toBeInstanceOf(UsageError)
})

test('a report takes the place of an older one, and leaves no draft', async () => {
  const path = join(dir, 'r.csv')
  writeFileSync(path, 'old')
  await writeReport(path, two(), HEAD)
  expect(readFileSync(path, 'utf8').split('\r\n')).toHaveLength(4)
  expect(readdirSync(dir)).toEqual(['r.csv'])
})

test('an older report stays as it is when the new one cannot be finished', async () => {
  const path = join(dir, 'r.csv')
  writeFileSync(path, 'old')
  expect(await failure(writeReport(path, broken(), HEAD))).toMatchObject({ message: 'the ledger went away' })
  expect(readFileSync(path, 'utf8')).toBe('old')
  expect(readdirSync(dir)).toEqual(['r.csv'])
})

test('a link stays a link', async () => {
  mkdirSync(join(dir, 'real'))
  writeFileSync(join(dir, 'real/r.json'), '')
  symlinkSync(join(dir, 'real/r.json'), join(dir, 'link.json'))
  await writeReport(join(dir, 'link.json'), two(), HEAD)
  expect(readFileSync(join(dir, 'real/r.json'), 'utf8').split('\n')).toHaveLength(3)
})

test.each([
  ['a folder that is missing', () => join(dir, 'none/r.csv')],
  ['a folder in its place', () => join(dir, 'folder.csv')],
  ['a name that is too long', () => join(dir, `${'x'.repeat(300)}.csv`)],
  ['a file for a folder', () => join(dir, 'file/r.csv')],
])('%s is found before anything is sent, and named', async (_what, path) => {
  mkdirSync(join(dir, 'folder.csv'))
  writeFileSync(join(dir, 'file'), '')
  const error = await failure(checkWritable(path()))
  expect(error).toBeInstanceOf(OutputError)
  expect(String(error)).toContain(path())
})

test.skipIf(process.getuid?.() === 0)('a read-only folder is found before anything is sent', async () => {
  chmodSync(dir, 0o500)
  const error = await failure(checkWritable(join(dir, 'r.csv')))
  chmodSync(dir, 0o700)
  expect(error).toMatchObject({ exitCode: 73, message: expect.stringContaining('permission denied') })
})

test('looking whether a report can be written leaves nothing behind', async () => {
  await checkWritable(join(dir, 'r.csv'))
  expect(readdirSync(dir)).toEqual([])
})

test('a pipe is written to and stays a pipe', async () => {
  const path = join(dir, 'pipe.csv')
  execFileSync('mkfifo', [path])
  await checkWritable(path)
  const reader = spawn('cat', [path])
  let read = ''
  reader.stdout.on('data', (chunk) => {
    read += String(chunk)
  })
  const closed = new Promise((done) => reader.on('close', done))
  await writeReport(path, two(), HEAD)
  await closed
  expect(read.split('\r\n')).toHaveLength(4)
  expect(statSync(path).isFIFO()).toBe(true)
})

test.skipIf(!existsSync('/dev/full'))('a full disk is reported with the path', async () => {
  const error = await failure(writeReport('/dev/full', two(), HEAD))
  expect(error).toMatchObject({ exitCode: 73, message: expect.stringMatching(/\/dev\/full.*disk is full/) })
})

test('standard output takes a report by its name, also where it is a pipe or a socket', () => {
  const report = resolve(import.meta.dirname, '../../src/report/report.ts')
  const program = `import { writeReport } from ${JSON.stringify(report)}
    await writeReport('/dev/stdout', (async function* () { yield [${JSON.stringify(row(1))}] })(), ${JSON.stringify(HEAD)})`
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  expect(output).toMatch(/^row,key,.*\r\n1,k,p1@example.com,sent,/)
})

test('a report of 300,000 rows is written batch by batch', async () => {
  const batch = Array.from({ length: 1000 }, (_, i) => row(i + 1))
  let ahead = 0
  let most = 0
  async function* many(): AsyncGenerator<readonly ResultRow[]> {
    const before = process.memoryUsage().arrayBuffers
    for (let i = 0; i < 300; i++) {
      ahead = process.memoryUsage().arrayBuffers - before
      most = Math.max(most, ahead)
      yield batch
    }
  }
  const path = join(dir, 'r.csv')
  await writeReport(path, many(), HEAD)
  expect(statSync(path).size).toBeGreaterThan(10_000_000)
  expect(most).toBeLessThan(8_000_000)
})
