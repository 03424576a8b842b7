import { execFile, spawn } from 'node:child_process'
import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { DataError, InputError } from '../../src/errors.ts'
import { openSource } from '../../src/source/open.ts'
import { readAll, readText } from './read.ts'

const dir = mkdtempSync(join(tmpdir(), 'mailmerge-source-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const LIST = 'email,name\na@example.com,Ann\nb@example.com,Bob\n'
const ROWS = [
  { email: 'a@example.com', name: 'Ann' },
  { email: 'b@example.com', name: 'Bob' },
]

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(dir, name), content)
  return name
}

const read = async (path: string) => readAll(await openSource({ from: { kind: 'file', path } }, { cwd: dir }))

describe('where lists come from', () => {
  test('a file, named and stemmed as the user gave it', async () => {
    const { source, data } = await read(file('guests 2026.csv', LIST))
    expect(data).toEqual(ROWS)
    expect([source.name, source.stem]).toEqual(['guests 2026.csv', 'guests 2026'])
  })

  test('a gzip file, known by its bytes', async () => {
    const { source, data } = await read(file('list.csv.gz', gzipSync(LIST)))
    expect(data).toEqual(ROWS)
    expect(source.stem).toBe('list')
    expect(source.notes).toContain('unpacked from gzip')
    expect((await read(file('zipped.csv', gzipSync(LIST)))).data).toEqual(ROWS)
  })

  test('standard input, plain and gzip, in any pieces', async () => {
    for (const content of [LIST, gzipSync(LIST)]) {
      for (const size of [1, 1 << 16]) expect((await readText(content, {}, size)).data).toEqual(ROWS)
    }
    const source = await openSource({ from: { kind: 'stdin' } }, { stdin: Readable.from([Buffer.from(LIST)]) })
    expect([source.name, source.stem]).toEqual(['standard input', 'stdin'])
  })

  test('a named pipe', async () => {
    const pipe = join(dir, 'pipe.csv')
    await promisify(execFile)('mkfifo', [pipe])
    const writer = spawn('sh', ['-c', `printf '%s' "$0" > "$1"`, LIST, pipe])
    const { data } = await read('pipe.csv')
    expect(data).toEqual(ROWS)
    await new Promise((done) => (writer.exitCode === null ? writer.once('exit', done) : done(0)))
  })

  test('only as far as it is wanted: an endless one can be left', async () => {
    async function* endless() {
      yield 'email\n'
      for (;;) yield 'a@example.com\n'.repeat(1000)
    }
    const source = await openSource({ from: { kind: 'stdin' } }, { stdin: Readable.from(endless()) })
    for await (const batch of source.rows()) {
      expect(batch.length).toBeGreaterThan(0)
      break
    }
  })
})

describe('what cannot be read', () => {
  test('no such file, with the nearest name', async () => {
    file('people.csv', LIST)
    const error = await read('peple.csv').catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(InputError)
    expect(error).toMatchObject({
      message: 'there is no list peple.csv',
      hint: 'Did you mean people.csv?',
      exitCode: 66,
    })
  })

  test('an address on the web, which is reported as one', async () => {
    await expect(read('https://example.com/list.csv')).rejects.toThrow(/is an address, and a list is a file/)
  })

  test('a folder', async () => {
    mkdirSync(join(dir, 'folder.csv'))
    await expect(read('folder.csv')).rejects.toThrow('folder.csv is a folder, not a list')
  })

  test.skipIf(process.getuid?.() === 0)('a file that the user may not read (skipped for root, who may)', async () => {
    chmodSync(join(dir, file('secret.csv', LIST)), 0)
    await expect(read('secret.csv')).rejects.toThrow(/permission denied/)
  })

  test('a socket', async () => {
    const server = createServer()
    await new Promise<void>((done) => server.listen(join(dir, 'socket.csv'), done))
    await expect(read('socket.csv')).rejects.toThrow(InputError)
    await new Promise((done) => server.close(done))
  })

  test('a device without end', async () => {
    await expect(read('/dev/zero')).rejects.toThrow('/dev/zero is not text')
  })

  test('a terminal as standard input', async () => {
    const terminal = Object.assign(Readable.from([]), { isTTY: true })
    await expect(openSource({ from: { kind: 'stdin' } }, { stdin: terminal })).rejects.toThrow(
      /is a terminal, not a list/,
    )
  })

  test('standard input that breaks off', async () => {
    async function* broken() {
      yield Buffer.from(LIST)
      throw new Error('gone')
    }
    await expect(openSource({ from: { kind: 'stdin' } }, { stdin: Readable.from(broken()) })).rejects.toThrow(
      'standard input ended early: gone',
    )
  })

  test('gzip cut off', async () => {
    const packed = gzipSync(LIST.repeat(100))
    const reading = read(file('cut.csv.gz', packed.subarray(0, packed.length - 10)))
    await expect(reading).rejects.toThrow(/is damaged: it cannot be unpacked from gzip/)
    await expect(reading).rejects.toThrow(DataError)
  })
})

describe('a list that changes while it is read stops reading', () => {
  test.each([
    ['grows', (path: string) => appendFileSync(path, 'c@example.com,Cy\n')],
    ['is replaced', (path: string) => writeFileSync(path, LIST.replaceAll('Ann', 'Eve'))],
    ['is cut', (path: string) => writeFileSync(path, LIST.slice(0, 30))],
    ['vanishes', (path: string) => rmSync(path)],
  ])('%s', async (_name, change) => {
    const name = file('changing.csv', LIST)
    const source = await openSource({ from: { kind: 'file', path: name } }, { cwd: dir })
    change(join(dir, name))
    await expect(readAll(source)).rejects.toThrow(InputError)
  })
})
