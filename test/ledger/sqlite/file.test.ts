/** The ledger as a file: what is refused, what is never overwritten, and what is noticed while it is in use. */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import type { LedgerEvent } from '../../../src/ledger/records.ts'
import { type Migration, migrations } from '../../../src/ledger/sqlite/schema.ts'
import { openSqliteLedger } from '../../../src/ledger/sqlite/sqlite.ts'
import { planRun, resultsOf, rowsOf } from '../harness.ts'

let dir: string
let path: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'mailmerge-file-'))
  path = join(dir, 'ledger.db')
})
afterEach(() => {
  rmSync(dir, { recursive: true, force: true })
})

const sent = (recipient: number): LedgerEvent => ({
  kind: 'row-updated',
  recipient,
  lane: 1,
  at: new Date(),
  status: 'sent',
  attempted: true,
})

/** A ledger with a run of that many rows, all of them sent. */
async function fill(rows: number): Promise<string> {
  const ledger = await openSqliteLedger(path)
  const addresses = Array.from({ length: rows }, (_, at) => `p${at}@x.org`)
  const run = await planRun(ledger, await ledger.campaigns.open('c'), rowsOf(...addresses))
  const due = await ledger.deliveries.due(run, { now: new Date(), after: 0, limit: rows })
  await ledger.deliveries.record(due.map(({ recipient }) => sent(recipient)))
  await ledger.close()
  return run
}

async function problemOf(open: Promise<Ledger>): Promise<{ exitCode: number; message: string; hint: string }> {
  try {
    await (await open).close()
  } catch (error) {
    return error as { exitCode: number; message: string; hint: string }
  }
  throw new Error('it was opened')
}

