/** Which runs are gone on with without being asked for. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { given } from '../../src/given.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { openSqliteLedger } from '../../src/ledger/sqlite/sqlite.ts'
import { unfinishedWork, workKey } from '../../src/schedule/unfinished.ts'

const START = new Date('2027-02-01T09:00:00Z')

let dir: string
let ledger: Ledger

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'mailmerge-unfinished-'))
  ledger = await openSqliteLedger(join(dir, 'ledger.db'))
})

afterEach(async () => {
  await ledger.close()
  rmSync(dir, { recursive: true, force: true })
})

/** A planned run of one row that may begin at `START`. */
async function planned(id: string, occurrence?: string): Promise<void> {
  const campaign = await ledger.campaigns.open(`campaign of ${id}`)
  const list = { source: 'list.csv', template: 'news', templateHash: 'x', columns: ['email'] }
  const options = { template: 'news', group: 'news', ...given({ occurrence }) }
  await ledger.runs.create({ id, campaign, startedAt: START, notBefore: START, ...list, options })
  await ledger.plans.add(id, [{ row: 1, key: 'a@example.org', address: 'a@example.org', data: '{}' }])
  await ledger.plans.complete(id, { duplicates: 'skip' })
}

async function runsToGoOnWith(): Promise<readonly string[]> {
  const { work } = await unfinishedWork(ledger, { now: START, lateBy: 3_600_000 })
  return work.map((one) => (one.kind === 'run' ? one.run : one.occurrence.wall))
}

test('a run whose start time has come is gone on with, but not while a person holds it', async () => {
  await planned('20270101T000000-aaaa')
  await planned('20270101T000000-bbbb')
  expect([...(await runsToGoOnWith())].sort()).toEqual(['20270101T000000-aaaa', '20270101T000000-bbbb'])
  await ledger.runs.request('20270101T000000-aaaa', 'pause')
  expect(await runsToGoOnWith()).toEqual(['20270101T000000-bbbb'])
  await ledger.runs.request('20270101T000000-aaaa', undefined)
  expect(await runsToGoOnWith()).toHaveLength(2)
})

test('a paused run of an occurrence that is asked for is one piece of work, however long it was paused', async () => {
  const occurrence = { schedule: 'news', wall: '2027-02-01T09:00', at: START, campaign: 'news-2027-02-01' }
  const run = '20270101T000000-aaaa'
  await ledger.schedules.claim(occurrence, START)
  await planned(run, 'news 2027-02-01T09:00')
  await ledger.schedules.update(occurrence, { state: 'planned', run }, START)
  await ledger.runs.request(run, 'pause')
  const options = { now: new Date(START.getTime() + 5 * 3_600_000), lateBy: 3_600_000 }
  expect((await unfinishedWork(ledger, options)).work).toEqual([])
  await ledger.runs.request(run, 'resume')
  const { work, notices } = await unfinishedWork(ledger, options)
  expect(work.map(workKey)).toEqual(['occurrence news 2027-02-01T09:00'])
  expect(notices).toEqual([])
})
