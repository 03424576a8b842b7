import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { CatchUp } from '../../src/config/words.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import type { Schedule } from '../../src/ledger/schedules.ts'
import { openSqliteLedger } from '../../src/ledger/sqlite/sqlite.ts'
import { claimDue, claimMissed } from '../../src/schedule/due.ts'

const HOUR = 3_600_000
const MINUTE = 60_000

let dir: string
let ledger: Ledger

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'mailmerge-due-'))
  ledger = await openSqliteLedger(join(dir, 'ledger.db'))
})

afterEach(async () => {
  await ledger.close()
  rmSync(dir, { recursive: true, force: true })
})

function scheduleOf(
  expression: string,
  zone = 'UTC',
  catchUp: CatchUp = 'skip',
  createdAt = '2026-10-01T00:00Z',
): Schedule {
  return {
    name: 'news',
    timing: { kind: 'cron', expression },
    zone,
    createdAt: new Date(createdAt),
    options: { flags: {}, selection: {}, campaign: 'news-{{date}}T{{time}}', catchUp },
  }
}

/** Walls claimed and missed at a moment. */
async function at(schedule: Schedule, moment: string | number) {
  const { claimed, missed } = await claimDue(ledger, schedule, new Date(moment), HOUR)
  return { claimed: claimed.map(({ wall }) => wall), missed: missed.map(({ occurrence }) => occurrence.wall) }
}

const MONTH = 31 * 24 * HOUR

/** Zones whose clocks change in the month after. All of them: MAILMERGE_TEST_MONTHS=all. */
const ALL_MONTHS = [
  ['Europe/Berlin', '30 2 * * *', '02:30', '2027-03-14T00:10Z'],
  ['Europe/Berlin', '30 2 * * *', '02:30', '2026-10-10T00:10Z'],
  ['Australia/Lord_Howe', '45 1 * * *', '01:45', '2027-03-20T00:10Z'],
  ['Africa/Cairo', '30 0 * * *', '00:30', '2027-04-15T00:10Z'],
  ['Australia/Lord_Howe', '15 2 * * *', '02:15', '2026-09-20T00:10Z'],
  ['America/New_York', '30 1 * * *', '01:30', '2026-10-20T05:10Z'],
  ['America/Santiago', '30 0 * * *', '00:30', '2026-08-25T05:10Z'],
  ['Asia/Tokyo', '0 9 * * *', '09:00', '2026-10-10T00:10Z'],
] as const
const MONTHS = process.env['MAILMERGE_TEST_MONTHS'] === undefined ? ALL_MONTHS.slice(0, 4) : ALL_MONTHS

/**
 * A month with a clock that ticks unevenly and is put back by up to two hours now and then, watched by two processes on one
 * ledger that keep nothing in mind from one look to the next, as if each were killed and begun again between them. Gives
 * what they took together.
 */
async function month(schedule: Schedule, from: string, seed: number): Promise<readonly string[]> {
  const another = await openSqliteLedger(join(dir, 'ledger.db'))
  let random = seed
  const chance = (): number => {
    random = (random * 1_103_515_245 + 12_345) % 2 ** 31
    return random / 2 ** 31
  }
  const walls: string[] = []
  const start = Date.parse(from)
  try {
    for (let now = start; now < start + MONTH; now += 1000 + Math.floor(chance() * 55 * MINUTE)) {
      if (chance() < 0.03) now -= Math.floor(chance() * 2 * HOUR)
      for (const one of chance() < 0.5 ? [ledger, another] : [another, ledger]) {
        const { claimed, missed } = await claimDue(one, schedule, new Date(now), HOUR)
        expect(missed).toEqual([])
        walls.push(...claimed.map(({ wall }) => wall))
        for (const { at } of claimed) expect(now - at.getTime()).toBeLessThan(56 * MINUTE)
      }
    }
  } finally {
    await another.close()
  }
  return walls
}

describe('over a month with a change of the clocks, each day has one occurrence', () => {
  test.each(MONTHS)('%s %s from %s', async (zone, expression, hour, from) => {
    const walls = await month(scheduleOf(expression, zone, 'skip', from), from, from.length + hour.length)
    const days = walls.map((wall) => wall.slice(0, 10))
    expect(walls.every((wall) => wall.endsWith(`T${hour}`))).toBe(true)
    expect(new Set(days).size).toBe(days.length)
    expect(days.length).toBeGreaterThanOrEqual(30)
    const gaps = days.slice(1).map((day, i) => (Date.parse(day) - Date.parse(days[i] ?? '')) / (24 * HOUR))
    expect(new Set(gaps)).toEqual(new Set([1]))
  })
})