describe('durability', () => {
  test('the log is a WAL', async () => {
    await (await openSqliteLedger(path)).close()
    const database = new DatabaseSync(path, { readOnly: true })
    expect(database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' })
    database.close()
  })

  test('every commit waits for the disk, but for the rows of a plan that is not settled', async () => {
    const commits: string[] = []
    let level = ''
    const { exec, prepare } = DatabaseSync.prototype
    DatabaseSync.prototype.exec = function (sql) {
      level = /synchronous = (\w+)/.exec(sql)?.[1] ?? level
      return exec.call(this, sql)
    }
    DatabaseSync.prototype.prepare = function (sql) {
      const statement = prepare.call(this, sql)
      if (sql !== 'COMMIT') return statement
      const { run } = statement
      return Object.assign(statement, {
        run: () => {
          commits.push(level)
          return Reflect.apply(run, statement, [])
        },
      })
    }
    const since = (): readonly string[] => commits.splice(0)
    try {
      const ledger = await openSqliteLedger(path)
      // What a new file is made of is synced as a whole before it gets its name.
      since()
      const campaign = await ledger.campaigns.open('c')
      const run = { id: 'r1', campaign, startedAt: new Date(), source: 's', template: 't', templateHash: 'h' }
      await ledger.runs.create({ ...run, columns: [], options: {} })
      expect(new Set(since())).toEqual(new Set(['FULL']))
      await ledger.plans.add('r1', rowsOf('a@x.org', 'b@x.org'))
      expect(since()).toEqual(['NORMAL'])
      await expect(ledger.plans.add('r2', rowsOf('c@x.org'))).rejects.toThrow('no run r2')
      await ledger.plans.complete('r1', { duplicates: 'skip' })
      expect(since()).toEqual(['FULL'])
      const [due] = await ledger.deliveries.due('r1', { now: new Date(), after: 0, limit: 1 })
      await ledger.deliveries.record([sent(due?.recipient ?? 0)])
      await ledger.close()
      expect(new Set(since())).toEqual(new Set(['FULL']))
    } finally {
      Object.assign(DatabaseSync.prototype, { exec, prepare })
    }
  })

  test.each(['3.51.2', '3.50.4', '3.7.0', '2.8.17', '0'])(
    'SQLite %s, which can damage a ledger, is refused',
    async (version) => {
      const { exitCode, message, hint } = await problemOf(openSqliteLedger(path, { sqliteVersion: version }))
      expect([exitCode, message]).toEqual([78, expect.stringContaining(`SQLite ${version}`)])
      expect(hint).toMatch(/Update Node/)
      expect(existsSync(path)).toBe(false)
    },
  )

  test.each(['3.51.3', '3.53.4', '3.60.0', '4.0.0'])('SQLite %s will do', async (version) => {
    await (await openSqliteLedger(path, { sqliteVersion: version })).close()
  })

  test.each([
    ['NFS', 0x6969],
    ['SMB', 0xff534d42],
    ['9P', 0x01021997],
  ])('a folder on %s, where locks do not hold, is refused by name', async (kind, magic) => {
    const { exitCode, message } = await problemOf(openSqliteLedger(path, { fileSystem: () => magic }))
    expect(exitCode).toBe(78)
    expect(message).toContain(`${path} is on a network file system (${kind})`)
    expect(readdirSync(dir)).toEqual([])
  })

  test('the ledger is readable by its owner alone', async () => {
    await (await openSqliteLedger(join(dir, 'new', 'ledger.db'))).close()
    expect(statSync(join(dir, 'new', 'ledger.db')).mode & 0o777).toBe(0o600)
    expect(statSync(join(dir, 'new')).mode & 0o777).toBe(0o700)
  })

  test('two that make it at once share it, and nobody ever finds half of one', async () => {
    const both = await Promise.all([openSqliteLedger(path), openSqliteLedger(path)])
    const [one, two] = both
    expect(await one?.campaigns.open('c')).toEqual(await two?.campaigns.open('c'))
    for (const ledger of both) await ledger.close()
    expect(readdirSync(dir)).toEqual(['ledger.db'])
  })
})

describe('its form', () => {
  const first = migrations.slice(0, 1)

  test('an older one is brought up to date, and says the same as before', async () => {
    const old = await openSqliteLedger(path, { migrations: first })
    // Written by hand: today's statements want today's form.
    await old.close()
    const database = new DatabaseSync(path)
    database.exec(`INSERT INTO campaign (id, name, generation, token, created_at) VALUES (1, 'c', 1, 'secret', 0);
      INSERT INTO run (id, campaign, state, started_at, source, template, template_hash, columns, options, counted, rows, sent)
      VALUES ('old', 1, 'ready', 0, 's', 't', 'h', '[]', '{}', 1, 1, 1);
      INSERT INTO run_row (id, key, occurrence, data) VALUES (4294967297, 'a@x.org', 1, '{}');
      INSERT INTO identity VALUES (1, 'a@x.org', 1, 4294967297);
      INSERT INTO recipient (id, plan, status, attempts, first_attempt_at, finished_at, smtp_code, response, message_id)
      VALUES (4294967297, 4294967297, 'sent', 1, 1000, 2000, 250, 'Ok: queued', '<1@x.org>')`)
    database.close()
    const ledger = await openSqliteLedger(path)
    expect(await ledger.runs.find()).toMatchObject({ id: 'old', campaign: { name: 'c', token: 'secret' } })
    expect(await resultsOf(ledger, 'old')).toMatchObject([
      {
        status: 'sent',
        address: 'a@x.org',
        firstAttemptAt: new Date(1000),
        finishedAt: new Date(2000),
        smtpCode: 250,
        response: 'Ok: queued',
        messageId: '<1@x.org>',
      },
    ])
    expect(await ledger.results.counts('old')).toMatchObject({ sent: 1 })
    await ledger.close()
  })

  test('every migration from the first is one transaction: one that breaks leaves the file as it was', async () => {
    await (await openSqliteLedger(path, { migrations: first })).close()
    const broken: Migration = { version: 2, sql: 'CREATE TABLE half (x); INSERT INTO nowhere VALUES (1)' }
    await problemOf(openSqliteLedger(path, { migrations: [...first, broken] }))
    const database = new DatabaseSync(path, { readOnly: true })
    expect(database.prepare('PRAGMA user_version').get()).toEqual({ user_version: 1 })
    expect(database.prepare("SELECT name FROM sqlite_schema WHERE name = 'half'").all()).toEqual([])
    database.close()
    await (await openSqliteLedger(path)).close()
  })

  test('a newer one is refused and left alone', async () => {
    const newer: Migration = { version: 99, sql: 'CREATE TABLE future (x)' }
    await (await openSqliteLedger(path, { migrations: [...migrations, newer] })).close()
    const before = readFileSync(path)
    const { exitCode, message, hint } = await problemOf(openSqliteLedger(path))
    expect(exitCode).toBe(73)
    expect(message).toContain('was written by a newer mailmerge')
    expect(hint).toContain('Update mailmerge')
    expect(readFileSync(path).equals(before)).toBe(true)
  })

  test('a reader does not change an older one', async () => {
    await (await openSqliteLedger(path, { migrations: first })).close()
    const { message } = await problemOf(openSqliteLedger(path, { readOnly: true }))
    expect(message).toContain('was written by an older mailmerge')
  })
})

describe('what is not a sound ledger is refused with an error, and never overwritten', () => {
  const untouched = async (what: RegExp): Promise<void> => {
    const before = readFileSync(path)
    const { exitCode, message, hint } = await problemOf(openSqliteLedger(path))
    expect(exitCode).toBe(73)
    expect(message).toMatch(what)
    expect(hint.length).toBeGreaterThan(20)
    expect(readFileSync(path).equals(before)).toBe(true)
  }

  test('an empty file', async () => {
    writeFileSync(path, '')
    await untouched(/is empty/)
  })

  test('a picture', async () => {
    writeFileSync(path, Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.alloc(20_000, 7)]))
    await untouched(/is damaged, or is not a ledger/)
  })

  test('the database of another program', async () => {
    const database = new DatabaseSync(path)
    database.exec('CREATE TABLE orders (x)')
    database.close()
    await untouched(/is a database, but not a ledger of mailmerge/)
  })

  test('one whose header was hit', async () => {
    await fill(50)
    const bytes = readFileSync(path)
    bytes.fill(0, 0, 16)
    writeFileSync(path, bytes)
    await untouched(/is damaged, or is not a ledger/)
  })

  test.each([0.25, 0.5, 0.75])('one that was cut off at %d of its length', async (part) => {
    await fill(400)
    truncateSync(path, Math.floor(statSync(path).size * part))
    await untouched(/damaged/)
  })

  test('one with bytes changed anywhere in its pages says so, or says what it said before', async () => {
    await fill(400)
    const sound = readFileSync(path)
    const answers = new Set<string>()
    for (let round = 0; round < 60; round++) {
      const bytes = Buffer.from(sound)
      const at = 100 + Math.floor(((bytes.length - 110) * (round + 0.5)) / 60)
      for (let next = at; next < at + 8; next++) bytes[next] = (bytes[next] ?? 0) ^ 0xff
      writeFileSync(path, bytes)
      try {
        const ledger = await openSqliteLedger(path)
        try {
          const run = await ledger.runs.find()
          if (run !== undefined) await resultsOf(ledger, run.id)
          answers.add('sound')
        } finally {
          await ledger.close()
        }
      } catch (error) {
        expect(error).toMatchObject({ exitCode: 73, hint: expect.any(String) })
        answers.add('refused')
        expect(readFileSync(path).equals(bytes)).toBe(true)
      }
    }
    expect(answers.has('refused')).toBe(true)
  })

  test('a log without its ledger', async () => {
    await fill(5)
    writeFileSync(`${path}-wal`, Buffer.alloc(4096, 1))
    renameSync(path, `${path}.bak`)
    const { exitCode, message } = await problemOf(openSqliteLedger(path))
    expect(exitCode).toBe(73)
    expect(message).toMatch(/there is no ledger .*, but its log .* is there/)
    expect(existsSync(path)).toBe(false)
  })

  test('a folder in its place', async () => {
    mkdirSync(path)
    expect((await problemOf(openSqliteLedger(path))).exitCode).toBe(73)
  })

  test('none where there must be one', async () => {
    const { exitCode, message } = await problemOf(openSqliteLedger(path, { create: false }))
    expect([exitCode, message]).toEqual([66, `there is no ledger ${path}`])
    expect(readdirSync(dir)).toEqual([])
  })
})

