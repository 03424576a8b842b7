/** What every ledger promises of quotas. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OutputError } from '../../src/errors.ts'
import { backend, later, ledger, NOW } from './harness.ts'

export function quotasContract(): void {
  describe('quotas', () => {
    const tenAMinute = { name: 'ada@mail', count: 10, seconds: 60 }

    test('no window holds more than was granted, whoever asks and whenever', async () => {
      const another = await backend.open(() => NOW)
      const steps = fc.array(fc.record({ wait: fc.nat(40), ask: fc.integer({ min: 1, max: 4 }), who: fc.boolean() }), {
        minLength: 20,
        maxLength: 60,
      })
      let round = 0
      let time = 0
      await fc.assert(
        fc.asyncProperty(steps, async (plan) => {
          const quota = { ...tenAMinute, name: `round-${round++}` }
          const grants: { readonly at: number; readonly granted: number }[] = []
          for (const { wait, ask, who } of plan) {
            time += wait
            const { granted } = await (who ? ledger : another).quotas.reserve([quota], ask, later(time))
            grants.push({ at: time, granted })
          }
          for (const { at } of grants) {
            const within = grants.filter((one) => one.at >= at && one.at < at + 60)
            expect(within.reduce((sum, { granted }) => sum + granted, 0)).toBeLessThanOrEqual(10)
          }
        }),
        { numRuns: 15 },
      )
      await another.close()
    })

    test('all of it is granted, what is left is reported, and when to ask again is when it opens', async () => {
      expect(await ledger.quotas.reserve([tenAMinute], 7, NOW)).toEqual({
        granted: 7,
        left: { count: 10, seconds: 60, left: 3 },
      })
      const { granted, left, retryAt } = await ledger.quotas.reserve([tenAMinute], 7, later(1))
      expect([granted, left?.left]).toEqual([3, 0])
      const opens = retryAt ?? NOW
      expect(opens.getTime()).toBeGreaterThan(later(60).getTime())
      expect(opens.getTime()).toBeLessThanOrEqual(later(63).getTime())
      expect((await ledger.quotas.reserve([tenAMinute], 1, new Date(opens.getTime() - 1100))).granted).toBe(0)
      expect((await ledger.quotas.reserve([tenAMinute], 1, opens)).granted).toBe(1)
    })

    test('a limit that rises counts calendar days, and rises only with those that have messages', async () => {
      const rampUp = { text: '', first: 3, growth: { percent: 100 }, top: 10 } as const
      const on = (day: string) => ({ name: 'ada@mail', rampUp, day, endsAt: later(3600) })
      const take = async (day: string, count: number) => {
        const { granted, left, retryAt } = await ledger.quotas.reserve([], count, NOW, 1, on(day))
        return [granted, left?.count, left?.left, retryAt?.getTime()]
      }
      expect(await take('2026-11-25', 2)).toEqual([2, 3, 1, undefined])
      expect(await take('2026-11-25', 2)).toEqual([1, 3, 0, later(3600).getTime()])
      expect(await take('2026-11-25', 1)).toEqual([0, 3, 0, later(3600).getTime()])
      // Two days without a message do not count.
      expect(await take('2026-11-28', 9)).toEqual([6, 6, 0, later(3600).getTime()])
      expect(await take('2026-11-29', 99)).toEqual([10, 10, 0, later(3600).getTime()])
      // A clock that is set back finds the day as it was left.
      expect(await take('2026-11-28', 1)).toEqual([0, 6, 0, later(3600).getTime()])
      expect(await ledger.quotas.rampUse('ada@mail', '2026-11-29')).toEqual({ days: 2, used: 10 })
      expect(await ledger.quotas.rampUse('bob@mail', '2026-11-29')).toEqual({ days: 0, used: 0 })
    })

    test('a limit that rises and quotas hold together: nothing is taken of one that another does not grant', async () => {
      const ramp = {
        name: 'ada@mail',
        rampUp: { text: '', first: 30, growth: { messages: 1 }, top: undefined },
        day: '2026-11-25',
        endsAt: later(3600),
      } as const
      const { granted, left } = await ledger.quotas.reserve([tenAMinute], 20, NOW, 1, ramp)
      expect([granted, left?.count]).toEqual([10, 10])
      expect((await ledger.quotas.rampUse('ada@mail', '2026-11-25')).used).toBe(10)
    })

    test('of two processes at the limit that rises one gets the last message', async () => {
      const another = await backend.open(() => NOW)
      const ramp = {
        name: 'ada@mail',
        rampUp: { text: '', first: 5, growth: { messages: 1 }, top: undefined },
        day: '2026-11-25',
        endsAt: later(3600),
      } as const
      const asked = Array.from({ length: 12 }, (_, at) =>
        (at % 2 === 0 ? ledger : another).quotas.reserve([], 1, NOW, 1, ramp),
      )
      const granted = (await Promise.all(asked)).map((one) => one.granted)
      expect(granted.reduce((sum, one) => sum + one, 0)).toBe(5)
      await another.close()
    })

    test('what is taken in the window that ends now is known, and asking takes nothing', async () => {
      const day = { name: 'ada@mail', count: 100, seconds: 86_400 }
      expect(await ledger.quotas.taken([day], NOW)).toEqual([{ count: 0, age: 0 }])
      await ledger.quotas.reserve([day], 7, NOW)
      await ledger.quotas.reserve([day], 5, later(7200))
      const [taken] = await ledger.quotas.taken([day], later(7200))
      expect(taken?.count).toBe(12)
      // By the parts in which a window is counted.
      expect(taken?.age).toBeGreaterThanOrEqual(7200)
      expect(taken?.age).toBeLessThanOrEqual(7200 + 86_400 / 60)
      expect(await ledger.quotas.taken([day], later(7200))).toEqual([taken])
      expect(await ledger.quotas.taken([day], later(3 * 86_400))).toEqual([{ count: 0, age: 0 }])
    })

    test('asked of a ledger that is closed, what is taken is refused in its own words', async () => {
      const another = await backend.open(() => NOW)
      await another.close()
      const asked = async () => another.quotas.taken([{ name: 'ada@mail', count: 100, seconds: 86_400 }], NOW)
      await expect(asked()).rejects.toBeInstanceOf(OutputError)
    })

    test('of several the tightest counts, and none is taken of one that another does not grant', async () => {
      const three = { name: 'ada@mail', count: 3, seconds: 3600 }
      expect(await ledger.quotas.reserve([tenAMinute, three], 5, NOW)).toMatchObject({
        granted: 3,
        left: { count: 3, left: 0 },
      })
      expect((await ledger.quotas.reserve([tenAMinute, three], 5, NOW)).granted).toBe(0)
      expect((await ledger.quotas.reserve([tenAMinute], 9, NOW)).granted).toBe(7)
    })

    test('accounts are apart, and a limit that was raised remembers what went before', async () => {
      await ledger.quotas.reserve([tenAMinute], 10, NOW)
      expect((await ledger.quotas.reserve([{ ...tenAMinute, name: 'eve@mail' }], 10, NOW)).granted).toBe(10)
      expect((await ledger.quotas.reserve([{ ...tenAMinute, count: 15 }], 10, NOW)).granted).toBe(5)
    })

    test('a clock that is set back frees nothing', async () => {
      await ledger.quotas.reserve([tenAMinute], 10, NOW)
      expect((await ledger.quotas.reserve([tenAMinute], 1, later(-3600))).granted).toBe(0)
      expect((await ledger.quotas.reserve([tenAMinute], 1, later(-86_400))).granted).toBe(0)
    })

    describe('of recipients', () => {
      const tenPeople = { ...tenAMinute, of: 'recipients' } as const

      test('no window holds more of them than was granted, whoever asks and whenever, and no message is granted in part', async () => {
        const another = await backend.open(() => NOW)
        const steps = fc.array(
          fc.record({
            wait: fc.nat(40),
            ask: fc.integer({ min: 1, max: 3 }),
            recipients: fc.integer({ min: 1, max: 10 }),
            who: fc.boolean(),
          }),
          { minLength: 20, maxLength: 60 },
        )
        let round = 0
        let time = 0
        await fc.assert(
          fc.asyncProperty(steps, async (plan) => {
            const people = { ...tenPeople, name: `people-${round++}` }
            const mails = { name: people.name, count: 4, seconds: 60 }
            const grants: { readonly at: number; readonly granted: number; readonly recipients: number }[] = []
            for (const { wait, ask, recipients, who } of plan) {
              time += wait
              const asked = [[people, mails], [people], [mails, people]][recipients % 3] ?? []
              const { granted } = await (who ? ledger : another).quotas.reserve(asked, ask, later(time), recipients)
              expect(granted).toBeLessThanOrEqual(ask)
              grants.push({ at: time, granted, recipients })
            }
            for (const { at } of grants) {
              const within = grants.filter((one) => one.at >= at && one.at < at + 60)
              expect(within.reduce((sum, one) => sum + one.granted * one.recipients, 0)).toBeLessThanOrEqual(10)
            }
          }),
          { numRuns: 15 },
        )
        await another.close()
      })

      test('as many whole messages as fit are granted, the rest is reported, and when one of that size fits', async () => {
        expect(await ledger.quotas.reserve([tenPeople], 5, NOW, 4)).toMatchObject({
          granted: 2,
          left: { count: 10, seconds: 60, of: 'recipients', left: 2 },
        })
        const { granted, retryAt } = await ledger.quotas.reserve([tenPeople], 1, later(1), 4)
        expect(granted).toBe(0)
        // Nothing was taken of it, and a smaller one still fits.
        expect(await ledger.quotas.reserve([tenPeople], 1, later(2), 2)).toMatchObject({
          granted: 1,
          left: { left: 0 },
        })
        expect(retryAt?.getTime()).toBeGreaterThan(later(60).getTime())
        expect((await ledger.quotas.reserve([tenPeople], 1, retryAt ?? NOW, 4)).granted).toBe(1)
      })

      test('a message that does not fit yet is asked for again when the first that went before it no longer count', async () => {
        await ledger.quotas.reserve([tenPeople], 1, NOW, 3)
        await ledger.quotas.reserve([tenPeople], 1, later(30), 5)
        const { granted, retryAt } = await ledger.quotas.reserve([tenPeople], 1, later(31), 4)
        expect(granted).toBe(0)
        expect(retryAt?.getTime()).toBeLessThanOrEqual(later(63).getTime())
        expect((await ledger.quotas.reserve([tenPeople], 1, retryAt ?? NOW, 4)).granted).toBe(1)
      })

      test('a message to more than all of it is never granted, and no time is reported', async () => {
        const { granted, retryAt } = await ledger.quotas.reserve([tenPeople], 1, NOW, 11)
        expect([granted, retryAt]).toEqual([0, undefined])
      })

      test('what went under a quota of messages counts with all its recipients, and the other way round', async () => {
        await ledger.quotas.reserve([tenAMinute], 2, NOW, 3)
        expect(await ledger.quotas.reserve([tenPeople], 1, later(1), 5)).toMatchObject({
          granted: 0,
          left: { left: 4 },
        })
        await ledger.quotas.reserve([tenPeople], 1, later(2), 4)
        expect(await ledger.quotas.reserve([tenAMinute], 1, later(3))).toMatchObject({ granted: 1, left: { left: 6 } })
      })

      test('of a quota of messages and one of recipients the one that has room for fewer messages counts', async () => {
        const three = { name: 'ada@mail', count: 3, seconds: 60 }
        expect(await ledger.quotas.reserve([three, tenPeople], 5, NOW, 4)).toMatchObject({
          granted: 2,
          left: { of: 'recipients', left: 2 },
        })
        expect(await ledger.quotas.reserve([three, tenPeople], 5, later(1))).toMatchObject({
          granted: 1,
          left: { left: 0 },
        })
      })
    })

    test('two quotas of one length count each message once', async () => {
      const twenty = { ...tenAMinute, count: 20 }
      expect(await ledger.quotas.reserve([tenAMinute, twenty], 6, NOW)).toMatchObject({ granted: 6, left: { left: 4 } })
      expect(await ledger.quotas.reserve([twenty], 20, later(1))).toMatchObject({ granted: 14 })
    })

    test('a quota of nothing grants nothing and never opens', async () => {
      const { granted, retryAt } = await ledger.quotas.reserve([{ ...tenAMinute, count: 0 }], 1, NOW)
      expect([granted, retryAt]).toEqual([0, undefined])
    })
  })
}
