/** What a report says beside its rows, for tests that have no ledger. */
import { NO_COPIES, type RunRecord } from '../../src/ledger/records.ts'
import type { ReportHead } from '../../src/report/head.ts'

export function reportHeadOf(run: Partial<RunRecord> = {}, head: Partial<ReportHead> = {}): ReportHead {
  return {
    run: {
      id: '20261124T102530-k3f9a',
      campaign: { id: 1, name: 'letter-list', generation: 1, token: 'token' },
      state: 'ready',
      startedAt: new Date('2026-11-24T10:25:30Z'),
      source: 'list.csv',
      template: 'letter',
      templateHash: 'hash',
      columns: ['email'],
      options: { timeZone: 'UTC' },
      ...run,
    },
    rehearsal: undefined,
    rates: [],
    results: undefined,
    messages: undefined,
    accounts: undefined,
    variants: undefined,
    bounces: undefined,
    copies: NO_COPIES,
    ...head,
  }
}
