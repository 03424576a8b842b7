/** A ledger that an earlier version wrote, with sentences where there are values now (made by its own code): it reads as before. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import { openSqliteLedger } from '../../../src/ledger/sqlite/sqlite.ts'
import { csvHeader, csvLines } from '../../../src/report/csv.ts'
import { resultsOf } from '../harness.ts'

const FIXTURES = join(import.meta.dirname, '..', 'fixtures')
const RUN = '20261125T100000-00aaa'

let dir: string
let ledger: Ledger

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'older-'))
  copyFileSync(join(FIXTURES, 'version-3.db'), join(dir, 'ledger.db'))
  ledger = await openSqliteLedger(join(dir, 'ledger.db'))
})
afterEach(async () => {
  await ledger.close()
  rmSync(dir, { recursive: true, force: true })
})

test('its results are word for word what the earlier version wrote', async () => {
  const lines = (await resultsOf(ledger, RUN)).map(csvLines(['bounce']))
  expect(`${csvHeader(['bounce'])}${lines.join('')}`).toBe(
    readFileSync(join(FIXTURES, 'version-3-results.csv'), 'utf8'),
  )
})

test('its sentences became values', async () => {
  const rows = await resultsOf(ledger, RUN)
  expect(rows.flatMap(({ row, skip }) => (skip === undefined ? [] : [[row, skip]]))).toEqual([
    [3, { kind: 'suppressed', detail: 'hard bounce' }],
    [6, { kind: 'duplicate', detail: '1' }],
    [7, { kind: 'bad', detail: 'the address is empty' }],
    [8, { kind: 'unselected', detail: '--where city=Paris' }],
    [9, { kind: 'other', detail: 'answered first-list' }],
    [10, { kind: 'bad', detail: "it needs 'name': bad row: really" }],
    [13, { kind: 'forgotten', detail: 'forgotten' }],
  ])
  expect(rows[10]?.bounce).toEqual({ kind: 'hard', reason: 'mailbox unknown: no such user' })
  expect(await ledger.feedback.counts(RUN)).toEqual(
    new Map([
      ['complaint', 1],
      ['hard', 1],
    ]),
  )
})

test('its run goes on: what waited is due, and what was settled stays so', async () => {
  const due = await ledger.deliveries.due(RUN, { now: new Date('2026-11-26T00:00:00Z'), after: 0, limit: 100 })
  expect(due.map(({ row }) => row)).toEqual([4])
  expect(await ledger.results.counts(RUN)).toEqual({ sent: 4, failed: 1, skipped: 7, deferred: 1, in_doubt: 1 })
})
