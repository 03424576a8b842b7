/** What the tests of a ledger begin with: a backend that several may open, and rows, runs and events for it. */
import { afterEach, beforeEach } from 'vitest'
import type { Ledger } from '../../src/ledger/ledger.ts'
import type { Campaign, LedgerEvent, PlannedRow, ResultRow, RowStatus, RowUpdate } from '../../src/ledger/records.ts'

/** One place where a ledger is kept, to which several processes may connect. */
export interface LedgerBackend {
  /** A connection of its own, as another process has it. `now` is its wall clock. */
  open(now?: () => Date): Promise<Ledger>
  close(): Promise<void>
}

/** Of the test that runs now. */
export let backend: LedgerBackend
export let ledger: Ledger
export let campaign: Campaign

/** Opens a new backend before each test, and closes it after. */
export function useBackend(open: () => Promise<LedgerBackend>): void {
  beforeEach(async () => {
    backend = await open()
    ledger = await backend.open(() => NOW)
    campaign = await ledger.campaigns.open('invite-list')
  })
  afterEach(async () => {
    await ledger.close()
    await backend.close()
  })
}

export const NOW = new Date('2026-11-25T10:00:00Z')
export const later = (seconds: number): Date => new Date(NOW.getTime() + seconds * 1000)

export function rowsOf(...addresses: readonly string[]): readonly PlannedRow[] {
  return addresses.map((address, at) => ({
    row: at + 1,
    key: address,
    address,
    data: JSON.stringify({ cells: { email: address } }),
  }))
}

let runs = 0

/** Plans a run to its end; gives its id. */
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

export function started(recipient: number, at: Date = NOW): LedgerEvent {
  return { kind: 'attempt-started', recipient, lane: 1, at, messageId: `<${recipient}@x>` }
}

export function updated(recipient: number, status: RowStatus, more: Partial<RowUpdate> = {}): LedgerEvent {
  return { kind: 'row-updated', recipient, lane: 1, at: NOW, status, attempted: true, ...more }
}

export function dueOf(ledger: Ledger, run: string, now: Date = NOW, after = 0, limit = 100) {
  return ledger.deliveries.due(run, { now, after, limit })
}

export async function recipientsOf(ledger: Ledger, run: string): Promise<readonly number[]> {
  return (await dueOf(ledger, run)).map(({ recipient }) => recipient)
}
