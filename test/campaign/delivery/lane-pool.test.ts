/** How many lanes there are, and what becomes of the delivery when they cannot be opened or end. */
import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { DeliveryControl } from '../../../src/campaign/delivery/delivery-control.ts'
import type { JobQueue } from '../../../src/campaign/delivery/job-queue.ts'
import { CircuitBreaker, LaneCountController, LanePool } from '../../../src/campaign/delivery/lane-pool.ts'
import type { Outcomes } from '../../../src/campaign/delivery/outcomes.ts'
import { LoginError, TurnedAwayError, UnreachableError } from '../../../src/errors.ts'
import type { Feed, Job, Lane, LaneEnd } from '../../../src/transport/transport.ts'
import { holdTime, letterTo, OK, replyOf, settleTurns, testClock, useHarness } from './delivery-harness.ts'

/** A lane that ends when the test says so. */
interface OpenLane {
  readonly feed: Feed<Job>
  readonly end: (end: LaneEnd) => void
  cut: boolean
}

useHarness()

let lanes: OpenLane[]
let events: string[]
let refuse: (() => Error) | undefined
let laneCount: LaneCountController
let breaker: CircuitBreaker
let pool: LanePool

beforeEach(() => {
  lanes = []
  events = []
  refuse = undefined
  const clock = testClock()
  laneCount = new LaneCountController(10, clock)
  breaker = new CircuitBreaker(clock, 60_000)
  const control: DeliveryControl = {
    stopping: false,
    halt: (reason) => events.push(`halt: ${reason.kind}`),
    haltAll: (reason) => events.push(`halt: ${reason.kind}`),
    broken: () => events.push('broken'),
    changed: () => {},
    paused: () => events.push('paused'),
    note: (text) => events.push(`note: ${text}`),
  }
  pool = new LanePool({
    transport: {
      name: 'lanes',
      open: () => (refuse === undefined ? Promise.resolve(lane()) : Promise.reject(refuse())),
      verify: () => Promise.reject(new Error('not asked')),
      close: () => Promise.resolve(),
    },
    jobs: {
      next: () => undefined,
      ended() {},
      shortenIdle: () => events.push('idle shortened'),
    } as unknown as JobQueue,
    outcomes: {
      begin: () => Promise.resolve(),
      end: () => {},
      forgive: (recipients: readonly number[]) => events.push(`forgiven: ${recipients.join(' ')}`),
    } as unknown as Outcomes,
    laneCount,
    breaker,
    control,
    clock,
    throttled: ({ code, text }) => events.push(`throttled: ${code} ${text}`),
    outage: (reason) => events.push(`outage: ${reason}`),
  })
})

function lane(): Lane {
  const { promise, resolve } = Promise.withResolvers<LaneEnd>()
  return {
    run(feed) {
      lanes.push({ feed: feed as unknown as Feed<Job>, end: resolve, cut: false })
      return promise
    },
    abort() {
      for (const one of lanes) one.cut = true
    },
  }
}

async function openFor(messages: number): Promise<void> {
  pool.openFor(messages)
  await settleTurns()
}

async function end(which: number, how: LaneEnd): Promise<void> {
  lanes[which]?.end(how)
  await settleTurns()
}

const job = (recipient: number) =>
  ({ message: letterTo('p@example.com', recipient), due: { recipient }, row: recipient, lane: 1, began: true }) as never

describe('how many', () => {
  test('the first lane is opened alone, and others when it got through', async () => {
    pool.openFor(100)
    await settleTurns()
    expect(pool.size).toBe(1)
    await openFor(100)
    expect(pool.size).toBe(2)
    for (let accepted = 0; accepted < 20; accepted++) laneCount.recordSuccess()
    await openFor(100)
    expect(pool.size).toBe(10)
  })

  test('no more than there are messages', async () => {
    await openFor(1)
    await openFor(1)
    expect(pool.size).toBe(1)
  })

  test('one, while a server that was away has not answered for a message', async () => {
    await openFor(100)
    await end(0, { kind: 'lost', reason: 'reset' })
    breaker.recordFailure()
    await openFor(100)
    await openFor(100)
    expect(pool.size).toBe(1)
    // A greeting is not an answer; one for a message is.
    lanes[1]?.feed.end(job(1), OK)
    await openFor(100)
    expect(pool.size).toBeGreaterThan(1)
  })
})

