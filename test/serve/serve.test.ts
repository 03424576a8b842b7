import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Clock } from '../../src/campaign/clock.ts'
import { loadSettings } from '../../src/config/load.ts'
import type { Settings } from '../../src/config/settings.ts'
import { OutputError, UnreachableError } from '../../src/errors.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { openSqliteLedger } from '../../src/ledger/sqlite/sqlite.ts'
import { workKey } from '../../src/schedule/unfinished.ts'
import type { JobResult } from '../../src/serve/job-messages.ts'
import { type PeriodicJob, serve } from '../../src/serve/serve.ts'
import { until } from '../support/serving.ts'

const START = Date.parse('2026-12-01T08:59:00Z')

let dir: string
let ledger: Ledger
let settings: Settings
let stop: AbortController
let now: number
const clock: Clock = { now: () => new Date(now), monotonic: () => now - START, random: () => 0.5 }

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'mailmerge-serve-'))
  ledger = await openSqliteLedger(join(dir, 'ledger.db'))
  settings = await loadSettings({ cwd: dir, env: {}, flags: {} })
  stop = new AbortController()
  now = START
})

afterEach(async () => {
  await ledger.close()
  rmSync(dir, { recursive: true, force: true })
})

interface Started {
  readonly key: string
  end(result: Partial<JobResult>): void
  stopped: boolean
}

/** Serves with work that ends when the test says so. */
function begin(jobs: readonly PeriodicJob[] = []) {
  const started: Started[] = []
  const log: { event: string; facts: Readonly<Record<string, unknown>> }[] = []
  let looks = 0
  const served = serve({
    settings,
    ledger,
    clock,
    jobs,
    log: (_level, event, facts = {}) => log.push({ event, facts }),
    scanned: () => looks++,
    start(work) {
      const { promise, resolve } = Promise.withResolvers<JobResult>()
      const one: Started = {
        key: workKey(work),
        end: (result) => resolve({ kind: 'done', exitCode: 0, ...result }),
        stopped: false,
      }
      started.push(one)
      const end = (): void => {
        one.stopped = true
        resolve({ kind: 'open', exitCode: 75, counts: { sent: 1, failed: 0, skipped: 0, deferred: 1, in_doubt: 0 } })
      }
      return { ended: promise, stop: end, abort: end }
    },
    signal: stop.signal,
    abort: new AbortController().signal,
  })
  const scan = async (): Promise<void> => {
    const before = looks
    await until(() => looks >= before + 2, 'it scanned again')
  }
  return { served, started, log, scan }
}

async function addSchedules(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await ledger.schedules.add({
      name: `s${i}`,
      timing: { kind: 'cron', expression: '0 9 * * *' },
      zone: 'UTC',
      createdAt: new Date(START),
      options: { flags: {}, selection: {}, campaign: '{{name}}-{{date}}', catchUp: 'skip' },
    })
  }
}

/** Plans a run of one row that may begin now. */
async function plan(id: string, own: { readonly occurrence?: string } = {}): Promise<void> {
  const campaign = await ledger.campaigns.open(`campaign of ${id}`)
  const list = { source: 'list.csv', template: 'news', templateHash: 'x', columns: ['email'] }
  const options = { template: 'news', group: 'news', ...own }
  await ledger.runs.create({ id, campaign, startedAt: clock.now(), notBefore: clock.now(), ...list, options })
  await ledger.plans.add(id, [{ row: 1, key: 'a@example.org', address: 'a@example.org', data: '{}' }])
  await ledger.plans.complete(id, { duplicates: 'skip' })
}

test('an occurrence is begun at its hour, once, and four runs at a time are enough', async () => {
  await addSchedules(6)
  const { served, started, log, scan } = begin()
  await scan()
  expect(started).toHaveLength(0)
  now = Date.parse('2026-12-01T09:00:00Z')
  await scan()
  await scan()
  expect(started.map(({ key }) => key)).toEqual([0, 1, 2, 3].map((i) => `occurrence s${i} 2026-12-01T09:00`))
  expect(log.filter(({ event }) => event === 'due')).toHaveLength(6)
  for (const schedule of ['s0', 's1']) {
    await ledger.schedules.update({ schedule, wall: '2026-12-01T09:00' }, { state: 'done' }, new Date(now))
  }
  for (const one of started.slice(0, 2)) one.end({})
  await scan()
  expect(started.slice(4).map(({ key }) => key)).toEqual([4, 5].map((i) => `occurrence s${i} 2026-12-01T09:00`))
  stop.abort()
  await served
  expect(started.slice(2).every(({ stopped }) => stopped)).toBe(true)
})

