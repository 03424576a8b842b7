/** Copies (cc, bcc) that the server did not take with their message: sent later, each by itself and once. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { NO_COPIES } from '../../../src/ledger/records.ts'
import { reasonWords } from '../../../src/report/reasons.ts'
import type { Outcome } from '../../../src/transport/transport.ts'
import { suppressionOf } from '../../../src/unsubscribe/suppression-list.ts'
import {
  type DeliveryHarness,
  deferred,
  holdTime,
  letterTo,
  type More,
  moments,
  mostWithin,
  OK,
  openHarness,
  rejected,
  replyOf,
  type ScriptedTransport,
  scriptedTransport,
  type Try,
} from './delivery-harness.ts'

const MINUTE = 60_000
const BOSS = 'boss@example.org'
let harness: DeliveryHarness

beforeEach(holdTime)
afterEach(async () => {
  vi.useRealTimers()
  await harness.close()
})

/** Each message has these copies. */
function withCopies(copies: readonly string[]): More {
  return { prepare: ({ address, row }) => letterTo(address, row, 100, copies) }
}

/** Takes the message of a row, but not these copies. */
function except(refused: Readonly<Record<string, string>>): Outcome {
  const copies = Object.entries(refused).map(([address, line]) => ({ address, reply: replyOf(line) }))
  return { kind: 'accepted', reply: replyOf('250 2.0.0 taken'), copies }
}

/** The row's message is taken without the boss's copy; `answer` is for the attempts of the copy alone. */
function puttingOff(line: string, answer: (attempt: Try) => Outcome = () => OK): ScriptedTransport {
  return scriptedTransport({
    answer: (attempt) => (attempt.to === BOSS ? answer(attempt) : except({ [BOSS]: line })),
  })
}

const copies = () => harness.ledger.carbonCopies.counts(harness.runId)
const words = async () => (await harness.results()).map(reasonWords)

describe('a copy that the server defers', () => {
  test('is sent a minute later, alone, as the same message, and the run ends then', async () => {
    harness = await openHarness(1)
    const made: Date[] = []
    const prepare: More['prepare'] = ({ address, row }, date) => {
      made.push(date)
      return letterTo(address, row, 100, [BOSS, 'other@example.org'])
    }
    const transport = puttingOff('450 4.2.0 Greylisted')
    const end = await harness.deliver(transport, { prepare })
    expect(end).toMatchObject({ counts: { sent: 1, deferred: 0 } })
    expect(end.stopped).toBeUndefined()
    expect(transport.tries.map(({ to, recipients }) => [to, recipients])).toEqual([
      ['p1@example.com', 3],
      [BOSS, 1],
    ])
    const [row, copy] = transport.tries
    expect((copy?.at ?? 0) - (row?.at ?? 0)).toBeGreaterThanOrEqual(MINUTE * 0.8)
    expect(made[1]).toEqual(made[0])
    expect(await copies()).toEqual({ ...NO_COPIES, sent: 1 })
    expect(await words()).toEqual([''])
  })

  test('is tried again when the server said', async () => {
    harness = await openHarness(1)
    const transport = puttingOff('450 4.2.0 Greylisted, try again in 20 minutes')
    await harness.deliver(transport, withCopies([BOSS]))
    const [first = 0, second = 0] = moments(transport)
    expect(second - first).toBeGreaterThanOrEqual(20 * MINUTE)
    expect(second - first).toBeLessThan(23 * MINUTE)
  })

  test('is given up like a row, and refused then with the last answer', async () => {
    harness = await openHarness(1)
    const transport = puttingOff('450 4.2.0 Greylisted', () => deferred('450 4.2.0 Greylisted'))
    const settings = { retryFor: 60 * MINUTE }
    await harness.deliver(transport, { ...withCopies([BOSS]), settings })
    const [first = 0, ...later] = moments(transport)
    expect(later).toHaveLength(5)
    expect((later.at(-1) ?? 0) - first).toBeLessThan(61 * MINUTE)
    expect(await copies()).toEqual({ ...NO_COPIES, refused: 1 })
    expect(await words()).toEqual([`copy to ${BOSS} given up: 450 Greylisted`])
  })

  test('that is refused for good in the end says so', async () => {
    harness = await openHarness(1)
    const transport = puttingOff('450 4.2.0 Greylisted', () => rejected('550 5.1.1 no such user'))
    await harness.deliver(transport, withCopies([BOSS]))
    expect(await copies()).toEqual({ ...NO_COPIES, refused: 1 })
    expect(await words()).toEqual([`copy to ${BOSS} refused: 550 no such user`])
  })

  test('is left for the next run where the settings want no waiting, and that one tries it at once', async () => {
    harness = await openHarness(1)
    const settings = { retryFor: 0 }
    const first = puttingOff('450 4.2.0 Greylisted')
    const end = await harness.deliver(first, { ...withCopies([BOSS]), settings })
    expect(end).toMatchObject({ counts: { sent: 1 }, stopped: { kind: 'deferred' } })
    expect(first.tries).toHaveLength(1)
    expect(await words()).toEqual([`copy to ${BOSS} waits to be tried again: 450 Greylisted`])
    const second = scriptedTransport({ answer: () => deferred('450 4.2.0 Greylisted') })
    await harness.deliver(second, { ...withCopies([BOSS]), settings })
    expect(second.tries).toHaveLength(1)
    await harness.deliver(scriptedTransport(), { ...withCopies([BOSS]), settings })
    expect(await copies()).toEqual({ ...NO_COPIES, sent: 1 })
  })

  test('waits in the ledger: another process sends it, also when 1,200 wait', async () => {
    harness = await openHarness(1200)
    const settings = { retryFor: 0 }
    await harness.deliver(puttingOff('451 4.7.1 later'), { ...withCopies([BOSS]), settings })
    expect(await copies()).toEqual({ ...NO_COPIES, deferred: 1200 })
    const transport = scriptedTransport()
    const end = await harness.deliver(transport, { ...withCopies([BOSS]), settings })
    expect(end.stopped).toBeUndefined()
    expect(transport.tries).toHaveLength(1200)
    expect(await copies()).toEqual({ ...NO_COPIES, sent: 1200 })
  })
})

