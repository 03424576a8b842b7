/** What a lane gets next: a limit first, then a row, then its message; and what it gets while there is none. */
import { expect, test } from 'vitest'
import type { DeliveryControl } from '../../../src/campaign/delivery/delivery-control.ts'
import { JobQueue, type JobQueueOptions } from '../../../src/campaign/delivery/job-queue.ts'
import { DataError } from '../../../src/errors.ts'
import type { DueRow } from '../../../src/ledger/records.ts'
import { letterTo, testClock } from './delivery-harness.ts'

const row = (number: number): DueRow => ({
  recipient: number,
  row: number,
  key: `k${number}`,
  occurrence: 1,
  address: `p${number}@x.org`,
  data: '{}',
  rows: 1,
  attempts: 0,
})

/** A queue over these rows; `wait` is what the limits say. */
function jobs(rows: DueRow[], more: Partial<JobQueueOptions> = {}) {
  const halted: string[] = []
  const given: number[] = []
  const limits = { wait: 0, granted: 0 }
  const control = {
    stopping: false,
    haltAll: (reason: { said?: string }) => halted.push(reason.said ?? ''),
    changed() {},
  }
  const queue = {
    get buffered() {
      return rows.length
    },
    get drained() {
      return rows.length === 0
    },
    next: () => rows.shift(),
    giveBack: (due: DueRow) => given.push(due.row),
    fill: () => undefined,
    msUntilAllowed: () => 0,
  } as unknown as JobQueueOptions['queue']
  const throttle = {
    pausedFor: () => limits.wait,
    msUntilAllowed: () => limits.wait,
    msUntilReserved: () => limits.wait,
    whyNeverAllowed: () => undefined,
    grant: () => limits.granted++,
  } as unknown as JobQueueOptions['throttle']
  const source = new JobQueue({
    queue,
    throttle,
    prepare: (due) => letterTo(due.address, due.row),
    clock: testClock(),
    control: control as unknown as DeliveryControl,
    lanes: () => 1,
    ...more,
  })
  return { source, limits, halted, given }
}

test('rows come in their order, each once, and nothing after the last', () => {
  const { source, limits } = jobs([row(1), row(2)])
  const next = () => (source.next(1) as { row: number } | undefined)?.row
  expect([next(), next(), next()]).toEqual([1, 2, undefined])
  expect(limits.granted).toBe(2)
})

test('a limit that opens late closes the lane, one that opens soon keeps it', () => {
  const { source, limits } = jobs([row(1)])
  limits.wait = 60_000
  expect(source.next(1)).toBeUndefined()
  limits.wait = 100
  expect(source.next(1)).toBeInstanceOf(Promise)
  source.shortenIdle(150)
  expect(source.next(1)).toBeUndefined()
})

test('a row that can no longer be composed is given back and stops the run with its reason', () => {
  const { source, halted, given } = jobs([row(7)], {
    prepare: () => {
      throw new DataError('row 7: the attachment changed')
    },
  })
  expect(source.next(1)).toBeUndefined()
  expect({ halted, given }).toEqual({ halted: ['row 7: the attachment changed'], given: [7] })
})
