/** That no limit is ever exceeded, whatever servers, clocks and processes do, and that a server that asks for less gets less. */
import { describe, expect, test, vi } from 'vitest'
import { TurnedAwayError, UnreachableError } from '../../../src/errors.ts'
import { pauseWords, stopWords } from '../../../src/report/reasons.ts'
import {
  type Answer,
  advance,
  type DeliveryHarness,
  deferred,
  MINUTE,
  moments,
  mostWithin,
  OK,
  openHarness,
  replyOf,
  scriptedTransport,
  settleTurns,
  untilSettled,
  useHarness,
} from './delivery-harness.ts'

useHarness()

describe('a server that hangs up on idle connections', () => {
  test('is connected to again for each message, and a slow rate takes no longer for it', async () => {
    const harness = await openHarness(8)
    const transport = scriptedTransport({ idle: 400 })
    const start = performance.now()
    const end = await harness.deliver(transport, { settings: { concurrency: 1, rates: [{ count: 1, seconds: 1 }] } })
    expect(end.counts).toMatchObject({ sent: 8, deferred: 0 })
    expect(performance.now() - start).toBeLessThan(14_000)
  })
})

describe('rates and quotas', () => {
  test('every limit given holds in every window', async () => {
    const harness = await openHarness(300)
    const transport = scriptedTransport({ takes: 30 })
    const rates = [
      { count: 10, seconds: 1 },
      { count: 60, seconds: 10 },
    ]
    const end = await harness.deliver(transport, { settings: { rates } })
    expect(end.counts.sent).toBe(300)
    expect(mostWithin(moments(transport), 1000)).toBeLessThanOrEqual(10)
    expect(mostWithin(moments(transport), 10_000)).toBeLessThanOrEqual(60)
  })

  test('a quota of minutes holds over two runs one after the other, and over two at once', async () => {
    const harness = await openHarness(60)
    const settings = { rates: [{ count: 20, seconds: 60 }] }
    const [first, second, third] = [scriptedTransport(), scriptedTransport(), scriptedTransport()]
    await harness.deliver(first, { settings })
    const two = await openHarness(50, { path: harness.path, name: 'two' })
    const three = await openHarness(50, { path: harness.path, name: 'three' })
    await untilSettled(Promise.all([two.start(second, { settings }), three.start(third, { settings })]))
    const all = [first, second, third].flatMap(moments).sort((one, other) => one - other)
    expect(all).toHaveLength(160)
    expect(mostWithin(all, MINUTE)).toBeLessThanOrEqual(20)
  })

  test('a quota that opens in more than an hour ends the run resumably, with the whole of it used', async () => {
    const harness = await openHarness(80)
    const transport = scriptedTransport()
    const settings = { rates: [{ count: 50, seconds: 86_400 }] }
    const delivery = harness.start(transport, { settings })
    // The end is noticed by the watch, which goes by the real clock.
    for (let at = 0; at < 40; at++) {
      await advance(10)
      await new Promise((resolve) => setImmediate(resolve))
    }
    const until = process.hrtime.bigint() + 400_000_000n
    while (process.hrtime.bigint() < until) await settleTurns()
    const end = await untilSettled(delivery)
    expect(end).toMatchObject({ counts: { sent: 50, deferred: 30 } })
    expect(end.stopped && stopWords(end.stopped)).toMatch(/^the quota of 50\/day is used up until /)
    expect(end.error).toBeUndefined()
  })

  test('while it waits for a quota it says so, keeps no lane open and reports what is left', async () => {
    const harness = await openHarness(40)
    const paused: string[] = []
    const transport = scriptedTransport()
    await harness.deliver(transport, {
      settings: { rates: [{ count: 20, seconds: 60 }] },
      onPaused: (reason) => paused.push(pauseWords(reason)),
    })
    expect(paused).toContain('the quota of 20/min is used up')
    // Five lanes for each half of the rows.
    expect(transport.opens.map((at) => at >= 60_000)).toEqual([...Array(5).fill(false), ...Array(5).fill(true)])
  })

  test.each([
    ['an hour forth', 3_600_000],
    ['an hour back', -3_600_000],
    ['a day back', -86_400_000],
  ])('a clock set %s, again and again, frees no quota and makes no pause longer', async (_, jump) => {
    const harness = await openHarness(60)
    const transport = scriptedTransport()
    const delivery = harness.start(transport, { settings: { rates: [{ count: 10, seconds: 60 }] } })
    for (let at = 0; at < 12; at++) {
      await advance(25_000)
      vi.setSystemTime(Date.now() + jump)
    }
    const end = await untilSettled(delivery)
    expect(end.counts.sent).toBe(60)
    expect(mostWithin(moments(transport), MINUTE)).toBeLessThanOrEqual(10)
    // Five further windows, each a little longer than a minute for what is on its way.
    expect(performance.now()).toBeLessThan(7 * MINUTE)
  })
})

