/** That each outcome becomes one record, and which outcomes leave the row as it was. */
import { beforeEach, expect, test } from 'vitest'
import type { DeliveryControl } from '../../../src/campaign/delivery/delivery-control.ts'
import { Outcomes, type OutcomesOptions } from '../../../src/campaign/delivery/outcomes.ts'
import { DeliveryCounts } from '../../../src/campaign/delivery/progress.ts'
import type { Reply } from '../../../src/replies/reply.ts'
import type { Outcome } from '../../../src/transport/transport.ts'
import { deferred, letterTo, OK, rejected, testClock } from './delivery-harness.ts'

type Job = Parameters<Outcomes['end']>[0]

let records: { recipient: number; status: string }[]
let given: number[]
let halted: string[]
let slowed: string[]
let outcomes: Outcomes

beforeEach(() => {
  records = []
  given = []
  halted = []
  slowed = []
  const queue = {
    giveBack: (due: { row: number }) => given.push(due.row),
    finished() {},
    rewind() {},
    recorded() {},
    heldBack: false,
  }
  const control = {
    stopping: false,
    changed() {},
    halt: (reason: { kind: string }) => halted.push(reason.kind),
  }
  outcomes = new Outcomes({
    journal: { add: (record: { recipient: number; status: string }) => records.push(record) },
    queue,
    counts: new DeliveryCounts({ sent: 0, failed: 0, skipped: 0, deferred: 9, in_doubt: 0 }, testClock()),
    settings: { retryFor: 3_600_000 },
    clock: testClock(),
    steady: testClock(),
    control: control as unknown as DeliveryControl,
    accepted() {},
    throttled: ({ code, text }: Reply) => slowed.push(`${code} ${text}`),
  } as unknown as OutcomesOptions)
})

function job(number: number, began = true): Job {
  const due = {
    recipient: number,
    row: number,
    key: '',
    occurrence: 1,
    address: 'p@x.org',
    data: '{}',
    rows: 1,
    attempts: 0,
  }
  return { due, row: number, lane: 1, began, date: new Date(), message: letterTo('p@x.org', number) }
}

const states = (): readonly string[] => records.map(({ status }) => status)

test.each([
  ['accepted', OK, 'sent'],
  ['rejected', rejected('550 5.1.1 no such user'), 'failed'],
  ['deferred', deferred('450 4.2.0 greylisted'), 'deferred'],
  ['in doubt', { kind: 'in_doubt', reason: 'cut' } as Outcome, 'in_doubt'],
] as const)('%s becomes one record', (_name, outcome, status) => {
  outcomes.end(job(1), outcome)
  expect(states()).toEqual([status])
  expect({ given, halted, slowed }).toEqual({ given: [], halted: [], slowed: [] })
})

test('what never began is given back without a record, and waits like a deferral when it keeps happening', () => {
  for (let time = 0; time < 5; time++) outcomes.end(job(3, false), { kind: 'unsent', reason: 'cut' })
  expect(given).toEqual([3, 3, 3, 3])
  expect(states()).toEqual(['deferred'])
})

test('what a server said of the sender leaves the row due: a rate slows down, a used-up limit stops', () => {
  outcomes.end(job(1), rejected('550 5.7.0 too many emails per second', 'end-of-data'))
  outcomes.end(job(2), rejected('550 5.4.5 Daily user sending limit exceeded', 'end-of-data'))
  expect(states()).toEqual(['deferred', 'deferred'])
  expect({ slowed: slowed.length, halted }).toEqual({ slowed: 1, halted: ['account-limit'] })
})
