/**
 * Copies that were not sent with their message, in the SQLite ledger. Owns reading them; their attempts are recorded with those
 * of rows.
 */
import type { CarbonCopies, DueQuery } from '../ledger.ts'
import { type CopyCounts, type DueCopy, NO_COPIES } from '../records.ts'
import { dueRowOf } from './delivery-store.ts'
import * as sql from './queries.ts'
import { headOf } from './run-store.ts'
import { numberOf, optionalDate, type SqliteStore, type SqlRow, textOf } from './store.ts'

export class CarbonCopyStore implements CarbonCopies {
  readonly #store: SqliteStore

  constructor(store: SqliteStore) {
    this.#store = store
  }

  due(runId: string, query: DueQuery) {
    return this.#store.read((): readonly DueCopy[] => {
      const { first, last, state } = headOf(this.#store, runId)
      if (state !== 'ready') return []
      const { now, after, limit, account } = query
      return this.#store
        .all(sql.dueCarbonCopies, first, last, now.getTime(), after, limit, account ?? null)
        .map(dueCopyOf)
    })
  }

  nextDue(runId: string, account?: string): Promise<Date | undefined> {
    return this.#store.read(() => {
      const { first, last, state } = headOf(this.#store, runId)
      if (state !== 'ready') return undefined
      return optionalDate(this.#store.get(sql.nextDueCarbonCopy, first, last, account ?? null)?.['due_at'])
    })
  }

  counts(runId: string): Promise<CopyCounts> {
    return this.#store.read(() => {
      const { first, last } = headOf(this.#store, runId)
      const counts: Record<keyof CopyCounts, number> = { ...NO_COPIES }
      for (const { status, copies } of this.#store.all(sql.countCarbonCopies, first, last)) {
        counts[textOf(status) as keyof CopyCounts] = numberOf(copies)
      }
      return counts
    })
  }
}

function dueCopyOf(row: SqlRow): DueCopy {
  const attempts = numberOf(row['copy_tries'])
  return {
    copy: numberOf(row['copy']),
    address: textOf(row['copy_address']),
    attempts,
    firstAttemptAt: attempts === 0 ? undefined : new Date(numberOf(row['copy_tries_since'])),
    row: dueRowOf(row),
    sentAt: new Date(numberOf(row['sent_at'])),
  }
}