describe('copies that are too many for one transaction', () => {
  const many = ['one@x.org', 'two@x.org', 'three@x.org']

  test('get the message at once in transactions of their own, also where the settings want no waiting', async () => {
    harness = await openHarness(1)
    const line = '452 4.5.3 Too many recipients'
    const transport = scriptedTransport({
      answer: ({ recipients }) => (recipients > 1 ? except({ 'two@x.org': line, 'three@x.org': line }) : OK),
    })
    const end = await harness.deliver(transport, { ...withCopies(many), settings: { retryFor: 0 } })
    expect(end.stopped).toBeUndefined()
    expect(transport.tries.map(({ to }) => to).toSorted()).toEqual(['p1@example.com', 'three@x.org', 'two@x.org'])
    expect((transport.tries.at(-1)?.at ?? 0) - (transport.tries[0]?.at ?? 0)).toBeLessThan(MINUTE / 2)
  })

  test.each(['552 Too many recipients', '550 5.5.3 Too many recipients'])('%s is one of them', async (line) => {
    harness = await openHarness(1)
    const transport = scriptedTransport({
      answer: ({ recipients }) => (recipients > 1 ? except({ 'two@x.org': line }) : OK),
    })
    await harness.deliver(transport, withCopies(many))
    expect(await copies()).toEqual({ ...NO_COPIES, sent: 1 })
  })

  test('a server that says so of a copy alone is not asked again at once', async () => {
    harness = await openHarness(1)
    const transport = puttingOff('452 4.5.3 Too many recipients', () => deferred('452 4.5.3 Too many recipients'))
    await harness.deliver(transport, { ...withCopies([BOSS]), settings: { retryFor: 10 * MINUTE } })
    expect(transport.tries.length).toBeLessThan(8)
    expect(await copies()).toEqual({ ...NO_COPIES, refused: 1 })
  })
})