describe('while it is in use', () => {
  test.each(['deleted', 'replaced'])(
    'a ledger that is %s is noticed before the next commit, and nothing is recorded any more',
    async (how) => {
      const ledger = await openSqliteLedger(path)
      const run = await planRun(ledger, await ledger.campaigns.open('c'), rowsOf('a@x.org', 'b@x.org'))
      const [a] = await ledger.deliveries.due(run, { now: new Date(), after: 0, limit: 2 })
      if (how === 'deleted') rmSync(path)
      else {
        copyFileSync(path, `${path}.copy`)
        renameSync(`${path}.copy`, path)
      }
      await expect(ledger.deliveries.record([sent(a?.recipient ?? 0)])).rejects.toMatchObject({
        exitCode: 73,
        message: expect.stringContaining(`was ${how} while in use`),
      })
      await expect(ledger.deliveries.record([])).rejects.toMatchObject({ exitCode: 73 })
      await expect(ledger.results.counts(run)).rejects.toMatchObject({ exitCode: 73 })
      await ledger.close()
    },
  )

  test('a lock that another process holds is waited for, and the program goes on meanwhile', async () => {
    const ledger = await openSqliteLedger(path)
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    let turns = 0
    const beat = setInterval(() => turns++, 10)
    setTimeout(() => other.exec('COMMIT'), 400)
    expect((await ledger.campaigns.open('c')).name).toBe('c')
    clearInterval(beat)
    // The event loop was never held for longer than a look at the lock.
    expect(turns).toBeGreaterThan(5)
    other.close()
    await ledger.close()
  })

  test('a lock that is never given back is reported, with who may hold it, and the ledger is sound after it', async () => {
    const ledger = await openSqliteLedger(path, { lockWait: 200 })
    const holder = await openSqliteLedger(path)
    await holder.campaigns.claim(await holder.campaigns.open('c'), {
      pid: process.pid,
      host: 'mail.example.com',
      bootId: 'b',
      processStart: 's',
    })
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    await expect(ledger.campaigns.open('d')).rejects.toMatchObject({
      exitCode: 75,
      message: expect.stringMatching(
        new RegExp(`is locked by another process: process ${process.pid} on mail.example.com \\(since `),
      ),
    })
    other.exec('ROLLBACK')
    expect((await ledger.campaigns.open('d')).name).toBe('d')
    other.close()
    await holder.close()
    await ledger.close()
  })

  test('a reader sees what was committed and never holds a writer up', async () => {
    const ledger = await openSqliteLedger(path)
    const run = await planRun(ledger, await ledger.campaigns.open('c'), rowsOf('a@x.org'))
    const reader = await openSqliteLedger(path, { readOnly: true })
    const [a] = await ledger.deliveries.due(run, { now: new Date(), after: 0, limit: 1 })
    await ledger.deliveries.record([sent(a?.recipient ?? 0)])
    expect(await reader.results.counts(run)).toMatchObject({ sent: 1 })
    await expect(reader.campaigns.open('d')).rejects.toMatchObject({ exitCode: 73 })
    await reader.close()
    await ledger.close()
  })

  test('its log does not grow without end', async () => {
    const ledger = await openSqliteLedger(path)
    const addresses = Array.from({ length: 4000 }, (_, at) => `p${at}@x.org`)
    const run = await planRun(ledger, await ledger.campaigns.open('c'), rowsOf(...addresses))
    let after = 0
    let largest = 0
    for (;;) {
      const due = await ledger.deliveries.due(run, { now: new Date(), after, limit: 10 })
      if (due.length === 0) break
      after = due.at(-1)?.row ?? after
      await ledger.deliveries.record(
        due.map(({ recipient }) => ({ ...sent(recipient), response: 'x'.repeat(2000) }) as LedgerEvent),
      )
      largest = Math.max(largest, statSync(`${path}-wal`).size)
    }
    expect(largest).toBeLessThan(16_000_000)
    expect(await ledger.results.counts(run)).toMatchObject({ sent: 4000 })
    await ledger.close()
  })
})

