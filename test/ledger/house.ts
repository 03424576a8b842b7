/** What the contract of a ledger stands on: a store that several may open, rows, runs and news for it. */
import type { Ledger } from '../../src/ledger/ledger.ts'
import type { Campaign, LedgerEvent, PlannedRow, ResultRow, RowStatus, RowUpdate } from '../../src/ledger/records.ts'

/** One store, to which several processes may connect. */
export interface LedgerHouse {
  /** A connection of its own, as another process has it. `now` is its wall clock. */
  open(now?: () => Date): Promise<Ledger>
  close(): Promise<void>
}

export const NOW = new Date('2026-11-25T10:00:00Z')
export const later = (seconds: number): Date => new Date(NOW.getTime() + seconds * 1000)
export const NOBODY = { sent: 0, failed: 0, skipped: 0, deferred: 0, in_doubt: 0 }

export function rowsOf(...addresses: readonly string[]): readonly PlannedRow[] {
  return addresses.map((address, at) => ({
    row: at + 1,
    key: address,
    address,
    data: JSON.stringify({ cells: { email: address } }),
  }))
}

let runs = 0

/** Plans and settles a run; gives its id. */
export async function planRun(
  ledger: Ledger,
  campaign: Campaign,
  rows: readonly PlannedRow[],
  duplicates: 'skip' | 'all' = 'skip',
  notBefore?: Date,
): Promise<string> {
  const id = `20261125T1000${String(runs++).padStart(4, '0')}`
  await ledger.runs.create({
    id,
    campaign,
    startedAt: NOW,
    source: 'list.csv',
    template: 'letter',
    templateHash: 'hash',
    columns: ['email'],
    options: { template: 'letter' },
    ...(notBefore === undefined ? {} : { notBefore }),
  })
  await ledger.plans.add(id, rows)
  await ledger.plans.complete(id, { duplicates })
  return id
}

export async function resultsOf(ledger: Ledger, run: string): Promise<readonly ResultRow[]> {
  const rows: ResultRow[] = []
  for await (const batch of ledger.results.rows(run)) rows.push(...batch)
  return rows
}

export function began(recipient: number, at: Date = NOW): LedgerEvent {
  return { kind: 'attempt-started', recipient, lane: 1, at, messageId: `<${recipient}@x>` }
}

export function settled(recipient: number, status: RowStatus, more: Partial<RowUpdate> = {}): LedgerEvent {
  return { kind: 'row-updated', recipient, lane: 1, at: NOW, status, attempted: true, ...more }
}

/** What each test of the contract begins with. */
export interface OpenHouse {
  house: LedgerHouse
  ledger: Ledger
  campaign: Campaign
}

export function dueOf(ledger: Ledger, run: string, now: Date = NOW, after = 0, limit = 100) {
  return ledger.deliveries.due(run, { now, after, limit })
}

export async function recipientsOf(ledger: Ledger, run: string): Promise<readonly number[]> {
  return (await dueOf(ledger, run)).map(({ recipient }) => recipient)
}
