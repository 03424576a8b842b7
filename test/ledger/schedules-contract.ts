/** What every ledger promises of schedules and of runs with an hour, for whichever stands behind the seam. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Ledger } from '../../src/ledger/ledger.ts'
import type { Occurrence, Schedule } from '../../src/ledger/schedules.ts'
import { backend, ledger, planRun, rowsOf } from './harness.ts'

const NOW = new Date('2026-12-01T09:00:01Z')
const weekly: Schedule = {
  name: 'news',
  timing: { kind: 'cron', expression: '0 9 * * TUE' },
  zone: 'Europe/Paris',
  createdAt: new Date('2026-11-25T12:00:00Z'),
  options: { template: 'news', where: ['city=Paris'] },
}
const first: Occurrence = {
  schedule: 'news',
  wall: '2026-12-01T09:00',
  at: new Date('2026-12-01T08:00:00Z'),
  campaign: 'news-2026-12-01',
}

export function schedulesContract(): void {
  describe('schedules', () => {
    let another: Ledger

    beforeEach(async () => {
      another = await backend.open()
    })

    afterEach(() => another.close())

    test('schedules are kept as they were added, by name, and a name is taken once', async () => {
      const once: Schedule = { ...weekly, name: 'launch', timing: { kind: 'once', wall: '2026-12-24T18:00' } }
      expect(await ledger.schedules.add(weekly)).toBe(true)
      expect(await ledger.schedules.add(once)).toBe(true)
      expect(await another.schedules.add({ ...once, name: 'news' })).toBe(false)
      expect(await another.schedules.list()).toEqual([once, weekly])
      expect(await another.schedules.remove('news')).toBe(true)
      expect(await ledger.schedules.remove('news')).toBe(false)
      expect(await ledger.schedules.list()).toEqual([once])
    })

    test('of two that want an occurrence at the same moment, one gets it: 100 times', async () => {
      for (let i = 0; i < 100; i++) {
        const occurrence = { ...first, wall: `2026-12-01T09:00:${i}` }
        const taken = await Promise.all([
          ledger.schedules.claim(occurrence, NOW),
          another.schedules.claim(occurrence, NOW),
        ])
        expect(taken.filter(Boolean)).toHaveLength(1)
      }
    })

    test('an occurrence is open until it is done, with its run and why it failed', async () => {
      await ledger.schedules.claim(first, NOW)
      expect(await another.schedules.unfinished()).toEqual([{ ...first, state: 'taken', changedAt: NOW }])
      await ledger.schedules.update(first, { state: 'planned', run: 'r1' }, NOW)
      expect((await another.schedules.unfinished())[0]).toMatchObject({ state: 'planned', run: 'r1' })
      await ledger.schedules.update(first, { state: 'failed', reason: 'no list' }, NOW)
      expect(await another.schedules.unfinished()).toEqual([])
      expect(await another.schedules.occurrences('news', 10)).toEqual([
        { ...first, state: 'failed', run: 'r1', reason: 'no list', changedAt: NOW },
      ])
    })

    test('what is done stays done, also when the schedule is removed and added again', async () => {
      await ledger.schedules.add(weekly)
      await ledger.schedules.claim(first, NOW)
      await ledger.schedules.update(first, { state: 'done' }, NOW)
      await ledger.schedules.remove('news')
      await ledger.schedules.add(weekly)
      expect(await ledger.schedules.claim(first, NOW)).toBe(false)
      expect(await ledger.schedules.claim(first, NOW, { again: true })).toBe(false)
      expect(await ledger.schedules.recordMissed(first, NOW, 'late')).toBe(false)
    })

    test('what was missed or failed is taken again only when a person says so', async () => {
      expect(await ledger.schedules.recordMissed(first, NOW, 'nobody was there')).toBe(true)
      expect(await ledger.schedules.recordMissed(first, NOW, 'nobody was there')).toBe(false)
      expect(await ledger.schedules.claim(first, NOW)).toBe(false)
      expect(await ledger.schedules.claim(first, NOW, { again: true })).toBe(true)
      await ledger.schedules.update(first, { state: 'failed', reason: 'bad rows' }, NOW)
      expect(await ledger.schedules.claim(first, NOW)).toBe(false)
      expect(await ledger.schedules.claim(first, NOW, { again: true })).toBe(true)
      expect((await ledger.schedules.occurrences('news', 1))[0]).toEqual({ ...first, state: 'taken', changedAt: NOW })
    })

    test('what a clock that was ahead took for missed is taken when its hour comes', async () => {
      await ledger.schedules.recordMissed(first, new Date('2030-01-01T00:00:00Z'), 'late')
      expect(await ledger.schedules.claim(first, NOW)).toBe(true)
    })

    test('occurrences come newest first, as many as asked for', async () => {
      for (const day of ['01', '08', '15']) {
        await ledger.schedules.claim(
          { ...first, wall: `2026-12-${day}T09:00`, at: new Date(`2026-12-${day}T08:00Z`) },
          NOW,
        )
      }
      const walls = async (limit: number) => (await ledger.schedules.occurrences('news', limit)).map(({ wall }) => wall)
      expect(await walls(2)).toEqual(['2026-12-15T09:00', '2026-12-08T09:00'])
      expect(await ledger.schedules.occurrences('other', 5)).toEqual([])
    })

    test('a time that is noted gives the one before', async () => {
      expect(await ledger.timestamps.replace('serve', NOW)).toBeUndefined()
      expect(await another.timestamps.replace('serve', new Date('2026-12-02T00:00:00Z'))).toEqual(NOW)
      expect(await ledger.timestamps.replace('other', NOW)).toBeUndefined()
    })

    test('a run waits for its hour, and once begun it waits no more, though the clock be put back', async () => {
      const before = new Date(NOW.getTime() - 3_600_000)
      const run = await planRun(ledger, await ledger.campaigns.open('news'), rowsOf('ada@example.com'), 'skip', NOW)
      const due = async (now: Date) => (await ledger.deliveries.due(run, { now, after: 0, limit: 10 })).length
      expect(await due(before)).toBe(0)
      expect(await ledger.deliveries.nextDue(run)).toEqual(NOW)
      await ledger.runs.begin(run, NOW)
      await ledger.runs.begin(run, before)
      expect((await ledger.runs.find(run))?.begunAt).toEqual(NOW)
      expect(await due(before)).toBe(1)
      expect(await ledger.deliveries.nextDue(run)).toBeUndefined()
    })
  })
}
