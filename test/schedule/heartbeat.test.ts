import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSqliteLedger } from '../../src/ledger/sqlite/sqlite.ts'
import { recordHeartbeat, startHeartbeat } from '../../src/schedule/heartbeat.ts'

const FIRST = new Date('2026-12-01T09:00Z')
const LATER = new Date('2026-12-01T09:20Z')

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'mailmerge-ground-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** What is reported by a process that begins on this file. */
async function begin(name: string, now: Date, zones = '2026a'): Promise<readonly string[]> {
  const ledger = await openSqliteLedger(join(dir, name))
  try {
    return (await startHeartbeat(ledger, now, zones)).changed.map(({ what }) => what)
  } finally {
    await ledger.close()
  }
}

test('a new ledger, and the same one again, have nothing to tell', async () => {
  expect(await begin('ledger.db', FIRST)).toEqual([])
  expect(await begin('ledger.db', LATER)).toEqual([])
})

test('it is known when schedules last ran, and nothing where they never did', async () => {
  const ledger = await openSqliteLedger(join(dir, 'ledger.db'))
  try {
    expect((await startHeartbeat(ledger, FIRST)).aliveAt).toBeUndefined()
    expect(await recordHeartbeat(ledger, LATER)).toEqual(FIRST)
    expect((await startHeartbeat(ledger, LATER)).aliveAt).toEqual(LATER)
  } finally {
    await ledger.close()
  }
})

test('a ledger that was copied is reported where it begins again, once, and where it comes from nothing is', async () => {
  await begin('ledger.db', FIRST)
  copyFileSync(join(dir, 'ledger.db'), join(dir, 'copy.db'))
  expect(await begin('copy.db', LATER)).toEqual([
    'the ledger is another file than it was at 2026-12-01T09:00:00.000Z: it was copied, moved or restored',
  ])
  expect(await begin('copy.db', LATER)).toEqual([])
  expect(await begin('ledger.db', LATER)).toEqual([])
})

test('other time zone data is reported once', async () => {
  await begin('ledger.db', FIRST)
  expect(await begin('ledger.db', LATER, '2026b')).toEqual(['the time zone data is 2026b now'])
  expect(await begin('ledger.db', LATER, '2026b')).toEqual([])
})
