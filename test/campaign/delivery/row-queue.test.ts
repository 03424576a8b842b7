/** Which rows are handed out: each once, whatever the ledger says meanwhile. */
import { expect, test } from 'vitest'
import { RowCursor, type RowCursorOptions, rowOf } from '../../../src/campaign/delivery/row-cursor.ts'
import { RowQueue, type RowQueueOptions } from '../../../src/campaign/delivery/row-queue.ts'
import type { CarbonCopies, Deliveries, Suppressions } from '../../../src/ledger/ledger.ts'
import type { DueRow, Suppression } from '../../../src/ledger/records.ts'
import { testClock } from './delivery-harness.ts'

const row = (number: number, address = `p${number}@x.org`): DueRow => ({
  recipient: number,
  row: number,
  key: address,
  occurrence: 1,
  address,
  data: '{}',
  rows: 1,
  attempts: 0,
})

/** A ledger whose answers come when they are let out. */
function slowLedger(rows: () => readonly DueRow[]) {
  let waiting: (() => void)[] = []
  const suppressed = new Set<string>()
  let mark = 0
  const answer = <T>(value: () => T): Promise<T> =>
    new Promise((resolve) => {
      waiting.push(() => resolve(value()))
    })
  const deliveries = {
    due: (_run: string, { after, limit }: { after: number; limit: number }) => {
      const found = rows().filter((one) => one.row > after)
      return answer(() => found.slice(0, limit))
    },
  } as unknown as Deliveries
  const suppressions = {
    find: (addresses: readonly string[]) => {
      const hits = addresses.filter((address) => suppressed.has(address))
      const found = new Map(hits.map((address) => [address, { reason: 'manual' } as Suppression]))
      return answer(() => found)
    },
    version: () => Promise.resolve(mark),
  } as unknown as Suppressions
  const carbonCopies = { due: () => Promise.resolve([]) } as unknown as CarbonCopies
  const ledger = { deliveries, carbonCopies, suppressions }
  return {
    ledger,
    suppress(address: string): void {
      suppressed.add(address)
      mark++
    },
    /** Lets out what was asked for, again and again until nothing more is. */
    async answerAll(): Promise<void> {
      for (let turn = 0; turn < 10; turn++) {
        const now = waiting
        waiting = []
        for (const out of now) out()
        await new Promise((go) => setImmediate(go))
      }
    },
    answerOne(): void {
      waiting.shift()?.()
    },
  }
}

function queueOf(
  ledger: RowQueueOptions['ledger'] & RowCursorOptions['ledger'],
  more: Partial<RowQueueOptions> = {},
): RowQueue {
  const clock = testClock()
  const cursor = new RowCursor({ ledger, runId: 'r', clock, copiesAtOnce: false })
  return new RowQueue({ ledger, cursor, clock, group: '', suppressed: () => {}, ...more })
}

function takeAll(queue: RowQueue): readonly number[] {
  const taken: number[] = []
  for (let next = queue.next(); typeof next === 'object'; next = queue.next()) taken.push(rowOf(next).row)
  return taken
}

test('a row that is on its way is not handed out again, though the ledger does not know of it yet', async () => {
  const rows = [row(1), row(2), row(3)]
  const { ledger, answerAll } = slowLedger(() => rows)
  const queue = queueOf(ledger)
  void queue.fill()
  await answerAll()
  const first = queue.next()
  expect(first).toMatchObject({ row: 1 })
  queue.rewind()
  void queue.fill()
  await answerAll()
  expect(takeAll(queue)).toEqual([2, 3])
  expect(queue.outstanding).toBe(3)
})

test('what a fetch saw before the record of a row is not believed of it', async () => {
  let rows = [row(1), row(2)]
  const { ledger, answerAll } = slowLedger(() => rows)
  const queue = queueOf(ledger)
  void queue.fill()
  await answerAll()
  const first = queue.next()
  queue.rewind()
  // The fetch looks at the ledger now, and its answer comes later.
  const filling = queue.fill()
  await new Promise((go) => setImmediate(go))
  rows = [row(2)]
  if (typeof first === 'object') queue.recorded(first)
  await answerAll()
  await filling
  expect(takeAll(queue)).toEqual([2])
})

test('a row given back goes again, and first', async () => {
  const { ledger, answerAll } = slowLedger(() => [row(1), row(2)])
  const queue = queueOf(ledger)
  void queue.fill()
  await answerAll()
  const first = queue.next()
  if (typeof first === 'object') queue.giveBack(first)
  expect(takeAll(queue)).toEqual([1, 2])
})

test('while suppressions are looked at again, the queue is not empty for anybody, and nothing comes twice', async () => {
  const { ledger, answerAll, answerOne, suppress } = slowLedger(() => [row(1), row(2), row(3)])
  const dropped: number[] = []
  const queue = queueOf(ledger, { suppressed: (rows) => dropped.push(...rows.map((one) => rowOf(one.due).row)) })
  void queue.fill()
  await answerAll()
  suppress('p2@x.org')
  const recheck = queue.recheck(() => {})
  await new Promise((go) => setImmediate(go))
  expect(queue.drained).toBe(false)
  expect(queue.next()).toBeUndefined()
  queue.rewind()
  expect(queue.fill()).toBeUndefined()
  answerOne()
  expect(await recheck).toBe(true)
  expect(dropped).toEqual([2])
  void queue.fill()
  await answerAll()
  expect(takeAll(queue)).toEqual([1, 3])
})