describe('how each is going', () => {
  const begun = (row: number) => Object.assign(job(row) as object, { began: true }) as never

  test('its row from the hand-over to the answer, how long its server says nothing, and its pace', async () => {
    holdTime()
    await openFor(100)
    await openFor(100)
    const [first, second] = lanes
    void first?.feed.begin(begun(7))
    void second?.feed.begin(begun(8))
    expect(pool.progress()).toMatchObject([
      { place: 1, row: 7, quietMs: 0 },
      { place: 2, row: 8, quietMs: 0 },
    ])
    vi.advanceTimersByTime(500)
    second?.feed.end(begun(8), OK)
    vi.advanceTimersByTime(500)
    expect(pool.progress()).toEqual([
      { place: 1, row: 7, quietMs: 1000, rate: 0, encryption: undefined },
      { place: 2, row: undefined, quietMs: 500, rate: 1, encryption: undefined },
    ])
  })

  test('the place of one that ended is taken by the next', async () => {
    await openFor(100)
    await openFor(100)
    await end(0, { kind: 'drained' })
    expect(pool.progress().map(({ place }) => place)).toEqual([2])
    await openFor(100)
    expect(pool.progress().map(({ place }) => place)).toEqual([1, 2])
  })
})

describe('a lane that cannot be opened', () => {
  test('as the first one ends the delivery: a wrong host, a wrong password', async () => {
    refuse = () => new UnreachableError('no server')
    await openFor(1)
    expect(events).toEqual(['halt: error'])
    expect(pool.empty).toBe(true)
  })

  test('as the first one, because the server is busy, is a wait', async () => {
    refuse = () => new TurnedAwayError('421 busy')
    await openFor(1)
    expect(events).toEqual(['outage: 421 busy'])
  })

  test('later, beside others, means fewer of them', async () => {
    await openFor(1)
    refuse = () => new UnreachableError('too many')
    await openFor(2)
    expect(events).toEqual(['note: continuing with fewer connections: too many'])
    expect(laneCount.target).toBe(1)
  })

  test('later and alone is an outage, but a refused login ends the delivery at any time', async () => {
    await openFor(1)
    await end(0, { kind: 'drained' })
    refuse = () => new UnreachableError('gone')
    await openFor(1)
    refuse = () => new LoginError('refused')
    await openFor(1)
    expect(events).toEqual(['outage: gone', 'halt: error'])
  })
})

describe('a lane that ends', () => {
  test.each<[string, LaneEnd, readonly string[]]>([
    ['with nothing more to do says nothing', { kind: 'drained' }, []],
    [
      'at a limit of the server forgives what it did not try',
      { kind: 'limit', reply: replyOf('421 4.5.3 limit') },
      ['forgiven: 7'],
    ],
    [
      'while it waited makes later ones wait less',
      { kind: 'idle', reason: 'closed' },
      ['forgiven: 7', 'idle shortened'],
    ],
    [
      'because messages came too fast slows all of them',
      { kind: 'throttled', reply: replyOf('421 4.7.28 rate limit exceeded') },
      ['forgiven: 7', 'throttled: 421 rate limit exceeded'],
    ],
    [
      'because the account is blocked ends the delivery',
      { kind: 'throttled', reply: replyOf('421 4.7.0 sending has been suspended') },
      ['forgiven: 7', 'halt: account-blocked'],
    ],
    ['because it broke counts nothing against the server', { kind: 'lost', reason: 'reset' }, []],
  ])('%s', async (_what, how, expected) => {
    await openFor(1)
    if (how.kind !== 'drained' && how.kind !== 'lost') lanes[0]?.feed.end(job(7), { kind: 'unsent', reason: 'ended' })
    lanes[0]?.feed.end(job(8), OK)
    await end(0, how)
    expect(events).toEqual(expected)
    expect(pool.empty).toBe(true)
  })

  test('for the sixth time in a row without delivering anything means that the server is away', async () => {
    for (let lost = 0; lost < 6; lost++) {
      expect(events).toEqual([])
      await openFor(1)
      await end(lost, { kind: 'lost', reason: 'reset' })
    }
    expect(events).toEqual(['outage: reset'])
  })

  test('does not count when one between them delivered something', async () => {
    for (let lost = 0; lost < 8; lost++) {
      await openFor(1)
      if (lost === 4) lanes[lost]?.feed.end(job(1), OK)
      await end(lost, { kind: 'lost', reason: 'reset' })
    }
    expect(events).toEqual([])
  })
})

test('cutting reaches every lane that is open', async () => {
  await openFor(2)
  await openFor(2)
  pool.abort()
  expect(lanes.map(({ cut }) => cut)).toEqual([true, true])
})
