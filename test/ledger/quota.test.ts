/** By which clock a quota of a SQLite ledger goes: one that nobody can set, as long as the machine is up. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { BootClock } from '../../src/ledger/sqlite/quota-store.ts'
import { openSqliteLedger } from '../../src/ledger/sqlite/sqlite.ts'

const quota = { name: 'ada@mail', count: 10, seconds: 60 }
const NOON = new Date('2026-11-25T12:00:00Z').getTime()

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'mailmerge-quota-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** Asks for ten, as a process of its own, with the wall clock and the time since boot in seconds from noon. */
async function ask(wall: number, uptime: number, bootId = 'one'): Promise<number> {
  const boot: BootClock = { bootId, uptime: () => uptime }
  const ledger = await openSqliteLedger(join(dir, 'ledger.db'), { boot })
  try {
    return (await ledger.quotas.reserve([quota], 10, new Date(NOON + wall * 1000))).granted
  } finally {
    await ledger.close()
  }
}

test.each([
  ['an hour forth', 3600],
  ['a day forth', 86_400],
  ['an hour back', -3600],
])('a wall clock set %s frees nothing, and costs nothing', async (_what, jump) => {
  expect(await ask(0, 1000)).toBe(10)
  expect(await ask(10 + jump, 1010)).toBe(0)
  expect(await ask(63 + jump, 1063)).toBe(10)
})

test('the sleep of a machine is time that went by', async () => {
  expect(await ask(0, 1000)).toBe(10)
  expect(await ask(7200, 8200)).toBe(10)
})

test('after the machine was restarted the wall clock counts, and still never backwards', async () => {
  expect(await ask(0, 1000)).toBe(10)
  expect(await ask(20, 5, 'two')).toBe(0)
  expect(await ask(-7200, 6, 'three')).toBe(0)
  expect(await ask(90, 5, 'four')).toBe(10)
})

test('what an earlier version wrote down, which knew messages alone, counts as one recipient each', async () => {
  const path = join(dir, 'ledger.db')
  const boot: BootClock = { bootId: 'one', uptime: () => 1000 }
  const people = { ...quota, of: 'recipients' } as const
  const ledger = await openSqliteLedger(path, { boot })
  try {
    expect((await ledger.quotas.reserve([quota], 1, new Date(NOON))).granted).toBe(1)
    const file = new DatabaseSync(path)
    file.exec("DELETE FROM quota_use WHERE name <> 'ada@mail'; UPDATE quota_use SET used = 4")
    file.close()
    expect(await ledger.quotas.reserve([people], 1, new Date(NOON), 7)).toMatchObject({ granted: 0, left: { left: 6 } })
    expect(await ledger.quotas.reserve([people], 1, new Date(NOON), 6)).toMatchObject({ granted: 1, left: { left: 0 } })
    expect(await ledger.quotas.reserve([quota], 1, new Date(NOON))).toMatchObject({ granted: 1, left: { left: 4 } })
  } finally {
    await ledger.close()
  }
})
