import { expect, test } from 'vitest'
import { Journal } from '../../../src/campaign/delivery/outcomes.ts'
import type { Deliveries } from '../../../src/ledger/ledger.ts'
import type { LedgerEvent } from '../../../src/ledger/records.ts'

function began(recipient: number): LedgerEvent {
  return { kind: 'attempt-started', recipient, lane: 1, at: new Date(0), messageId: '<a@b>' }
}

/** A ledger that only records, each transaction when it is told to. */
function recorder(): { deliveries: Deliveries; commits: LedgerEvent[][]; release: (error?: Error) => void } {
  const commits: LedgerEvent[][] = []
  const waiting: ((error?: Error) => void)[] = []
  const deliveries = {
    record(news: readonly LedgerEvent[]): Promise<void> {
      commits.push([...news])
      return new Promise((resolve, reject) => waiting.push((error) => (error ? reject(error) : resolve())))
    },
  } as unknown as Deliveries
  return { deliveries, commits, release: (error) => waiting.shift()?.(error) }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('all news of one turn are one transaction, in their order', async () => {
  const { deliveries, commits } = recorder()
  const journal = new Journal(deliveries)
  journal.add(began(1))
  journal.add(began(2))
  expect(commits).toEqual([])
  await turn()
  expect(commits).toEqual([[began(1), began(2)]])
})

test('sync waits for the transaction that holds what was added before it', async () => {
  const { deliveries, commits, release } = recorder()
  const journal = new Journal(deliveries)
  const order: string[] = []
  journal.add(began(1), () => order.push('durable 1'))
  await turn()
  journal.add(began(2), () => order.push('durable 2'))
  const synced = journal.sync().then(() => order.push('synced'))
  await turn()
  expect(commits).toHaveLength(1)
  release()
  await turn()
  await turn()
  expect(commits).toHaveLength(2)
  expect(order).toEqual(['durable 1'])
  release()
  await synced
  expect(order).toEqual(['durable 1', 'durable 2', 'synced'])
})

test('after one failed transaction nothing is recorded any more, and every wait is refused', async () => {
  const { deliveries, commits, release } = recorder()
  const journal = new Journal(deliveries)
  let durable = false
  journal.add(began(1), () => {
    durable = true
  })
  const first = journal.sync()
  await turn()
  release(new Error('disk full'))
  await expect(first).rejects.toThrow('disk full')
  journal.add(began(2))
  await expect(journal.sync()).rejects.toThrow('disk full')
  await turn()
  expect(commits).toHaveLength(1)
  expect(durable).toBe(false)
})