describe('a machine that slept over the hour', () => {
  const daily = (catchUp: CatchUp) => scheduleOf('0 9 * * *', 'UTC', catchUp, '2026-12-01T00:00Z')

  test('for less than may be late, sends when it wakes', async () => {
    expect(await at(daily('skip'), '2026-12-01T09:59Z')).toEqual({ claimed: ['2026-12-01T09:00'], missed: [] })
  })
  test('for longer, says what was missed and sends nothing', async () => {
    expect(await at(daily('skip'), '2026-12-03T11:00Z')).toEqual({
      claimed: [],
      missed: ['2026-12-01T09:00', '2026-12-02T09:00', '2026-12-03T09:00'],
    })
    expect(await at(daily('skip'), '2026-12-03T11:01Z')).toEqual({ claimed: [], missed: [] })
    expect(await at(daily('skip'), '2026-12-04T09:00Z')).toEqual({ claimed: ['2026-12-04T09:00'], missed: [] })
  })
  test('sends the last one where the schedule says so', async () => {
    expect(await at(daily('last'), '2026-12-03T11:00Z')).toEqual({
      claimed: ['2026-12-03T09:00'],
      missed: ['2026-12-01T09:00', '2026-12-02T09:00'],
    })
  })
  test('sends all of them, in their order, where the schedule says so', async () => {
    expect(await at(daily('all'), '2026-12-03T11:00Z')).toEqual({
      claimed: ['2026-12-01T09:00', '2026-12-02T09:00', '2026-12-03T09:00'],
      missed: [],
    })
  })
  test('has several of a frequent schedule waiting: the newest goes, the others are said', async () => {
    expect(await at(scheduleOf('*/10 * * * *', 'UTC', 'skip', '2026-12-01T08:55Z'), '2026-12-01T09:25Z')).toEqual({
      claimed: ['2026-12-01T09:20'],
      missed: ['2026-12-01T09:00', '2026-12-01T09:10'],
    })
  })
  test('what was missed is made up for when a person says so, once', async () => {
    await at(daily('skip'), '2026-12-03T11:00Z')
    const now = new Date('2026-12-03T12:00Z')
    expect((await claimMissed(ledger, daily('skip'), now))?.wall).toBe('2026-12-03T09:00')
    expect(await claimMissed(ledger, daily('skip'), now)).toBeUndefined()
  })
})

describe('a clock that jumps', () => {
  const hourly = scheduleOf('0 * * * *', 'UTC', 'skip', '2026-12-01T08:30Z')

  test('an hour back fires nothing twice, and misses nothing afterwards', async () => {
    expect((await at(hourly, '2026-12-01T09:00:01Z')).claimed).toEqual(['2026-12-01T09:00'])
    expect(await at(hourly, '2026-12-01T08:10Z')).toEqual({ claimed: [], missed: [] })
    expect(await at(hourly, '2026-12-01T09:00:05Z')).toEqual({ claimed: [], missed: [] })
    expect((await at(hourly, '2026-12-01T10:00Z')).claimed).toEqual(['2026-12-01T10:00'])
  })
  test('three hours forward says what it jumped over', async () => {
    await at(hourly, '2026-12-01T09:00Z')
    expect(await at(hourly, '2026-12-01T12:30Z')).toEqual({
      claimed: ['2026-12-01T12:00'],
      missed: ['2026-12-01T10:00', '2026-12-01T11:00'],
    })
  })
  test('years forward and back again fires everything at its true hour', async () => {
    await at(hourly, '2026-12-01T09:00Z')
    await at(hourly, '2029-12-01T09:30Z')
    for (const hour of ['10', '11', '12']) {
      expect(await at(hourly, `2026-12-01T${hour}:00:30Z`)).toEqual({ claimed: [`2026-12-01T${hour}:00`], missed: [] })
      expect(await at(hourly, `2026-12-01T${hour}:05Z`)).toEqual({ claimed: [], missed: [] })
    }
  })
  test('two hours forward by mistake and back again does not lose the hours between', async () => {
    await at(hourly, '2026-12-01T09:00Z')
    expect((await at(hourly, '2026-12-01T11:30Z')).missed).toEqual(['2026-12-01T10:00'])
    expect((await at(hourly, '2026-12-01T10:00:10Z')).claimed).toEqual(['2026-12-01T10:00'])
    // It was sent at half past eleven of the wrong clock.
    expect(await at(hourly, '2026-12-01T11:00:10Z')).toEqual({ claimed: [], missed: [] })
    expect((await at(hourly, '2026-12-01T12:00:10Z')).claimed).toEqual(['2026-12-01T12:00'])
  })
})