test('an allowance that was taken and lies unused for long is not used later, on top of a whole window', async () => {
  const harness = await openHarness(21)
  let asked = 0
  const reply = replyOf('421 4.7.28 unusual rate of mail')
  const transport = scriptedTransport({
    // While the second message is on its way a third allowance is taken ahead; then the server wants a long pause.
    answer: () => (++asked === 2 ? { lane: { kind: 'throttled', reply } } : OK),
    takes: 10,
    ahead: true,
  })
  const end = await harness.deliver(transport, { settings: { rates: [{ count: 10, seconds: 60 }] } })
  expect(end.counts.sent).toBe(21)
  expect(mostWithin(moments(transport), MINUTE)).toBeLessThanOrEqual(10)
})

test('a slow rate does not connect in vain between two messages', async () => {
  const harness = await openHarness(5)
  const transport = scriptedTransport()
  await harness.deliver(transport, { settings: { rates: [{ count: 1, seconds: 30 }] } })
  expect(transport.accepted.size).toBe(5)
  expect(transport.opens).toHaveLength(5)
})

describe('a server that allows fewer connections', () => {
  test.each(['at its greeting', 'at the first message'])(
    'is left with as many, and no row suffers (421 %s)',
    async (where) => {
      const harness = await openHarness(2000)
      const reply = replyOf('421 4.7.0 too many connections from you')
      const refusals: number[] = []
      let live = 0
      const transport = scriptedTransport({
        takes: 200,
        open: (others) => {
          live = others
          if (where !== 'at its greeting' || others < 3) return
          refusals.push(performance.now())
          throw new TurnedAwayError('421 too many connections')
        },
        answer: ({ message }): Answer => {
          if (where === 'at its greeting' || live < 3 || message > 1) return OK
          live = 0
          refusals.push(performance.now())
          return { lane: { kind: 'throttled', reply } }
        },
      })
      const end = await harness.deliver(transport, { settings: { concurrency: 10 } })
      expect(end.counts).toMatchObject({ sent: 2000, deferred: 0 })
      expect((await harness.results()).every(({ attempts }) => attempts === 1)).toBe(true)
      // Three lanes at work most of the time: 2,000 messages at 5 a second a lane.
      expect(performance.now()).toBeLessThan(1.4 * ((2000 * 200) / 3))
      const later = refusals.filter((at) => at > MINUTE)
      expect(later.length).toBeLessThanOrEqual(4)
    },
  )

  test('lanes are opened as the server proves itself: one, then two, then one more a round of successes', async () => {
    const harness = await openHarness(200)
    const transport = scriptedTransport({ takes: 100, connects: 10 })
    await harness.deliver(transport, { settings: { concurrency: 8 } })
    expect(transport.most.lanes).toBe(8)
    const first = transport.opens.filter((at) => at < (transport.opens[0] ?? 0) + 100)
    expect(first.length).toBeLessThanOrEqual(2)
  })

  test('too many open files mean fewer lanes, said once', async () => {
    const harness = await openHarness(300)
    const notes: string[] = []
    const transport = scriptedTransport({
      takes: 50,
      open: (live) => {
        if (live >= 2) throw new UnreachableError('too many open files to connect to mail.example.com:25')
      },
    })
    const end = await harness.deliver(transport, { onNote: (text) => notes.push(text) })
    expect(end.counts.sent).toBe(300)
    expect(notes).toEqual(['continuing with fewer connections: too many open files to connect to mail.example.com:25'])
  })
})

