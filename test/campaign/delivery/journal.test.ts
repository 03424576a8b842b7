import { expect, test } from 'vitest'
import { Journal } from '../../../src/campaign/delivery/journal.ts'
import type { Ledger, News } from '../../../src/ledger/ledger.ts'

function began(recipient: number): News {
  return { kind: 'began', recipient, lane: 1, at: new Date(0), messageId: '<a@b>' }
}

/** A ledger that only records, each transaction when it is told to. */
function recorder(): { ledger: Ledger; commits: News[][]; release: (error?: Error) => void } {
  const commits: News[][] = []
  const waiting: ((error?: Error) => void)[] = []
  const ledger = {
    record(news: readonly News[]): Promise<void> {
      commits.push([...news])
      return new Promise((resolve, reject) => waiting.push((error) => (error ? reject(error) : resolve())))
    },
  } as unknown as Ledger
  return { ledger, commits, release: (error) => waiting.shift()?.(error) }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('all news of one turn are one transaction, in their order', async () => {
  const { ledger, commits } = recorder()
  const journal = new Journal(ledger)
  journal.add(began(1))
  journal.add(began(2))
  expect(commits).toEqual([])
  await turn()
  expect(commits).toEqual([[began(1), began(2)]])
})

test('sync waits for the transaction that holds what was added before it', async () => {
  const { ledger, commits, release } = recorder()
  const journal = new Journal(ledger)
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
  const { ledger, commits, release } = recorder()
  const journal = new Journal(ledger)
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
