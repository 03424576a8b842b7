/** What a delivery makes of what servers answer: who is sent to again, who is not, and when. */
import { describe, expect, test, vi } from 'vitest'
import { LoginError, OutputError, TurnedAwayError, UnreachableError } from '../../../src/errors.ts'
import type { Deliveries, Ledger } from '../../../src/ledger/ledger.ts'
import { NO_COPIES } from '../../../src/ledger/records.ts'
import { pauseWords, reasonWords, stopWords } from '../../../src/report/reasons.ts'
import {
  advance,
  deferred,
  letterTo,
  MINUTE,
  OK,
  openHarness,
  rejected,
  scriptedTransport,
  settleTurns,
  testClock,
  untilSettled,
  useHarness,
} from './delivery-harness.ts'

useHarness()

/** Minutes after the first try at which an address was tried. */
function minutesOf(transport: { readonly tries: readonly { readonly to: string; readonly at: number }[] }, to: string) {
  const moments = transport.tries.filter((one) => one.to === to).map(({ at }) => at)
  return moments.map((at) => Math.round(((at - (moments[0] ?? 0)) / MINUTE) * 10) / 10)
}

/** The ledger, with another way to record. */
function recordingBy(ledger: Ledger, record: Deliveries['record']): Ledger {
  const deliveries = new Proxy(ledger.deliveries, {
    get(target, name) {
      if (name === 'record') return record
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { ...ledger, deliveries }
}

describe('every row once', () => {
  test('all rows are sent, each once, and the counts add up', async () => {
    const harness = await openHarness(1200)
    const transport = scriptedTransport()
    const end = await harness.deliver(transport)
    expect(end).toMatchObject({ sent: 1200, counts: { sent: 1200, deferred: 0 } })
    expect(end.stopped).toBeUndefined()
    expect(transport.accepted.size).toBe(1200)
    expect(Math.max(...transport.accepted.values())).toBe(1)
    expect(await harness.ledger.results.counts(harness.runId)).toEqual(end.counts)
  })

  test('what is refused for good has failed, and what cannot be known is in doubt: neither is tried again', async () => {
    const harness = await openHarness(9)
    const answers = [OK, rejected('550 5.1.1 no such user'), { kind: 'in_doubt', reason: 'connection lost' } as const]
    const transport = scriptedTransport({ answer: ({ to }) => answers[Number(to.slice(1, -12)) % 3] ?? OK })
    const end = await harness.deliver(transport)
    expect(end.counts).toMatchObject({ sent: 3, failed: 3, in_doubt: 3, deferred: 0 })
    expect(transport.tries).toHaveLength(9)
    const again = await harness.deliver(transport)
    expect(again.sent).toBe(0)
    expect(transport.tries).toHaveLength(9)
  })

  test('a connection that breaks before the message was handed over costs nothing: the row goes again at once', async () => {
    const harness = await openHarness(40)
    const lost = { lane: { kind: 'lost', reason: 'reset' } } as const
    const transport = scriptedTransport({ takes: 5, answer: ({ attempt }) => (attempt === 1 ? lost : OK) })
    const end = await harness.deliver(transport)
    expect(end.counts).toMatchObject({ sent: 40, deferred: 0 })
    expect((await harness.results()).map(({ attempts }) => attempts)).toEqual(Array(40).fill(1))
  })

  test('a row whose connection breaks every time waits like a deferred one, and holds up nobody', async () => {
    const harness = await openHarness(30)
    const transport = scriptedTransport({
      takes: 5,
      answer: ({ to, attempt }) =>
        to === 'p3@example.com' && attempt <= 5 ? { lane: { kind: 'lost', reason: 'reset' } } : OK,
    })
    const end = await harness.deliver(transport)
    expect(end.counts.sent).toBe(30)
    expect(minutesOf(transport, 'p3@example.com').at(-1)).toBeGreaterThanOrEqual(1)
  })

  test('a row on whose connection the server hangs up with 421, however often, is untouched by it', async () => {
    const harness = await openHarness(60)
    const hangUp = { lane: { kind: 'throttled', reply: { code: 421, text: 'closing' } } } as const
    const transport = scriptedTransport({
      takes: 20,
      answer: ({ to, attempt }) => (to === 'p9@example.com' && attempt <= 9 ? hangUp : OK),
    })
    expect((await harness.deliver(transport)).counts.sent).toBe(60)
    expect(transport.tries.filter(({ to }) => to === 'p9@example.com')).toHaveLength(10)
    expect((await harness.results())[8]).toMatchObject({ status: 'sent', attempts: 1 })
  })

  test('one of several recipients refused is said, and the message counts as sent', async () => {
    const harness = await openHarness(1)
    const copies = [{ address: 'boss@example.com', reply: { code: 550, text: 'no such user' } }]
    const transport = scriptedTransport({
      answer: () => ({ kind: 'accepted', reply: { code: 250, text: 'taken' }, copies }),
    })
    await harness.deliver(transport)
    const [row] = await harness.results()
    expect(row).toMatchObject({ status: 'sent' })
    expect(row && reasonWords(row)).toBe('copy to boss@example.com refused: 550 no such user')
  })
})

describe('deferred rows', () => {
  test('are tried after 1, 5, 15, 30, 60 and 120 minutes, once more at the last time, and have failed then', async () => {
    const harness = await openHarness(['slow@example.com', 'ada@example.com'])
    const transport = scriptedTransport({
      answer: ({ to }) => (to === 'slow@example.com' ? deferred('451 later') : OK),
    })
    const end = await harness.deliver(transport)
    expect(minutesOf(transport, 'slow@example.com')).toEqual([0, 1, 6, 21, 51, 111, 231, 240])
    expect(end.counts).toMatchObject({ sent: 1, failed: 1, deferred: 0 })
    const [row] = await harness.results()
    expect(row).toMatchObject({ status: 'failed', attempts: 8, smtpCode: 451 })
    expect(row?.reason).toMatch(/^given up after 8 attempts/)
  })

  test.each([
    [0, 0.8],
    [1, 1.2],
  ])('come back spread by a fifth either way (lot %d)', async (lot, factor) => {
    const harness = await openHarness(1)
    const transport = scriptedTransport({
      answer: ({ attempt }) => (attempt < 3 ? deferred('450 4.2.0 greylisted') : OK),
    })
    await harness.deliver(transport, { clock: testClock(() => lot) })
    expect(minutesOf(transport, 'p1@example.com')).toEqual([0, factor, Math.round(factor * 60) / 10])
  })

  test('greylisting costs every row one more try, and the lanes are not kept open meanwhile', async () => {
    const harness = await openHarness(200)
    const transport = scriptedTransport({
      takes: 20,
      answer: ({ attempt }) => (attempt === 1 ? deferred('450 4.2.0 greylisted') : OK),
    })
    const paused: string[] = []
    const end = await harness.deliver(transport, { onPaused: (reason) => paused.push(pauseWords(reason)) })
    expect(end.counts.sent).toBe(200)
    expect(transport.tries).toHaveLength(400)
    expect(transport.opens.length).toBeLessThan(30)
    expect(paused).toContain('waiting to try again what the server deferred')
  })

  test('stay for a later run where --retry-for is nothing, and that run takes them', async () => {
    const harness = await openHarness(3)
    const transport = scriptedTransport({ answer: ({ attempt }) => (attempt === 1 ? deferred('451 later') : OK) })
    const end = await harness.deliver(transport, { settings: { retryFor: 0 } })
    expect(end).toMatchObject({ counts: { deferred: 3 }, stopped: { kind: 'deferred' } })
    await advance(2 * MINUTE)
    expect(await harness.deliver(transport, { settings: { retryFor: 0 } })).toMatchObject({ counts: { sent: 3 } })
  })

  test('of a long run are tried when their time comes, not at the end of the list', async () => {
    const harness = await openHarness(3000)
    const transport = scriptedTransport({
      takes: 500,
      answer: ({ to, attempt }) => (to === 'p1@example.com' && attempt === 1 ? deferred('450 4.2.0 greylisted') : OK),
    })
    await harness.deliver(transport)
    const minutes = minutesOf(transport, 'p1@example.com')
    expect(minutes).toHaveLength(2)
    expect(minutes[1]).toBeLessThan(4)
    expect(performance.now()).toBeGreaterThan(290_000)
  })

  test('a clock set back an hour, or a day, makes nobody wait longer', async () => {
    const harness = await openHarness(1)
    const transport = scriptedTransport({ answer: ({ attempt }) => (attempt === 1 ? deferred('451 later') : OK) })
    const delivery = harness.start(transport)
    await advance(10_000)
    vi.setSystemTime(Date.now() - 25 * 3_600_000)
    await untilSettled(delivery)
    expect(minutesOf(transport, 'p1@example.com')).toEqual([0, 1])
  })
})

describe('rows with hours of their own', () => {
  const HOUR = 60 * MINUTE
  const three = { startsIn: [0, 60, 120] }

  test('go at their hours, one after the other', async () => {
    const harness = await openHarness(3, three)
    const transport = scriptedTransport()
    expect((await harness.deliver(transport, { lateBy: HOUR })).counts.sent).toBe(3)
    expect(transport.tries.map(({ to }) => to)).toEqual(['p1@example.com', 'p2@example.com', 'p3@example.com'])
    expect(transport.tries.map(({ at }) => Math.floor((at - (transport.tries[0]?.at ?? 0)) / HOUR))).toEqual([0, 1, 2])
  })

  test.each([
    [50, 3],
    [65, 1],
  ])('and a machine that sleeps until %d minutes after an hour: %d are sent in all', async (minutes, sent) => {
    const harness = await openHarness(3, three)
    const transport = scriptedTransport()
    const delivery = harness.start(transport, { lateBy: HOUR })
    await advance(30 * MINUTE)
    vi.setSystemTime(Date.now() + (30 + minutes) * MINUTE)
    const end = await untilSettled(delivery)
    expect(end.counts).toMatchObject({ sent, deferred: 3 - sent })
    if (sent === 3) return
    expect(end.stopped && stopWords(end.stopped)).toContain('which is long over; resume with --late ok sends them')
    const late = { lateBy: Number.POSITIVE_INFINITY }
    expect((await harness.deliver(transport, late)).counts).toMatchObject({ sent: 3, deferred: 0 })
  })
})

describe('a server that refuses us', () => {
  test('a sender refused at MAIL stops the run after three tries, and every row is still to come', async () => {
    const harness = await openHarness(100)
    const refusal = rejected('553 5.7.1 <author@example.org>: sender address rejected', 'mail')
    const transport = scriptedTransport({ takes: 5, answer: () => refusal })
    const end = await harness.deliver(transport)
    expect(end.stopped && stopWords(end.stopped)).toMatch(/^the server refuses the sender author@example.org: 553/)
    expect(end.error).toBeUndefined()
    expect(end.counts).toMatchObject({ deferred: 100, failed: 0 })
    expect(transport.tries.length).toBeLessThanOrEqual(4)
    expect((await harness.deliver(scriptedTransport())).counts.sent).toBe(100)
  })

  test('a sender refused after others were taken is that row alone', async () => {
    const harness = await openHarness(20)
    const transport = scriptedTransport({
      answer: ({ to }) => (/^p1\d@/.test(to) ? rejected('550 5.1.8 bad sender', 'mail') : OK),
    })
    expect((await harness.deliver(transport)).counts).toMatchObject({ sent: 10, failed: 10 })
  })

  test('copies that the server refused are counted, and their rows are sent', async () => {
    const harness = await openHarness(3)
    const copies = [{ address: 'copy@example.org', reply: { code: 550, text: 'no such user' } }]
    const transport = scriptedTransport({
      answer: ({ to }) => ({
        kind: 'accepted',
        reply: { code: 250, text: 'ok' },
        ...(to.startsWith('p2') ? {} : { copies }),
      }),
    })
    expect(await harness.deliver(transport)).toMatchObject({ counts: { sent: 3 } })
    expect(await harness.ledger.carbonCopies.counts(harness.runId)).toEqual({ ...NO_COPIES, refused: 2 })
  })

  test('a limit of the account stops the run by whatever code, fails no row, and a later run sends the others', async () => {
    const harness = await openHarness(100)
    const limit = '550 5.4.5 Daily user sending limit exceeded'
    let accepted = 0
    const today = scriptedTransport({ answer: () => (++accepted > 7 ? rejected(limit, 'mail') : OK) })
    const end = await harness.deliver(today)
    expect(end).toMatchObject({ counts: { sent: 7, failed: 0, deferred: 93 }, stopped: { kind: 'account-limit' } })
    expect(today.tries.length).toBeLessThan(20)
    expect((await harness.deliver(scriptedTransport())).counts).toMatchObject({ sent: 100, failed: 0 })
  })

  test('a rate that the server reports by 550 slows the run down, and every row arrives', async () => {
    const harness = await openHarness(20)
    const fast = rejected('550 5.7.0 Requested action not taken: too many emails per second', 'end-of-data')
    let tries = 0
    const transport = scriptedTransport({ answer: () => (++tries === 5 || tries === 6 ? fast : OK) })
    const end = await harness.deliver(transport)
    expect(end.counts).toMatchObject({ sent: 20, failed: 0 })
    expect(end.stopped).toBeUndefined()
  })

  test('a pause that the server names is kept, and no row is sent before its end', async () => {
    const harness = await openHarness(20)
    const fast = deferred('450 4.7.1 Error: too much mail from 192.0.2.1, try again in 90 seconds')
    let tries = 0
    const transport = scriptedTransport({ answer: () => (++tries === 5 ? fast : OK) })
    expect((await harness.deliver(transport)).counts).toMatchObject({ sent: 20, failed: 0 })
    const refusedAt = transport.tries[4]?.at ?? 0
    const early = transport.tries.filter(({ at }) => at > refusedAt + 1000 && at < refusedAt + 90_000)
    expect(early).toEqual([])
  })

  test('a run of policy refusals stops the run, resumably, before a hundred were tried', async () => {
    const harness = await openHarness(400)
    const transport = scriptedTransport({
      takes: 5,
      answer: ({ to }) => (Number(to.slice(1, -12)) > 100 ? rejected('554 5.7.1 blocked as spam', 'end-of-data') : OK),
    })
    const end = await harness.deliver(transport)
    expect(end.stopped && stopWords(end.stopped)).toMatch(/for policy reasons/)
    const tried = transport.tries.length - 100
    expect(tried).toBeLessThan(100)
    expect(end.counts).toMatchObject({ sent: 100, failed: tried, deferred: 300 - tried })
  })

  test('unknown mailboxes, however many, are the list and do not stop it', async () => {
    const harness = await openHarness(300)
    const transport = scriptedTransport({ answer: () => rejected('550 5.1.1 no such user') })
    const end = await harness.deliver(transport)
    expect(end.stopped).toBeUndefined()
    expect(end.counts.failed).toBe(300)
  })

  test('a refused login stops at once: one connection, nothing tried', async () => {
    const harness = await openHarness(50)
    const transport = scriptedTransport({
      open: () => {
        throw new LoginError('535 refused')
      },
    })
    const end = await harness.deliver(transport)
    expect(end.error).toMatchObject({ exitCode: 77 })
    expect(transport.opens).toHaveLength(1)
    expect(transport.tries).toHaveLength(0)
    expect(end.counts.deferred).toBe(50)
  })
})

describe('a server that is away', () => {
  const away = (): never => {
    throw new UnreachableError('connection refused')
  }

  test('at the first connection ends the run with 69: a wrong host does not get better by waiting', async () => {
    const harness = await openHarness(5)
    const transport = scriptedTransport({ open: away })
    expect((await harness.deliver(transport)).error).toMatchObject({ exitCode: 69 })
    expect(transport.opens).toHaveLength(1)
  })

  test('that is there and takes nobody yet (421 at the greeting) is asked again with growing gaps', async () => {
    const harness = await openHarness(5)
    const transport = scriptedTransport({
      open: () => {
        if (performance.now() < 20_000) throw new TurnedAwayError('421 come back later')
      },
    })
    expect((await harness.deliver(transport)).counts.sent).toBe(5)
    expect(transport.opens.length).toBeLessThan(11)
  })

  test('for ten minutes is tried a few times with growing gaps, and then everything goes', async () => {
    const harness = await openHarness(600)
    const from = performance.now() + 500
    const gone = (): boolean => performance.now() > from && performance.now() < from + 10 * MINUTE
    const transport = scriptedTransport({
      takes: 20,
      answer: () => (gone() ? { lane: { kind: 'lost', reason: 'reset' } } : OK),
      open: () => (gone() ? away() : undefined),
    })
    const end = await harness.deliver(transport)
    expect(end.counts.sent).toBe(600)
    const tries = transport.opens.filter((at) => at > from && at < from + 10 * MINUTE)
    expect(tries.length).toBeLessThanOrEqual(20)
    const gaps = tries.slice(5).map((at, index) => at - (tries[index + 4] ?? 0))
    expect(gaps.at(-1)).toBeGreaterThan(50_000)
  })

  test('that greets and hangs up on every message is away too: it is not hammered', async () => {
    const harness = await openHarness(600)
    const from = performance.now() + 500
    const gone = (): boolean => performance.now() > from && performance.now() < from + 10 * MINUTE
    const hangUp = { lane: { kind: 'throttled', reply: { code: 421, text: 'closing' } } } as const
    const transport = scriptedTransport({ takes: 20, answer: () => (gone() ? hangUp : OK) })
    const end = await harness.deliver(transport)
    expect(end.counts).toMatchObject({ sent: 600, deferred: 0 })
    const tries = transport.opens.filter((at) => at > from && at < from + 10 * MINUTE)
    expect(tries.length).toBeLessThanOrEqual(25)
  })

  test('for longer than rows are tried ends the run resumably', async () => {
    const harness = await openHarness(50)
    const lost = scriptedTransport({
      takes: 5,
      answer: ({ message }) => (message > 3 ? { lane: { kind: 'lost', reason: 'reset' } } : OK),
      open: () => (lost.opens.length > 2 ? away() : undefined),
    })
    const end = await harness.deliver(lost, { settings: { retryFor: 60 * MINUTE } })
    expect(end.stopped && stopWords(end.stopped)).toMatch(/^the server was away for too long/)
    expect(end.error).toMatchObject({ exitCode: 69 })
    expect(performance.now()).toBeGreaterThan(60 * MINUTE)
    expect(end.counts.deferred).toBeGreaterThan(0)
    expect((await harness.deliver(scriptedTransport())).counts.sent).toBe(50)
  })

  test('comes back after an hour to no more connections than there are lanes', async () => {
    const harness = await openHarness(2000)
    const from = performance.now() + 500
    const back = from + 60 * MINUTE
    const gone = (): boolean => performance.now() > from && performance.now() < back
    const transport = scriptedTransport({
      takes: 20,
      answer: () => (gone() ? { lane: { kind: 'lost', reason: 'reset' } } : OK),
      open: () => (gone() ? away() : undefined),
    })
    expect((await harness.deliver(transport)).counts.sent).toBe(2000)
    const first = transport.opens.find((at) => at >= back) ?? 0
    expect(transport.opens.filter((at) => at >= first && at < first + 1000).length).toBeLessThanOrEqual(5)
  })
})

describe('stopping', () => {
  test('the first signal finishes what is in flight and begins nothing new', async () => {
    const harness = await openHarness(500)
    const stop = new AbortController()
    const transport = scriptedTransport({ takes: 100 })
    const delivery = harness.start(transport, { stop: stop.signal })
    await advance(2000)
    const begun = transport.tries.length
    stop.abort()
    const end = await untilSettled(delivery)
    expect(transport.tries).toHaveLength(begun)
    expect(end).toMatchObject({
      stopped: { kind: 'interrupted' },
      counts: { sent: begun, deferred: 500 - begun, in_doubt: 0 },
    })
    expect(await harness.ledger.results.counts(harness.runId)).toEqual(end.counts)
  })

  test('what does not end within the grace is cut and in doubt', async () => {
    const harness = await openHarness(10)
    const stop = new AbortController()
    const transport = scriptedTransport({ takes: 10 * MINUTE })
    const delivery = harness.start(transport, { stop: stop.signal, settings: { grace: 5000 } })
    await advance(1000)
    stop.abort()
    await advance(4000)
    expect(transport.tries.length).toBeGreaterThan(0)
    await advance(1500)
    const end = await untilSettled(delivery)
    expect(end.counts.in_doubt).toBe(transport.tries.length)
  })

  test('the second signal cuts at once, and what was handed over is in doubt', async () => {
    const harness = await openHarness(100)
    const [stop, abort] = [new AbortController(), new AbortController()]
    const transport = scriptedTransport({ takes: 3000 })
    const delivery = harness.start(transport, { stop: stop.signal, abort: abort.signal })
    await advance(10_000)
    stop.abort()
    await settleTurns()
    const before = performance.now()
    abort.abort()
    const end = await untilSettled(delivery)
    expect(performance.now() - before).toBeLessThan(10)
    const { sent, in_doubt, deferred } = end.counts
    expect(in_doubt).toBeGreaterThan(0)
    expect(sent + in_doubt + deferred).toBe(100)
    expect(sent + in_doubt).toBe(transport.tries.length)
  })

  test('while deferred rows are waited for it ends at once, and leaves no timer behind', async () => {
    const harness = await openHarness(3)
    const stop = new AbortController()
    const transport = scriptedTransport({ answer: () => deferred('451 later') })
    const delivery = harness.start(transport, { stop: stop.signal })
    await advance(20_000)
    const before = performance.now()
    stop.abort()
    const end = await untilSettled(delivery)
    expect(performance.now() - before).toBeLessThan(10)
    expect(end).toMatchObject({ stopped: { kind: 'interrupted' }, counts: { deferred: 3 } })
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a signal that came before the start sends nothing', async () => {
    const harness = await openHarness(5)
    const transport = scriptedTransport()
    const end = await harness.deliver(transport, { stop: AbortSignal.abort() })
    expect(end.counts.deferred).toBe(5)
    expect(transport.tries).toHaveLength(0)
  })
})

describe('the ledger comes first', () => {
  test('no message is handed over before its attempt is on the disk', async () => {
    const harness = await openHarness(50)
    const { ledger } = harness
    const { promise: disk, resolve: diskTurns } = Promise.withResolvers<void>()
    const slow = recordingBy(ledger, async (news) => {
      await disk
      return ledger.deliveries.record(news)
    })
    const transport = scriptedTransport({ takes: 10 })
    const delivery = harness.start(transport, { ledger: slow })
    await advance(5000)
    expect(transport.tries.length).toBeGreaterThan(0)
    expect(transport.accepted.size).toBe(0)
    diskTurns()
    expect((await untilSettled(delivery)).counts.sent).toBe(50)
  })
})

describe('a ledger that fails', () => {
  test('stops everything: what is not on the disk is not sent', async () => {
    const harness = await openHarness(200)
    let records = 0
    const { ledger } = harness
    const failing = recordingBy(ledger, (news) =>
      ++records > 8 ? Promise.reject(new OutputError('the disk is full')) : ledger.deliveries.record(news),
    )
    const transport = scriptedTransport({ takes: 10 })
    const end = await harness.deliver(transport, { ledger: failing })
    expect(end).toMatchObject({ error: { exitCode: 73, message: 'the disk is full' }, ledgerFailed: true })
    expect(transport.accepted.size).toBeGreaterThan(0)
    // Every message that was answered had been recorded as begun before it was handed over.
    const counts = await ledger.results.counts(harness.runId)
    expect(transport.accepted.size).toBeLessThanOrEqual(counts.sent + 5)
    expect(transport.accepted.size).toBeLessThan(60)
    const begun = transport.accepted.size
    await advance(5000)
    expect(transport.accepted.size).toBe(begun)
  })
})

describe('messages that take time to make', () => {
  test('are made ahead, and each once', async () => {
    const harness = await openHarness(100)
    const made: number[] = []
    const transport = scriptedTransport({ takes: 5 })
    const end = await harness.deliver(transport, {
      prepare: async ({ address, row }) => {
        made.push(row)
        await new Promise((resolve) => setTimeout(resolve, 20))
        return letterTo(address, row)
      },
    })
    expect(end.counts.sent).toBe(100)
    expect(made).toHaveLength(100)
  })

  test('large ones are made few at a time', async () => {
    const harness = await openHarness(60)
    let held = 0
    let most = 0
    const transport = scriptedTransport({
      takes: 50,
      answer: () => {
        held--
        return OK
      },
    })
    await harness.deliver(transport, {
      prepare: async ({ address, row }) => {
        held++
        most = Math.max(most, held)
        await new Promise((resolve) => setTimeout(resolve, 5))
        return letterTo(address, row, 20_000_000)
      },
    })
    expect(most).toBeLessThanOrEqual(5)
  })

  test.each(['at once', 'later'])(
    'a row that cannot be made any more stops the run (%s), and nothing is guessed',
    async (when) => {
      const harness = await openHarness(50)
      const transport = scriptedTransport({ takes: 5 })
      const broken = new OutputError('the attachment changed')
      const end = await harness.deliver(transport, {
        prepare: ({ address, row }) => {
          if (row !== 20) return when === 'later' ? Promise.resolve(letterTo(address, row)) : letterTo(address, row)
          if (when === 'later') return Promise.reject(broken)
          throw broken
        },
      })
      expect(end.error).toBe(broken)
      expect(end.counts.sent).toBeLessThan(50)
      expect((await harness.results())[19]).toMatchObject({ status: 'deferred', attempts: 0 })
    },
  )
})

describe('who is suppressed', () => {
  test('while the run goes on gets nothing more within a second, also when the word comes from elsewhere', async () => {
    const harness = await openHarness(300)
    const elsewhere = await openHarness([], { path: harness.path, name: 'other' })
    const transport = scriptedTransport({ takes: 100 })
    const delivery = harness.start(transport, { settings: { concurrency: 2 } })
    await advance(1000)
    await elsewhere.ledger.suppressions.add([
      { address: 'p250@example.com', hash: '', group: '', reason: 'unsubscribed', addedAt: new Date() },
    ])
    // The ledger is looked at by the real clock, four times a second.
    const until = process.hrtime.bigint() + 600_000_000n
    while (process.hrtime.bigint() < until) await settleTurns()
    const end = await untilSettled(delivery)
    expect(end.counts).toMatchObject({ sent: 299, skipped: 1 })
    expect(transport.accepted.has('p250@example.com')).toBe(false)
    expect((await harness.results())[249]).toMatchObject({
      status: 'skipped',
      skip: { kind: 'suppressed', detail: 'unsubscribed' },
    })
    await elsewhere.close()
  })
})