describe('a server that takes a limited number of messages in a time', () => {
  /** A bucket that holds a number of messages and gets one more after each interval, in milliseconds. */
  function bucket(size: number, every: number): () => boolean {
    let full = size
    let at = performance.now()
    return () => {
      const now = performance.now()
      full = Math.min(size, full + (now - at) / every)
      at = now
      if (full < 1) return false
      full--
      return true
    }
  }

  test.each([
    ['432 4.3.2 Concurrent or rate limit exceeded', 'message'],
    ['454 Throttling failure: Maximum sending rate exceeded.', 'message'],
    ['421 4.7.28 unusual rate of mail', 'message'],
    ['421 4.7.28 unusual rate of mail', 'lane'],
    ['452 4.5.3 Too many messages', 'message'],
  ])('and says %s (of the %s): the lanes pause, no row fails, and the pace is learnt', async (line, of) => {
    const harness = await openHarness(300)
    const takes = bucket(30, 2000)
    const refusals: number[] = []
    const reply = replyOf(line)
    const transport = scriptedTransport({
      takes: 100,
      answer: (): Answer => {
        if (takes()) return OK
        refusals.push(performance.now())
        return of === 'message' ? deferred(line) : { lane: { kind: 'throttled', reply } }
      },
    })
    const end = await harness.deliver(transport)
    expect(end.counts).toMatchObject({ sent: 300, failed: 0, deferred: 0 })
    const learnt = refusals.filter((at) => at > 2 * MINUTE)
    expect(mostWithin(learnt, MINUTE)).toBeLessThanOrEqual(2)
    expect(refusals.length).toBeLessThan(30)
    // 270 further messages at 30 a minute take nine minutes; a fifth of it may go to learning.
    expect(performance.now()).toBeLessThan(12 * MINUTE)
  })

  test('once, in passing, does not slow the rest of a run for long', async () => {
    const harness = await openHarness(1200)
    let complaints = 0
    const transport = scriptedTransport({
      takes: 20,
      answer: ({ to, attempt }): Answer => {
        if (to !== 'p500@example.com' || attempt > 1) return OK
        complaints++
        return deferred('454 Throttling failure: Maximum sending rate exceeded.')
      },
    })
    expect((await harness.deliver(transport)).counts.sent).toBe(1200)
    expect(complaints).toBe(1)
    expect(performance.now()).toBeLessThan(20_000)
  })
})

describe('limits for each domain', () => {
  const people = Array.from({ length: 120 }, (_, at) => `p${at}@${at % 2 === 0 ? 'big.example' : `d${at}.example`}`)

  test('no more than the limit at once to one domain, and the others go on meanwhile', async () => {
    const harness = await openHarness(people)
    const busy = new Map<string, number>()
    let most = 0
    const transport = scriptedTransport({
      takes: 50,
      answer: ({ to }) => {
        const domain = to.slice(to.indexOf('@'))
        const now = (busy.get(domain) ?? 0) + 1
        busy.set(domain, now)
        most = Math.max(most, now)
        setTimeout(() => busy.set(domain, (busy.get(domain) ?? 0) - 1), 49)
        return OK
      },
    })
    const end = await harness.deliver(transport, { settings: { perDomain: { concurrency: 2 } } })
    expect(end.counts.sent).toBe(120)
    expect(most).toBe(2)
    expect(transport.most.inFlight).toBeGreaterThan(2)
  })

  test.each([false, true])(
    'a list of one domain ends too, though lanes wait for each other (pipelined: %s)',
    async (ahead) => {
      const harness = await openHarness(50)
      const transport = scriptedTransport({ takes: 50, ahead })
      const end = await harness.deliver(transport, { settings: { perDomain: { concurrency: 1 } } })
      expect(end.counts.sent).toBe(50)
      expect(transport.most.inFlight).toBe(1)
    },
  )

  test('no more than the limit in a time to one domain, without connecting for nothing meanwhile', async () => {
    const harness = await openHarness(people)
    const transport = scriptedTransport({ takes: 10 })
    const rates = [{ count: 10, seconds: 30 }]
    const end = await harness.deliver(transport, { settings: { perDomain: { rates } } })
    expect(end.counts.sent).toBe(120)
    const big = transport.tries.filter(({ to }) => to.endsWith('@big.example')).map(({ at }) => at)
    expect(mostWithin(big, 30_000)).toBeLessThanOrEqual(10)
    expect(transport.opens.length).toBeLessThan(45)
    expect(performance.now()).toBeLessThan(4 * MINUTE)
  })
})

test('progress reports rate, lanes, rows to try again, what is left of the quota, and a time that respects the limits', async () => {
  const harness = await openHarness(40)
  type Progress = Parameters<NonNullable<Parameters<DeliveryHarness['start']>[1] & object>['onProgress'] & object>[0]
  let last: Progress | undefined
  const transport = scriptedTransport({
    takes: 10,
    answer: ({ to, attempt }) => (to === 'p2@example.com' && attempt === 1 ? deferred('451 later') : OK),
  })
  const delivery = harness.start(transport, {
    settings: { rates: [{ count: 10, seconds: 60 }] },
    onProgress: (state) => {
      last = state
    },
  })
  await advance(2000)
  const until = process.hrtime.bigint() + 400_000_000n
  while (process.hrtime.bigint() < until) await settleTurns()
  expect(last).toMatchObject({
    counts: { sent: 9, deferred: 31 },
    lanes: 0,
    retrying: 1,
    quota: { count: 10, seconds: 60, left: 0 },
  })
  expect(last?.secondsLeft).toBeGreaterThan(170)
  await untilSettled(delivery)
})