test('a schedule fires nothing from before it was made', async () => {
  expect(await at(scheduleOf('0 9 * * *', 'UTC', 'all', '2026-12-01T09:30Z'), '2026-12-01T10:00Z')).toEqual({
    claimed: [],
    missed: [],
  })
})

describe('one that was away for very long', () => {
  const since = '2026-01-01T00:30Z'

  test('decides the newest, and says how many more were missed, from when to when', async () => {
    const schedule = scheduleOf('0 * * * *', 'UTC', 'skip', since)
    const { claimed, missed, unlisted } = await claimDue(ledger, schedule, new Date('2026-02-01T00:10Z'), HOUR)
    expect(claimed.map(({ wall }) => wall)).toEqual(['2026-02-01T00:00'])
    expect(missed).toHaveLength(499)
    expect(missed[0]?.occurrence.wall).toBe('2026-01-11T05:00')
    expect(unlisted).toEqual({
      schedule: 'news',
      first: '2026-01-01T01:00',
      last: '2026-01-11T04:00',
      count: 31 * 24 - 500,
      more: false,
    })
    expect((await claimDue(ledger, schedule, new Date('2026-02-01T00:11Z'), HOUR)).unlisted).toBeUndefined()
  })
  test('for years, does not count them all', async () => {
    const minutely = scheduleOf('* * * * *', 'UTC', 'skip', '2020-01-01T00:00Z')
    const { claimed, missed, unlisted } = await claimDue(ledger, minutely, new Date('2026-12-01T09:00Z'), HOUR)
    expect(claimed.map(({ wall }) => wall)).toEqual(['2026-12-01T09:00'])
    expect(missed).toHaveLength(499)
    expect(unlisted).toMatchObject({ first: '2020-01-01T00:01', last: '2026-12-01T00:40', count: 5000, more: true })
  })
  test('sends all of them in their order where the schedule says so, some at a time', async () => {
    const all = scheduleOf('0 * * * *', 'UTC', 'all', since)
    const walls: string[] = []
    for (let look = 0; look < 3; look++) walls.push(...(await at(all, '2026-02-01T00:10Z')).claimed)
    expect(walls).toHaveLength(31 * 24)
    expect(walls).toEqual(walls.toSorted())
    expect([walls[0], walls.at(-1)]).toEqual(['2026-01-01T01:00', '2026-02-01T00:00'])
  })
})

test('a single occurrence fires once', async () => {
  const once: Schedule = { ...scheduleOf('* * * * *'), timing: { kind: 'once', wall: '2026-12-24T18:00:05' } }
  expect((await at(once, '2026-12-24T18:00Z')).claimed).toEqual([])
  expect((await at(once, '2026-12-24T18:00:05Z')).claimed).toEqual(['2026-12-24T18:00:05'])
  expect((await at(once, '2026-12-24T18:00:06Z')).claimed).toEqual([])
})

test('of two processes that look at the same moment, one fires: 100 occurrences, 100 fires', async () => {
  const another = await openSqliteLedger(join(dir, 'ledger.db'))
  const minutely = scheduleOf('* * * * *', 'UTC', 'skip', '2026-12-01T00:00Z')
  let fires = 0
  for (let minute = 1; minute <= 100; minute++) {
    const now = new Date(Date.parse('2026-12-01T00:00Z') + minute * MINUTE)
    const both = await Promise.all([ledger, another].map((one) => claimDue(one, minutely, now, HOUR)))
    expect(both.flatMap(({ missed }) => missed)).toEqual([])
    fires += both.flatMap(({ claimed }) => claimed).length
  }
  await another.close()
  expect(fires).toBe(100)
})