describe('a copy is treated like a row', () => {
  test('lost after it was handed over it is in doubt, and not sent again', async () => {
    harness = await openHarness(1)
    const transport = puttingOff('450 4.2.0 Greylisted', () => ({ kind: 'in_doubt', reason: 'connection lost' }))
    const end = await harness.deliver(transport, withCopies([BOSS]))
    expect(end.counts).toMatchObject({ sent: 1, in_doubt: 0 })
    expect(await copies()).toEqual({ ...NO_COPIES, in_doubt: 1 })
    expect(await words()).toEqual([`copy to ${BOSS} in doubt: connection lost`])
    const again = scriptedTransport()
    await harness.deliver(again, withCopies([BOSS]))
    expect(again.tries).toEqual([])
  })

  test('lost before that it goes again, once', async () => {
    harness = await openHarness(1)
    const transport = scriptedTransport({
      answer: ({ to, attempt }) => {
        if (to !== BOSS) return except({ [BOSS]: '450 4.2.0 Greylisted' })
        return attempt < 3 ? { lane: { kind: 'lost', reason: 'cut' } } : OK
      },
    })
    await harness.deliver(transport, withCopies([BOSS]))
    expect(transport.accepted.get(BOSS)).toBe(1)
    expect(await copies()).toEqual({ ...NO_COPIES, sent: 1 })
  })

  test('its domain is that of its own address', async () => {
    harness = await openHarness(6)
    const transport = puttingOff('450 4.2.0 Greylisted')
    const settings = { perDomain: { rates: [{ count: 1, seconds: 10 }] } }
    await harness.deliver(transport, { ...withCopies([BOSS]), settings })
    const tries = transport.tries.filter(({ to }) => to === BOSS)
    expect(tries).toHaveLength(6)
    expect(mostWithin(moments({ tries }), 9_900)).toBe(1)
  })

  test('it counts for the limits of recipients', async () => {
    harness = await openHarness(2)
    const transport = puttingOff('452 4.5.3 Too many recipients')
    const settings = { rates: [{ count: 2, seconds: 30, of: 'recipients' as const }] }
    await harness.deliver(transport, { ...withCopies([BOSS]), settings })
    // Two messages of two recipients, then two copies.
    const [first = 0, ...later] = moments(transport)
    expect((later.at(-1) ?? 0) - first).toBeGreaterThanOrEqual(60_000)
  })

  test('an address that was suppressed meanwhile gets none', async () => {
    harness = await openHarness(1)
    const settings = { retryFor: 0 }
    await harness.deliver(puttingOff('450 4.2.0 Greylisted'), { ...withCopies([BOSS]), settings })
    await harness.ledger.suppressions.add([
      suppressionOf(BOSS, { group: '', reason: 'unsubscribed', note: '', addedAt: new Date() }),
    ])
    const transport = scriptedTransport()
    await harness.deliver(transport, { ...withCopies([BOSS]), settings })
    expect(transport.tries).toEqual([])
    expect(await words()).toEqual([`copy to ${BOSS} not sent: suppressed: unsubscribed`])
  })

  test.each(['550 5.4.5 Daily user sending limit exceeded', '550 5.7.1 Sending rate exceeded'])(
    'after %s a copy is still to come',
    async (line) => {
      harness = await openHarness(1)
      const transport = puttingOff(line)
      await harness.deliver(transport, withCopies([BOSS]))
      expect(await copies()).toEqual({ ...NO_COPIES, sent: 1 })
    },
  )

  test('a limit of the account stops the run, with the copy still to come', async () => {
    harness = await openHarness(1)
    const limit = '550 5.4.5 Daily user sending limit exceeded'
    const end = await harness.deliver(
      puttingOff('450 4.2.0 Greylisted', () => rejected(limit)),
      withCopies([BOSS]),
    )
    expect(end.stopped).toMatchObject({ kind: 'account-limit' })
    expect(await copies()).toEqual({ ...NO_COPIES, deferred: 1 })
  })
})

