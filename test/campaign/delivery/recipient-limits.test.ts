/** That no limit of recipients is ever exceeded, that a message goes whole, and that one which never could is reported. */
import { describe, expect, test } from 'vitest'
import type { Message } from '../../../src/message/message.ts'
import { pauseWords } from '../../../src/report/reasons.ts'
import {
  advance,
  type DeliveryHarness,
  letterTo,
  MINUTE,
  moments,
  mostWithin,
  openHarness,
  scriptedTransport,
  settleTurns,
  type Try,
  untilSettled,
  useHarness,
} from './delivery-harness.ts'

useHarness()

describe('rates and quotas of recipients', () => {
  const copies = (count: number): readonly string[] => Array.from({ length: count }, (_, at) => `copy${at}@example.org`)
  /** That many recipients for each row, again and again. */
  const sized =
    (...sizes: readonly number[]) =>
    ({ address, row }: { readonly address: string; readonly row: number }): Message =>
      letterTo(address, row, 100, copies((sizes[(row - 1) % sizes.length] ?? 1) - 1))
  const recipientMoments = (transport: { readonly tries: readonly Try[] }): readonly number[] =>
    transport.tries.flatMap(({ at, recipients }) => Array<number>(recipients).fill(at))
  const tenAMinute = { count: 10, seconds: 60, of: 'recipients' } as const

  test('every limit holds in every window, those of messages and those of recipients', async () => {
    const harness = await openHarness(200)
    const transport = scriptedTransport({ takes: 30 })
    const rates = [
      { count: 10, seconds: 1 },
      { count: 12, seconds: 1, of: 'recipients' as const },
      { count: 100, seconds: 10, of: 'recipients' as const },
    ]
    const end = await harness.deliver(transport, { settings: { rates }, prepare: sized(1, 3, 1, 12, 2) })
    expect(end.counts.sent).toBe(200)
    expect(mostWithin(moments(transport), 1000)).toBeLessThanOrEqual(10)
    expect(mostWithin(recipientMoments(transport), 1000)).toBeLessThanOrEqual(12)
    expect(mostWithin(recipientMoments(transport), 10_000)).toBeLessThanOrEqual(100)
  })

  test.each([
    ['made at once', (message: Message) => message],
    ['that take a while to make', (message: Message) => Promise.resolve(message)],
  ])('a quota holds over two runs at once, for messages %s', async (_what, made) => {
    const harness = await openHarness(30)
    const settings = { rates: [tenAMinute] }
    const [one, other] = [scriptedTransport(), scriptedTransport()]
    const two = await openHarness(30, { path: harness.path, name: 'two' })
    const [first, second] = await untilSettled(
      Promise.all([
        harness.start(one, { settings, prepare: (due) => made(sized(1, 3, 2)(due)) }),
        two.start(other, { settings, prepare: (due) => made(sized(4, 1)(due)) }),
      ]),
    )
    expect([first.counts.sent, second.counts.sent]).toEqual([30, 30])
    const all = [one, other].flatMap(recipientMoments).sort((a, b) => a - b)
    expect(all).toHaveLength(10 * (1 + 3 + 2) + 15 * (4 + 1))
    expect(mostWithin(all, MINUTE)).toBeLessThanOrEqual(10)
    // Ten of every window are used, or all but a message that does not fit.
    expect(performance.now()).toBeLessThan(25 * MINUTE)
  })

  test('a message that needs more than is left waits until all of it may go, in its turn, and says why', async () => {
    const harness = await openHarness(4)
    const paused: string[] = []
    const transport = scriptedTransport()
    await harness.deliver(transport, {
      settings: { rates: [tenAMinute], concurrency: 1 },
      prepare: sized(8, 10, 1, 1),
      onPaused: (reason) => paused.push(pauseWords(reason)),
    })
    expect(transport.tries.map(({ recipients, at }) => [recipients, Math.floor(at / MINUTE)])).toEqual([
      [8, 0],
      [10, 1],
      [1, 2],
      [1, 2],
    ])
    expect(paused).toEqual([
      'the quota of 10 recipients/min has 2 left, too few for the next message',
      'the quota of 10 recipients/min is used up',
    ])
    expect(transport.opens.length).toBeLessThanOrEqual(4)
  })

  test('a slow rate does not connect in vain between two messages', async () => {
    const harness = await openHarness(5)
    const transport = scriptedTransport()
    await harness.deliver(transport, {
      settings: { rates: [{ count: 3, seconds: 30, of: 'recipients' }] },
      prepare: sized(2),
    })
    expect(transport.accepted.size).toBe(5)
    // How many recipients a message has is learnt from the first.
    expect(transport.opens.length).toBeLessThanOrEqual(6)
  })

  test.each([
    ['made at once', (message: Message) => message],
    ['that take a while to make', (message: Message) => Promise.resolve(message)],
  ])('messages %s that waited for the quota are dated when they go', async (_what, made) => {
    const harness = await openHarness(3)
    const dated: number[] = []
    const transport = scriptedTransport()
    await harness.deliver(transport, {
      settings: { rates: [{ ...tenAMinute, seconds: 600 }], concurrency: 1 },
      prepare: (due, date) => {
        dated[due.row] = date.getTime()
        return made(sized(6)(due))
      },
    })
    const now = Date.now() - performance.now()
    expect(transport.tries.map(({ at }, index) => Math.abs(now + at - (dated[index + 1] ?? 0)) < 2000)).toEqual([
      true,
      true,
      true,
    ])
  })

  test('a message to more than a limit ever lets through ends the run, and is not waited for', async () => {
    const harness = await openHarness(5)
    const transport = scriptedTransport()
    const end = await harness.deliver(transport, {
      settings: { rates: [tenAMinute], concurrency: 1 },
      prepare: sized(1, 1, 11),
    })
    expect(end.counts).toMatchObject({ sent: 2, deferred: 3 })
    expect(end.error?.message).toBe(
      'row 3: the message has 11 recipients, and the rate of 10 recipients/min never lets that many through at once',
    )
    expect(performance.now()).toBeLessThan(MINUTE)
  })

  test('what is left, and the time to the end, are reported in recipients', async () => {
    const harness = await openHarness(20)
    type Progress = Parameters<NonNullable<Parameters<DeliveryHarness['start']>[1] & object>['onProgress'] & object>[0]
    let last: Progress | undefined
    const delivery = harness.start(scriptedTransport({ takes: 10 }), {
      settings: { rates: [tenAMinute] },
      prepare: sized(3),
      onProgress: (state) => {
        last = state
      },
    })
    await advance(2000)
    const until = process.hrtime.bigint() + 400_000_000n
    while (process.hrtime.bigint() < until) await settleTurns()
    expect(last?.counts.sent).toBe(3)
    expect(last?.quota).toMatchObject({ count: 10, seconds: 60, of: 'recipients', left: 1 })
    // 17 messages to 51 people, of whom one may be written to now.
    expect(last?.secondsLeft).toBeCloseTo(300, 0)
    await untilSettled(delivery)
  })

  test('a limit of messages lets as many through as ever, however many recipients they have', async () => {
    const harness = await openHarness(10)
    const transport = scriptedTransport()
    await harness.deliver(transport, { settings: { rates: [{ count: 10, seconds: 60 }] }, prepare: sized(7) })
    expect(transport.tries.every(({ at }) => at < MINUTE)).toBe(true)
  })
})
