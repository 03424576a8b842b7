/** The states of a run's rows: counted, listed, and moved by a person's word. Owns reading them; moves none by itself. */
import type { ResultRow, RowStatus, StatusCounts } from '../ledger.ts'
import * as sql from './queries.ts'
import { headOf, type RunHead } from './run-store.ts'
import type { SqliteStore } from './store.ts'
import { numberOf, optionalDate, optionalNumber, optionalText, type SqlRow, textOf } from './values.ts'

/** Rows of the results read at once. */
const RESULT_ROWS = 1000

const NONE: StatusCounts = { sent: 0, failed: 0, skipped: 0, deferred: 0, in_doubt: 0 }

/** Counts a run's rows by their state in the campaign: exact, and as slow as the run is long. */
export function rowCounts(store: SqliteStore, { first, last, campaign }: RunHead): StatusCounts {
  const counts: Record<RowStatus, number> = { ...NONE }
  for (const { status, rows } of store.all(sql.countRows, first, last, campaign)) {
    counts[textOf(status) as RowStatus] = numberOf(rows)
  }
  return counts
}

export class StateStore {
  readonly #store: SqliteStore

  constructor(store: SqliteStore) {
    this.#store = store
  }

  counts(runId: string): Promise<StatusCounts> {
    return this.#store.read(() => {
      const head = headOf(this.#store, runId)
      if (!head.counted) return rowCounts(this.#store, head)
      const row = this.#store.get(sql.keptCounts, head.number)
      return {
        sent: numberOf(row?.['sent']),
        failed: numberOf(row?.['failed']),
        skipped: numberOf(row?.['skipped']),
        deferred: numberOf(row?.['deferred']),
        in_doubt: numberOf(row?.['in_doubt']),
      }
    })
  }

  variantCounts(runId: string): Promise<ReadonlyMap<string, StatusCounts>> {
    return this.#store.read(() => {
      const { first, last, campaign } = headOf(this.#store, runId)
      const variants = new Map<string, StatusCounts>()
      if (this.#store.get(sql.anyVariant) === undefined) return variants
      for (const { variant, status, rows } of this.#store.all(sql.countVariants, first, last, campaign)) {
        const name = textOf(variant)
        variants.set(name, { ...(variants.get(name) ?? NONE), [textOf(status)]: numberOf(rows) })
      }
      return variants
    })
  }

  async *results(runId: string): AsyncGenerator<readonly ResultRow[]> {
    const store = this.#store
    const head = await store.read(() => headOf(store, runId))
    let from = head.first
    for (;;) {
      const rows = await store.read(() => store.all(sql.resultRows, from, head.last, head.campaign, RESULT_ROWS))
      if (rows.length > 0) yield rows.map(resultOf)
      if (rows.length < RESULT_ROWS) return
      from = numberOf(rows.at(-1)?.['id']) + 1
    }
  }

  retryFailed(runId: string): Promise<number> {
    return this.#revive(runId, 'failed', 'to be tried again')
  }

  settleInDoubt(runId: string, decision: 'resend' | 'keep'): Promise<number> {
    if (decision === 'resend') return this.#revive(runId, 'in_doubt', 'was in doubt, to be sent again')
    return this.#store.write(() => {
      const { number, first, last } = headOf(this.#store, runId)
      const kept = this.#store.run(sql.keepInDoubt, first, last)
      this.#store.run(sql.addToCounts, number, kept, 0, 0, 0, -kept)
      return kept
    })
  }

  #revive(runId: string, status: 'failed' | 'in_doubt', reason: string): Promise<number> {
    return this.#store.write(() => {
      const { number, first, last } = headOf(this.#store, runId)
      const revived = this.#store.run(sql.reviveRecipients, first, last, status, reason)
      const [failed, inDoubt] = status === 'failed' ? [-revived, 0] : [0, -revived]
      this.#store.run(sql.addToCounts, number, 0, failed, 0, revived, inDoubt)
      if (revived > 0) this.#store.run(sql.reopenRun, number)
      return revived
    })
  }
}

function resultOf(row: SqlRow): ResultRow {
  return {
    row: numberOf(row['row']),
    key: textOf(row['key']),
    address: textOf(row['address']),
    status: textOf(row['status']) as RowStatus,
    reason: textOf(row['reason']),
    ...optionalNumber('smtpCode', row['smtp_code']),
    ...optionalText('enhancedCode', row['enhanced_code']),
    ...optionalText('response', row['response']),
    ...optionalText('messageId', row['message_id']),
    attempts: numberOf(row['attempts']),
    ...optionalDate('firstAttemptAt', row['first_attempt_at']),
    ...optionalDate('finishedAt', row['finished_at']),
    ...optionalText('variant', row['variant']),
    ...optionalText('bounce', row['bounce']),
  }
}