test('what did not end is tried again after growing gaps, and not before', async () => {
  await addSchedules(1)
  const { served, started, scan } = begin()
  now = Date.parse('2026-12-01T09:00:00Z')
  const fail = async (): Promise<void> => {
    await scan()
    started.at(-1)?.end({ kind: 'open', exitCode: 69, error: { message: 'the server is away', problems: 0 } })
    await scan()
  }
  await fail()
  expect(started).toHaveLength(1)
  now += 15_000
  await fail()
  expect(started).toHaveLength(2)
  now += 15_000
  await scan()
  expect(started).toHaveLength(2)
  now += 15_000
  await scan()
  expect(started).toHaveLength(3)
  stop.abort()
  await served
})

test('a planned run that did not end is tried again after growing gaps too', async () => {
  const run = '20261201T085900-aaaa'
  await plan(run)
  const { served, started, scan } = begin()
  for (const gap of [0, 15_000, 30_000]) {
    const before = started.length
    now += gap - 1
    await scan()
    expect(started).toHaveLength(before)
    now += 1
    await scan()
    expect(started).toHaveLength(before + 1)
    started.at(-1)?.end({ kind: 'open', exitCode: 69, error: { message: 'the server is away', problems: 0 } })
    await scan()
  }
  stop.abort()
  await served
})

test('what a person asks for is begun at once, although it was put off, and once', async () => {
  await addSchedules(1)
  const { served, started, scan } = begin()
  now = Date.parse('2026-12-01T09:00:00Z')
  await scan()
  const run = '20261201T090000-aaaa'
  const occurrence = { schedule: 's0', wall: '2026-12-01T09:00' }
  await plan(run, { occurrence: 's0 2026-12-01T09:00' })
  await ledger.schedules.update(occurrence, { state: 'planned', run }, clock.now())
  started[0]?.end({ kind: 'open', exitCode: 69, error: { message: 'the server is away', problems: 0 } })
  await scan()
  await scan()
  expect(started).toHaveLength(1)
  await ledger.runs.request(run, 'resume')
  await scan()
  started[1]?.end({ kind: 'open', exitCode: 69, error: { message: 'the server is away', problems: 0 } })
  await scan()
  await scan()
  expect(started.map(({ key }) => key)).toEqual(Array(2).fill('occurrence s0 2026-12-01T09:00'))
  stop.abort()
  await served
})

test('a process that slept while its run was at work does not take the run for abandoned', async () => {
  await addSchedules(1)
  const { served, started, scan, log } = begin()
  now = Date.parse('2026-12-01T09:00:00Z')
  await scan()
  await ledger.schedules.update(
    { schedule: 's0', wall: '2026-12-01T09:00' },
    { state: 'planned', run: 'r1' },
    new Date(now),
  )
  now += 7 * 3_600_000
  await scan()
  expect((await ledger.schedules.unfinished()).map(({ state }) => state)).toEqual(['planned'])
  expect(log.filter(({ event }) => event === 'late')).toEqual([])
  expect(started).toHaveLength(1)
  stop.abort()
  await served
})

test('an occurrence that was taken and left for too long is reported, once, and not begun', async () => {
  await addSchedules(1)
  const occurrence = {
    schedule: 's0',
    wall: '2026-12-01T09:00',
    at: new Date('2026-12-01T09:00:00Z'),
    campaign: 's0-2026-12-01',
  }
  await ledger.schedules.claim(occurrence, occurrence.at)
  now = Date.parse('2026-12-01T15:00:00Z')
  const { served, started, scan, log } = begin()
  await scan()
  await scan()
  expect(started).toEqual([])
  const late = log.filter(({ event }) => event === 'late')
  expect(late).toHaveLength(1)
  expect(late[0]?.facts['hint']).toContain('schedule run-due s0 --late ok')
  stop.abort()
  await served
})

test('a periodic job that fails is reported and done again; one that finds the disk failing ends it all', async () => {
  let times = 0
  const jobs: PeriodicJob[] = [
    {
      name: 'bounces',
      every: 5,
      run: () => {
        times++
        if (times < 3) return Promise.reject(new UnreachableError('the mailbox is away'))
        return times === 3 ? Promise.resolve() : Promise.reject(new OutputError('the disk is full'))
      },
    },
  ]
  const { served, log } = begin(jobs)
  await expect(served).rejects.toThrow('the disk is full')
  expect(log.filter(({ event }) => event === 'job failed')).toHaveLength(2)
})
