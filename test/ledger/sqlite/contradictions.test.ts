/** A flipped bit that SQLite takes for sound: found before anything is sent, because what decides is written twice. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ownerOfThisProcess } from '../../../src/ledger/owner.ts'
import { openSqliteLedger } from '../../../src/ledger/sqlite/sqlite.ts'
import { planRun, recipientsOf, rowsOf, started, updated } from '../harness.ts'

let dir: string
let path: string

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'contradictions-'))
  path = join(dir, 'ledger.db')
  const ledger = await openSqliteLedger(path)
  const campaign = await ledger.campaigns.open('c')
  const run = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org', 'c@x.org'), 'all')
  const [a = 0, b = 0] = await recipientsOf(ledger, run)
  await ledger.deliveries.record([started(a), updated(a, 'sent'), started(b), updated(b, 'failed')])
  // A second plan moves recipients, and a person who is forgotten leaves a new key in both places.
  await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org', 'c@x.org', 'd@x.org'))
  await ledger.close()
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

async function claim(): Promise<void> {
  const ledger = await openSqliteLedger(path)
  try {
    await (await ledger.campaigns.claim(await ledger.campaigns.open('c'), ownerOfThisProcess())).release()
  } finally {
    await ledger.close()
  }
}

test('a sound ledger is claimed, also one from which a person was forgotten', async () => {
  await claim()
  const ledger = await openSqliteLedger(path)
  await ledger.privacy.forget('a@x.org')
  await ledger.close()
  await claim()
})

test.each([
  ['a key of the plan', "UPDATE run_row SET key = 'e@x.org' WHERE key = 'a@x.org'"],
  ['a key of the campaign', "UPDATE identity SET key = 'e@x.org' WHERE key = 'a@x.org'"],
  ['whose key it is', 'UPDATE identity SET recipient = recipient + 8 WHERE key = (SELECT min(key) FROM identity)'],
  ['the state of who was sent to', "UPDATE recipient SET status = 'deferred' WHERE status = 'sent'"],
  ['what the attempt came to', "UPDATE attempt SET outcome = 'sgnt' WHERE outcome = 'sent'"],
  ['which attempt it was', 'UPDATE recipient SET settled_by = settled_by + 1 WHERE settled_by IS NOT NULL'],
])('%s was changed', async (_what, statement) => {
  const database = new DatabaseSync(path)
  expect(database.prepare(statement).run().changes).toBeGreaterThan(0)
  expect(database.prepare('PRAGMA quick_check').get()).toEqual({ quick_check: 'ok' })
  database.close()
  await expect(claim()).rejects.toMatchObject({
    exitCode: 73,
    message: expect.stringMatching(/is damaged: .* contradict/),
  })
})