test('of two copies the refused one is settled, and the deferred one is sent later', async () => {
  harness = await openHarness(1)
  const answer = ({ to }: Try): Outcome =>
    to === BOSS ? OK : except({ [BOSS]: '450 4.2.0 Greylisted', 'nobody@x.org': '550 5.1.1 no such user' })
  await harness.deliver(scriptedTransport({ answer }), withCopies([BOSS, 'nobody@x.org']))
  expect(await copies()).toEqual({ ...NO_COPIES, sent: 1, refused: 1 })
  expect(await words()).toEqual(['copy to nobody@x.org refused: 550 no such user'])
})

describe('a copy that went while its row did not', () => {
  const full = () => ({
    ...deferred('452 4.2.2 mailbox full'),
    copies: [{ address: BOSS, reply: replyOf('250 2.0.0 taken') }],
  })

  test('is not sent again when the row is', async () => {
    harness = await openHarness(1)
    const transport = scriptedTransport({ answer: ({ attempt }) => (attempt === 1 ? full() : OK) })
    const end = await harness.deliver(transport, withCopies([BOSS]))
    expect(end).toMatchObject({ counts: { sent: 1, deferred: 0 } })
    expect(transport.tries.map(({ to, recipients }) => [to, recipients])).toEqual([
      ['p1@example.com', 2],
      ['p1@example.com', 1],
    ])
    expect(await copies()).toEqual({ ...NO_COPIES, sent: 1 })
    expect(await words()).toEqual([''])
  })

  test('is not sent again by another process, nor when a row that failed is tried again', async () => {
    harness = await openHarness(1)
    const settings = { retryFor: 0 }
    await harness.deliver(scriptedTransport({ answer: full }), { ...withCopies([BOSS]), settings })
    expect(await words()).toEqual(['mailbox full'])
    const refusing = scriptedTransport({ answer: () => rejected('550 5.1.1 no such user') })
    await harness.deliver(refusing, withCopies([BOSS]))
    await harness.ledger.deliveries.retryFailed(harness.runId)
    const last = scriptedTransport()
    await harness.deliver(last, withCopies([BOSS]))
    expect([...refusing.tries, ...last.tries].map(({ recipients }) => recipients)).toEqual([1, 1])
    expect(await copies()).toEqual({ ...NO_COPIES, sent: 1 })
  })

  test('takes the other copies with it: each then goes by itself', async () => {
    harness = await openHarness(1)
    const other = 'other@example.org'
    const first = (): Outcome => ({
      ...rejected('550 5.1.1 no such user'),
      copies: [
        { address: BOSS, reply: replyOf('250 2.0.0 taken') },
        { address: other, reply: replyOf('452 4.2.2 mailbox full') },
      ],
    })
    const transport = scriptedTransport({ answer: ({ to }) => (to === other ? OK : first()) })
    const end = await harness.deliver(transport, withCopies([BOSS, other]))
    expect(end).toMatchObject({ counts: { failed: 1 } })
    expect(transport.tries.map(({ to, recipients }) => [to, recipients])).toEqual([
      ['p1@example.com', 3],
      [other, 1],
    ])
    expect(await copies()).toEqual({ ...NO_COPIES, sent: 2 })
  })

  test('also where the server blames the pace of the sender, and not the row', async () => {
    harness = await openHarness(1)
    const slow = (): Outcome => ({ ...full(), reply: replyOf('450 4.7.1 too much mail, slow down') })
    const transport = scriptedTransport({ answer: ({ attempt }) => (attempt === 1 ? slow() : OK) })
    await harness.deliver(transport, withCopies([BOSS]))
    expect(transport.tries.map(({ recipients }) => recipients)).toEqual([2, 1])
  })
})

test('a copy that was handed over and never answered is in doubt, and a person decides about it', async () => {
  harness = await openHarness(1)
  const transport = scriptedTransport({
    answer: () => ({
      kind: 'accepted',
      reply: replyOf('250 2.0.0 taken'),
      copies: [{ address: BOSS, reply: undefined }],
    }),
  })
  const end = await harness.deliver(transport, withCopies([BOSS]))
  expect(end).toMatchObject({ counts: { sent: 1 } })
  expect(await copies()).toEqual({ ...NO_COPIES, in_doubt: 1 })
  expect(await words()).toEqual([`copy to ${BOSS} in doubt: handed over, but the answer for it never came`])
})