const root = process.getuid?.() === 0

describe.skipIf(process.platform !== 'linux')('a disk that is not as it should be', () => {
  test.skipIf(root)('a folder that may not be written to is reported', async () => {
    chmodSync(dir, 0o500)
    const { exitCode, message } = await problemOf(openSqliteLedger(path))
    chmodSync(dir, 0o700)
    expect([exitCode, message]).toEqual([73, expect.stringContaining('cannot be written')])
  })

  /** Runs `use` on a small file system of its own in memory. */
  const onMount = async (options: string, use: (place: string) => Promise<void>): Promise<void> => {
    const place = join(dir, 'mount')
    mkdirSync(place)
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', place])
    try {
      await use(place)
    } finally {
      execFileSync('umount', ['-l', place])
    }
  }
  const cannot = !root || spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status !== 0

  test.skipIf(cannot)('a full disk stops the ledger for good, and it goes on when there is room again', async () => {
    await onMount('size=1m', async (place) => {
      const file = join(place, 'ledger.db')
      const ledger = await openSqliteLedger(file)
      const addresses = Array.from({ length: 400 }, (_, at) => `p${at}@x.org`)
      const run = await planRun(ledger, await ledger.campaigns.open('c'), rowsOf(...addresses))
      const due = await ledger.deliveries.due(run, { now: new Date(), after: 0, limit: 400 })
      let recorded = 0
      let problem: { exitCode: number; message: string; hint: string } | undefined
      for (const { recipient } of due) {
        try {
          await ledger.deliveries.record([{ ...sent(recipient), response: 'x'.repeat(5000) } as LedgerEvent])
          recorded++
        } catch (error) {
          problem = error as typeof problem
          break
        }
      }
      expect(problem).toMatchObject({ exitCode: 73, message: expect.stringContaining('the disk is full') })
      expect(problem?.hint).toContain('give the command again')
      // A smaller commit might fit; it is refused all the same.
      await expect(ledger.campaigns.open('c')).rejects.toBe(problem)
      await ledger.close()
      execFileSync('mount', ['-o', 'remount,size=8m', place])
      const again = await openSqliteLedger(file)
      const { sent: found } = await again.results.counts(run)
      // The last one may have reached the disk though its commit failed.
      expect([recorded, recorded + 1]).toContain(found)
      await again.deliveries.record([sent(due.at(-1)?.recipient ?? 0)])
      await again.close()
    })
  })

  test.skipIf(cannot)(
    'a disk that becomes read-only stops the ledger, and a read-only one is reported at once',
    async () => {
      await onMount('size=8m', async (place) => {
        const file = join(place, 'ledger.db')
        const ledger = await openSqliteLedger(file)
        const run = await planRun(ledger, await ledger.campaigns.open('c'), rowsOf('a@x.org'))
        await ledger.close()
        execFileSync('mount', ['-o', 'remount,ro', place])
        const { exitCode, message } = await problemOf(openSqliteLedger(file))
        expect(exitCode).toBe(73)
        expect(message).toContain(file)
        expect((await problemOf(openSqliteLedger(join(place, 'other.db')))).exitCode).toBe(73)
        execFileSync('mount', ['-o', 'remount,rw', place])
        const again = await openSqliteLedger(file)
        expect(await again.results.counts(run)).toMatchObject({ deferred: 1 })
        await again.close()
      })
    },
  )
})
