import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Clock } from '../../../src/campaign/clock.ts'
import { awaitStart } from '../../../src/campaign/run/start-time.ts'
import { UnfinishedError } from '../../../src/errors.ts'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import type { RunRecord } from '../../../src/ledger/records.ts'
import { openSqliteLedger } from '../../../src/ledger/sqlite/sqlite.ts'

const HOUR = 3_600_000
const NINE = new Date('2026-12-01T09:00:00Z')

let dir: string
let ledger: Ledger

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'mailmerge-start-'))
  ledger = await openSqliteLedger(join(dir, 'ledger.db'))
})

afterEach(async () => {
  await ledger.close()
  rmSync(dir, { recursive: true, force: true })
})

/** A clock that shows these times, one a look, the last one from then on. */
function clockOf(...times: readonly string[]): Clock & { readonly looks: number } {
  let looks = 0
  return {
    now: () => new Date(times[Math.min(looks++, times.length - 1)] ?? ''),
    monotonic: () => 0,
    random: () => 0.5,
    get looks() {
      return looks
    },
  }
}

async function plannedRun(notBefore: Date): Promise<RunRecord> {
  const campaign = await ledger.campaigns.open('news')
  await ledger.runs.create({
    id: 'r1',
    campaign,
    startedAt: new Date('2026-11-30T12:00:00Z'),
    notBefore,
    source: 'list.csv',
    template: 'news',
    templateHash: '',
    columns: ['email'],
    options: {},
  })
  const run = await ledger.runs.find('r1')
  if (run === undefined) throw new Error('no run')
  return run
}

test('a run waits for its hour by the clock on the wall, also when somebody puts it back meanwhile', async () => {
  const run = await plannedRun(NINE)
  const clock = clockOf(
    '2026-12-01T08:59:59.990Z',
    '2026-12-01T08:59:59.985Z',
    '2026-12-01T08:59:59.995Z',
    '2026-12-01T09:00:00Z',
  )
  const waits: Date[] = []
  expect(
    await awaitStart(run, { ledger, clock, lateBy: HOUR, onWaiting: (until) => waits.push(until) }),
  ).toBeUndefined()
  expect(clock.looks).toBeGreaterThanOrEqual(4)
  expect(waits).toEqual([NINE])
  expect((await ledger.runs.find('r1'))?.begunAt).toEqual(NINE)
})

test('a clock that jumps over the hour by less than what may be late begins at once', async () => {
  const run = await plannedRun(NINE)
  expect(
    await awaitStart(run, { ledger, clock: clockOf('2026-12-01T08:59:59.999Z', '2026-12-01T09:59:00Z'), lateBy: HOUR }),
  ).toBeUndefined()
})

test('a machine that slept over the hour for too long sends nothing and says so', async () => {
  const run = await plannedRun(NINE)
  const clock = clockOf('2026-12-01T08:59:59.999Z', '2026-12-01T14:10:00Z')
  const late = awaitStart(run, { ledger, clock, lateBy: HOUR })
  await expect(late).rejects.toThrow(UnfinishedError)
  await expect(late).rejects.toThrow(/was for 2026-12-01T09:00:00.000Z, 5 h 10 min ago/)
  expect((await ledger.runs.find('r1'))?.begunAt).toBeUndefined()
})

test('however late, a person may say that it is right', async () => {
  const run = await plannedRun(NINE)
  const options = { ledger, clock: clockOf('2027-12-01T09:00:00Z'), lateBy: Number.POSITIVE_INFINITY }
  expect(await awaitStart(run, options)).toBeUndefined()
})

test('a run that began in time is not late when it is gone on with', async () => {
  await plannedRun(NINE)
  await ledger.runs.begin('r1', NINE)
  const begun = (await ledger.runs.find('r1')) as RunRecord
  expect(await awaitStart(begun, { ledger, clock: clockOf('2026-12-02T09:00:00Z'), lateBy: HOUR })).toBeUndefined()
})

test('a signal ends the wait, and the run still waits', async () => {
  const run = await plannedRun(NINE)
  const stop = new AbortController()
  const waiting = awaitStart(run, {
    ledger,
    clock: clockOf('2026-12-01T08:00:00Z'),
    lateBy: HOUR,
    signal: stop.signal,
    onWaiting: () => stop.abort(),
  })
  expect(await waiting).toEqual(NINE)
  expect((await ledger.runs.find('r1'))?.begunAt).toBeUndefined()
})
