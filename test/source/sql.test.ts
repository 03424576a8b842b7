import { execFileSync, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DataError, InputError, type MailmergeError, UnreachableError } from '../../src/errors.ts'
import { openSource } from '../../src/source/open.ts'
import { readAll } from './read.ts'

const dir = mkdtempSync(join(tmpdir(), 'mailmerge-sql-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const read = async (query: string, database: string) =>
  readAll(await openSource({ from: { kind: 'query', query, database } }, { cwd: dir }))

describe('SQLite', () => {
  beforeAll(() => {
    const db = new DatabaseSync(join(dir, 'people.db'))
    db.exec(`CREATE TABLE people (email TEXT, name TEXT, points INTEGER, id INTEGER, photo BLOB, note);
      INSERT INTO people VALUES ('a@example.com', 'Ann', 5, 9223372036854775807, x'0001ff', NULL)`)
    const insert = db.prepare('INSERT INTO people VALUES (?, ?, ?, ?, NULL, 1.5)')
    db.exec('BEGIN')
    for (let i = 0; i < 1200; i++) insert.run(`user${i}@example.com`, `U ${i}`, i, i)
    db.exec('COMMIT')
    db.close()
  })

  test('a query gives its rows in order, in batches, with their types', async () => {
    const { source, data, rows } = await read('SELECT * FROM people ORDER BY rowid', 'people.db')
    expect([source.name, source.stem]).toEqual(['people.db', 'people'])
    expect(source.columns).toEqual(['email', 'name', 'points', 'id', 'photo', 'note'])
    expect(data[0]).toEqual({
      email: 'a@example.com',
      name: 'Ann',
      points: 5,
      id: '9223372036854775807',
      photo: 'AAH/',
      note: '',
    })
    expect(rows.map((row) => row.number)).toEqual(Array.from({ length: 1201 }, (_, i) => i + 1))
    expect(data[1200]).toMatchObject({ email: 'user1199@example.com', points: 1199, note: 1.5 })
  })

  test('column names of any kind', async () => {
    const { rows } = await read(`SELECT 1 AS "__proto__", 'a@example.com' AS "E-Mail 1"`, 'people.db')
    expect(Object.entries(rows[0]?.data ?? {})).toEqual([
      ['__proto__', 1],
      ['E-Mail 1', 'a@example.com'],
    ])
  })

  test.each([
    ['a database that is not there', 'SELECT 1', 'nobody.db', InputError, /there is no database nobody.db/],
    ['a table that is not there', 'SELECT * FROM persons', 'people.db', DataError, /no such table: persons/],
    ['a statement that writes', 'DELETE FROM people', 'people.db', DataError, /gives 0 columns/],
    ['one that writes and answers', 'DELETE FROM people RETURNING email', 'people.db', DataError, /readonly database/],
    ['a column twice', 'SELECT email, name AS email FROM people', 'people.db', DataError, /'email' twice/],
  ])('%s is refused', async (_name, query, database, kind, message) => {
    await expect(read(query, database)).rejects.toThrow(message)
    await expect(read(query, database)).rejects.toThrow(kind)
    expect((await read('SELECT count(*) AS n FROM people', 'people.db')).data).toEqual([{ n: 1201 }])
  })

  test('a file that is not a database', async () => {
    await expect(read('SELECT 1', join(import.meta.dirname, 'sql.test.ts'))).rejects.toThrow(
      /failed: file is not a database/,
    )
  })
})

const BINARIES = '/usr/lib/postgresql'
const version = existsSync(BINARIES) ? readdirSync(BINARIES).sort().at(-1) : undefined

describe.skipIf(version === undefined)('PostgreSQL (skipped where /usr/lib/postgresql is absent)', () => {
  let address = ''
  let stop = async () => {}

  beforeAll(async () => {
    const server = await startPostgres(join(BINARIES, version ?? '', 'bin'))
    address = server.address
    stop = server.stop
  })
  afterAll(() => stop())

  test('a query gives its rows in order, in batches, with their types', async () => {
    const query = `SELECT 'user' || i || '@example.com' AS email, i AS points, i % 2 = 0 AS even, 9007199254740993::bigint AS id,
      12.50::numeric AS price, DATE '2026-03-31' AS day, jsonb_build_object('city', 'Rome') AS home, NULL AS "E-Mail 2"
      FROM generate_series(1, 1203) AS i`
    const { source, data, rows } = await read(query, address)
    expect(source.columns).toEqual(['email', 'points', 'even', 'id', 'price', 'day', 'home', 'E-Mail 2'])
    expect(data[1]).toEqual({
      email: 'user2@example.com',
      points: 2,
      even: true,
      id: '9007199254740993',
      price: '12.50',
      day: '2026-03-31',
      home: { city: 'Rome' },
      'E-Mail 2': '',
    })
    expect(rows.map((row) => row.number)).toEqual(Array.from({ length: 1203 }, (_, i) => i + 1))
  })

  test('a query without rows still has its columns', async () => {
    const { source, data } = await read('SELECT 1 AS email WHERE false', address)
    expect([source.columns, data]).toEqual([['email'], []])
  })

  test.each([
    ['a statement that writes', 'CREATE TABLE x AS SELECT 1 AS email', /read-only transaction/],
    ['two statements', 'SELECT 1 AS a; DROP TABLE x', /multiple commands/],
    ['a table that is not there', 'SELECT * FROM persons', /relation "persons" does not exist/],
    ['a column twice', 'SELECT 1 AS a, 2 AS a', /'a' twice/],
  ])('%s is refused', async (_name, query, message) => {
    await expect(read(query, address)).rejects.toThrow(message)
    await expect(read(query, address)).rejects.toThrow(DataError)
  })

  test('a query that fails on a late row stops reading', async () => {
    const query = 'SELECT 1 / (1000 - i) AS x FROM generate_series(1, 2000) AS i'
    await expect(read(query, address)).rejects.toThrow(/division by zero/)
  })
})

test('a server that cannot be reached is named without its password', async () => {
  const error = await read('SELECT 1', 'postgres://ann:hunter2@127.0.0.1:1/people').catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(UnreachableError)
  expect((error as MailmergeError).message).toMatch(/^the database server 127\.0\.0\.1:1 cannot be reached/)
  expect(JSON.stringify([(error as MailmergeError).message, (error as MailmergeError).hint])).not.toContain('hunter2')
})

/** A server of its own on a free port of loopback, gone with the test. */
async function startPostgres(
  binaries: string,
): Promise<{ readonly address: string; readonly stop: () => Promise<void> }> {
  // PostgreSQL does not run as root.
  const user = process.getuid?.() === 0 ? postgresUser() : {}
  const home = mkdtempSync(join(tmpdir(), 'mailmerge-pg-'))
  if (user.uid !== undefined) chownSync(home, user.uid, user.gid ?? user.uid)
  const data = join(home, 'data')
  execFileSync(join(binaries, 'initdb'), ['-D', data, '-U', 'test', '-A', 'trust', '--no-sync', '-E', 'UTF8'], {
    ...user,
    cwd: home,
    stdio: 'ignore',
  })
  const port = await freePort()
  const server = spawn(
    join(binaries, 'postgres'),
    ['-D', data, '-p', `${port}`, '-k', home, '-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off'],
    { ...user, cwd: home, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  await new Promise<void>((ready, failed) => {
    let said = ''
    server.stderr.on('data', (text) => {
      said += text
      if (said.includes('ready to accept connections')) ready()
    })
    server.once('exit', () => failed(new Error(`postgres ended: ${said}`)))
  })
  return {
    address: `postgres://test@127.0.0.1:${port}/postgres`,
    async stop() {
      const ended = new Promise((done) => server.once('exit', done))
      server.kill('SIGINT')
      await ended
      rmSync(home, { recursive: true, force: true })
    },
  }
}

function postgresUser(): { readonly uid?: number; readonly gid?: number } {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('postgres:'))
  const [, , uid, gid] = line?.split(':') ?? []
  return uid === undefined || gid === undefined ? {} : { uid: Number(uid), gid: Number(gid) }
}

function freePort(): Promise<number> {
  return new Promise((found) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => found(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
