import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ConfigError, DefectError, OutputError, UnfinishedError } from '../../src/errors.ts'
import type { Ledger, NewRun } from '../../src/ledger/ledger.ts'
import { ownerOfThisProcess } from '../../src/ledger/owner.ts'
import { openSqliteLedger } from '../../src/ledger/sqlite.ts'
import { packError, unpackError } from '../../src/ledger/thread-messages.ts'
import { openThreadedLedger } from '../../src/ledger/threaded-ledger.ts'

let dir: string
let path: string
let ledger: Ledger

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'mailmerge-test-'))
  path = join(dir, 'ledger.db')
  ledger = await openThreadedLedger(path)
})

afterEach(async () => {
  await ledger.close()
  rmSync(dir, { recursive: true, force: true })
})

const NOW = new Date('2026-11-25T10:00:00.000Z')

async function planned(rows: number): Promise<string> {
  const campaign = await ledger.campaign('invite')
  const run: NewRun = {
    id: '20261125T100000-abcd',
    campaign,
    startedAt: NOW,
    source: 'list.csv',
    template: 'invite',
    templateHash: 'hash',
    columns: ['email'],
    options: {},
  }
  await ledger.createRun(run)
  await ledger.plan(
    run.id,
    Array.from({ length: rows }, (_, index) => ({
      row: index + 1,
      key: `p${index}@example.com`,
      address: `p${index}@example.com`,
      data: '{}',
    })),
  )
  await ledger.settlePlan(run.id, { duplicates: 'skip' })
  return run.id
}

describe('a ledger in a thread of its own', () => {
  test('plans, hands out, records and lists as the ledger itself', async () => {
    const run = await planned(2500)
    const due = await ledger.due(run, { now: NOW, after: 0, limit: 2 })
    const [first] = due
    await ledger.record([
      { kind: 'began', recipient: first?.recipient ?? 0, lane: 1, at: NOW, messageId: '<1@example.org>' },
      { kind: 'settled', recipient: first?.recipient ?? 0, lane: 1, at: NOW, status: 'sent', attempted: true },
    ])
    expect(await ledger.counts(run)).toMatchObject({ sent: 1, deferred: 2499 })
    const listed: number[] = []
    for await (const rows of ledger.results(run)) listed.push(...rows.map(({ row }) => row))
    expect(listed).toEqual(Array.from({ length: 2500 }, (_, index) => index + 1))
    expect(ledger.location).toBe(path)
  })

  test('what one call after the other recorded is in the file for every other reader', async () => {
    const run = await planned(3)
    const other = await openSqliteLedger(path, { readOnly: true })
    expect((await other.counts(run)).deferred).toBe(3)
    await other.close()
  })

  test('a list that is left in the middle leaves the ledger usable', async () => {
    const run = await planned(2500)
    for await (const rows of ledger.results(run)) {
      expect(rows.length).toBeGreaterThan(0)
      break
    }
    expect((await ledger.counts(run)).deferred).toBe(2500)
  })

  test('the parts of a ledger are there too', async () => {
    expect(await ledger.schedules.all()).toEqual([])
  })

  test('a claim holds others off until it is released', async () => {
    const campaign = await ledger.campaign('invite')
    const claim = await ledger.claim(campaign, ownerOfThisProcess())
    const other = await openSqliteLedger(path)
    await expect(other.claim(campaign, ownerOfThisProcess())).rejects.toThrow(UnfinishedError)
    await claim.release()
    await (await other.claim(campaign, ownerOfThisProcess())).release()
    await other.close()
  })

  test('an error keeps its kind, its words and its hint', async () => {
    await expect(ledger.settlePlan('none', { duplicates: 'skip' })).rejects.toThrow()
    const broken = join(dir, 'broken.db')
    writeFileSync(broken, '')
    const error = await openThreadedLedger(broken).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(OutputError)
    expect(error).toMatchObject({ message: `The ledger ${broken} is empty`, exitCode: 73 })
    expect((error as OutputError).hint).toContain('backup')
  })

  test('after its end every call says so, and a second end is none', async () => {
    await ledger.close()
    await ledger.close()
    await expect(ledger.runs()).rejects.toThrow('closed')
  })
})

test('every kind of error survives the way between threads, with its cause', () => {
  const cause = new DefectError('inner')
  const back = unpackError(structuredClone(packError(new ConfigError('outer', { hint: 'do this', cause }))))
  expect(back).toBeInstanceOf(ConfigError)
  expect(back).toMatchObject({ message: 'outer', hint: 'do this', exitCode: 78 })
  expect(back.cause).toBeInstanceOf(DefectError)
  expect(unpackError(structuredClone(packError(new TypeError('odd'))))).toMatchObject({ message: 'odd' })
})
