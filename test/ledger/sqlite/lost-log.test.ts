/** A write-ahead log that is deleted: noticed while the ledger is in use, and before anything is sent afterwards. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import { ownerOfThisProcess } from '../../../src/ledger/owner.ts'
import { openSqliteLedger } from '../../../src/ledger/sqlite/sqlite.ts'
import { planRun, recipientsOf, rowsOf, started, updated } from '../harness.ts'

let dir: string
let path: string
const open: Ledger[] = []

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lost-log-'))
  path = join(dir, 'ledger.db')
})
afterEach(async () => {
  for (const ledger of open.splice(0)) await ledger.close()
  rmSync(dir, { recursive: true, force: true })
})

/** A process that is not there any more. */
const gone = { ...ownerOfThisProcess(), pid: 2 ** 22 + 1 }

async function opened(at: string): Promise<Ledger> {
  const ledger = await openSqliteLedger(at)
  open.push(ledger)
  return ledger
}

async function claimOf(ledger: Ledger, options?: { readonly acceptLoss: boolean }) {
  return ledger.campaigns.claim(await ledger.campaigns.open('c'), ownerOfThisProcess(), options)
}

/** A run of two rows by a process that is gone; the first row was sent. Its files are as it left them. */
async function killedRun(): Promise<string> {
  const ledger = await opened(path)
  const campaign = await ledger.campaigns.open('c')
  await ledger.campaigns.claim(campaign, gone)
  const run = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org'))
  const [a = 0] = await recipientsOf(ledger, run)
  await ledger.deliveries.record([started(a), updated(a, 'sent')])
  return run
}

function copied(name: string, files: readonly string[]): string {
  mkdirSync(join(dir, name))
  for (const file of files) copyFileSync(join(dir, file), join(dir, name, file))
  return join(dir, name, 'ledger.db')
}

test('one deleted while in use stops the run at its next record, and what was recorded is saved', async () => {
  const ledger = await opened(path)
  const campaign = await ledger.campaigns.open('c')
  const claim = await ledger.campaigns.claim(campaign, gone)
  const run = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org'))
  const [a = 0, b = 0] = await recipientsOf(ledger, run)
  await ledger.deliveries.record([started(a), updated(a, 'sent')])
  rmSync(`${path}-wal`)
  await expect(ledger.deliveries.record([started(b)])).rejects.toMatchObject({
    exitCode: 73,
    message: expect.stringContaining(`the log ${path}-wal of the ledger was deleted while in use`),
  })
  // Giving up the campaign of a broken ledger must not hide why it broke.
  await claim.release()
  // As after a kill: nothing of it but the ledger itself.
  const after = await opened(copied('killed', ['ledger.db']))
  expect(await after.results.counts(run)).toMatchObject({ sent: 1, deferred: 1 })
  await (await claimOf(after)).release()
})

test('one deleted after a kill is missed before the campaign is worked on again, and a person may go on without it', async () => {
  await killedRun()
  const after = await opened(copied('killed', ['ledger.db']))
  const missing = {
    exitCode: 73,
    code: 'ledger-missing',
    message: expect.stringContaining('-wal of the ledger is missing'),
  }
  await expect(claimOf(after)).rejects.toMatchObject(missing)
  // Nor is it found by opening the ledger a second time.
  await after.close()
  await expect(claimOf(await opened(after.location))).rejects.toMatchObject(missing)
  await (await claimOf(await opened(after.location), { acceptLoss: true })).release()
  await (await claimOf(await opened(after.location))).release()
})

test('one that a later process read and took away is not missed', async () => {
  const run = await killedRun()
  const looked = await opened(copied('killed', ['ledger.db', 'ledger.db-wal']))
  await looked.close()
  expect(existsSync(`${looked.location}-wal`)).toBe(false)
  const after = await opened(looked.location)
  await (await claimOf(after)).release()
  expect(await after.results.counts(run)).toMatchObject({ sent: 1, deferred: 1 })
})
