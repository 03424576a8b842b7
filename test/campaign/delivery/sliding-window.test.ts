import fc from 'fast-check'
import { expect, test } from 'vitest'
import { quotasOf, RateGate, SlidingWindow, shortLimits } from '../../../src/campaign/delivery/throttle.ts'
import { limitWords, readRate, whyNeverAllowed } from '../../../src/config/units.ts'

/** Takes as fast as the gate allows and gives the moments. */
function grants(limits: readonly { count: number; seconds: number }[], count: number): number[] {
  const gate = new RateGate(limits)
  const moments: number[] = []
  let now = 0
  while (moments.length < count) {
    const wait = gate.msUntilAllowed(now)
    if (wait > 0) {
      now += wait
      continue
    }
    gate.grant(now)
    moments.push(now)
  }
  return moments
}

test('no window ever holds more grants than its limit, however the limits are combined', () => {
  const limit = fc.record({ count: fc.integer({ min: 1, max: 20 }), seconds: fc.integer({ min: 1, max: 30 }) })
  fc.assert(
    fc.property(fc.array(limit, { minLength: 1, maxLength: 3 }), (limits) => {
      const moments = grants(limits, 80)
      for (const { count, seconds } of limits) {
        for (const [index, moment] of moments.entries()) {
          const later = moments[index + count]
          if (later !== undefined) expect(later - moment).toBeGreaterThan(seconds * 1000)
        }
      }
    }),
    { numRuns: 50 },
  )
})

test('an unused window lets its whole count through at once', () => {
  const window = new SlidingWindow({ count: 3, seconds: 10 })
  for (let i = 0; i < 3; i++) {
    expect(window.msUntilAllowed(5)).toBe(0)
    window.grant(5)
  }
  expect(window.msUntilAllowed(5)).toBeGreaterThanOrEqual(10_000)
})

test('no window ever holds more recipients than its limit, and a message has all of its own at once', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 10, maxLength: 40 })
  const limit = fc.record({
    count: fc.integer({ min: 6, max: 20 }),
    seconds: fc.integer({ min: 1, max: 30 }),
    of: fc.constantFrom('recipients' as const, undefined),
  })
  fc.assert(
    fc.property(fc.array(limit, { minLength: 1, maxLength: 3 }), sizes, (limits, messages) => {
      const gate = new RateGate(limits.map(({ of, ...rest }) => (of === undefined ? rest : { ...rest, of })))
      const gone: { readonly at: number; readonly recipients: number }[] = []
      let now = 0
      for (const recipients of messages) {
        now += gate.msUntilAllowed(now, recipients)
        expect(gate.msUntilAllowed(now, recipients)).toBe(0)
        gate.grant(now, recipients)
        gone.push({ at: now, recipients })
      }
      for (const { count, seconds, of } of limits) {
        for (const { at } of gone) {
          const within = gone.filter((one) => one.at >= at && one.at < at + seconds * 1000)
          const counted = within.reduce((sum, { recipients }) => sum + (of === undefined ? 1 : recipients), 0)
          expect(counted).toBeLessThanOrEqual(count)
        }
      }
    }),
    { numRuns: 50 },
  )
})

test('a message to more than a limit of recipients ever lets through is distinguished from one that must wait', () => {
  const limits = [
    { count: 2, seconds: 1 },
    { count: 5, seconds: 10, of: 'recipients' as const },
  ]
  expect(new RateGate(limits).msUntilAllowed(0, 5)).toBe(0)
  expect(new RateGate(limits).msUntilAllowed(0, 6)).toBe(Number.POSITIVE_INFINITY)
  expect(whyNeverAllowed(limits, 5)).toBeUndefined()
  expect(whyNeverAllowed(limits, 6)).toBe(
    'the message has 6 recipients, and the rate of 5 recipients/10s never lets that many through at once',
  )
})

test.each(['10/s', '30/min', '500 recipients/day', '20 recipients/hour', '7 recipients/10s'])(
  '%s is reported as it is written',
  (text) => {
    const limit = readRate(text)
    expect(limit === undefined ? '' : limitWords(limit)).toBe(text)
  },
)

test('the room that a window has until some moment is what it grants until then', () => {
  const window = new SlidingWindow({ count: 3, seconds: 10 })
  expect([window.room(0, 2), window.room(0, 100)]).toEqual([2, 3])
  window.grant(0)
  window.grant(4000)
  expect([window.room(5000, 100), window.room(11_000, 100), window.room(15_000, 100)]).toEqual([1, 2, 3])
  const gate = new RateGate([
    { count: 5, seconds: 1 },
    { count: 2, seconds: 30 },
  ])
  expect(gate.room(0, 100)).toBe(2)
  expect(new RateGate([]).room(0, 7)).toBe(7)
  const people = new SlidingWindow({ count: 10, seconds: 10, of: 'recipients' })
  expect([people.room(0, 100), people.room(0, 100, 3), people.room(0, 2, 3)]).toEqual([10, 3, 2])
  people.grant(0, 8)
  expect([people.room(5000, 100, 3), people.room(5000, 100, 1)]).toEqual([0, 2])
})

test('limits of a minute and more are kept by the ledger, shorter ones by the process', () => {
  const limits = [
    { count: 10, seconds: 1 },
    { count: 30, seconds: 60 },
    { count: 500, seconds: 86_400, of: 'recipients' as const },
  ]
  expect(shortLimits(limits)).toEqual([{ count: 10, seconds: 1 }])
  expect(quotasOf(limits, 'ada@mail.example.com')).toEqual([
    { name: 'ada@mail.example.com', count: 30, seconds: 60 },
    { name: 'ada@mail.example.com', count: 500, seconds: 86_400, of: 'recipients' },
  ])
})
