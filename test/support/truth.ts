/** What a ledger says of the rows of its last run, for tests that compare it with what a server really got. */
import { expect } from 'vitest'
import { openSqliteLedger } from '../../src/ledger/sqlite/sqlite.ts'
import type { Project } from './program.ts'

export interface Truth {
  readonly rows: number
  readonly sent: number
  readonly deferred: number
  readonly failed: number
  /** Addresses of the rows in doubt. */
  readonly inDoubt: readonly string[]
}

export async function truthOf(project: Project): Promise<Truth> {
  const ledger = await openSqliteLedger(`${project.dir}/.mailmerge/ledger.db`)
  try {
    const run = await ledger.runs.find()
    const inDoubt: string[] = []
    const count = { rows: 0, sent: 0, deferred: 0, failed: 0 }
    for await (const batch of ledger.results.rows(run?.id ?? '')) {
      for (const { status, address } of batch) {
        count.rows++
        if (status === 'in_doubt') inDoubt.push(address)
        else if (status !== 'skipped') count[status]++
      }
    }
    return { ...count, inDoubt }
  } finally {
    await ledger.close()
  }
}

/** True when the run of a project was planned, so that there is something to resume. */
export async function isPlanned(project: Project): Promise<boolean> {
  try {
    return (await truthOf(project)).rows > 0
  } catch {
    return false
  }
}

/**
 * Nobody lost, nobody twice: who is not in doubt got it exactly once, who is in doubt at most once, and the states add up.
 * @param received how often an address got its message.
 * @returns how many of those in doubt got it after all.
 */
export function expectNobodyLostOrTwice(
  truth: Truth,
  addresses: readonly string[],
  received: (address: string) => number,
): number {
  expect(truth).toMatchObject({ rows: addresses.length, deferred: 0, failed: 0 })
  expect(truth.sent + truth.inDoubt.length).toBe(addresses.length)
  const doubtful = new Set(truth.inDoubt)
  let arrived = 0
  for (const address of addresses) {
    const times = received(address)
    if (!doubtful.has(address)) expect(times, `${address} is called sent`).toBe(1)
    else {
      expect(times, `${address} is in doubt`).toBeLessThanOrEqual(1)
      arrived += times
    }
  }
  return arrived
}
