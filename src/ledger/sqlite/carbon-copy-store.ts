/** Copies that were not sent with their message, in the SQLite ledger. Owns their table. */
import { DefectError } from '../../errors.ts'
import type { CarbonCopies } from '../ledger.ts'
import type { CopyCounts, CopyUpdate, DueCopy } from '../records.ts'
import { answerOf, dueRowOf } from './delivery-store.ts'
import * as sql from './queries.ts'
import { headOf } from './run-store.ts'
import { numberOf, optionalDate, type SqliteStore, type SqlRow, textOf } from './store.ts'

export class CarbonCopyStore implements CarbonCopies {
  readonly #store: SqliteStore

  constructor(store: SqliteStore) {
    this.#store = store
  }

  due(runId: string, { now, limit }: { readonly now: Date; readonly limit: number }): Promise<readonly DueCopy[]> {
    return this.#store.read(() => {
      const { first, last, state } = headOf(this.#store, runId)
      if (state !== 'ready') return []
      return this.#store.all(sql.dueCarbonCopies, first, last, now.getTime(), limit).map(dueCopyOf)
    })
  }

  nextDue(runId: string): Promise<Date | undefined> {
    return this.#store.read(() => {
      const { first, last } = headOf(this.#store, runId)
      return optionalDate(this.#store.get(sql.nextDueCarbonCopy, first, last)?.['due_at'])
    })
  }

  start(copy: number, at: Date): Promise<void> {
    return this.#store.write(() => {
      if (this.#store.run(sql.startCarbonCopy, copy, at.getTime()) === 0)
        throw new DefectError(`copy ${copy} does not wait to be sent`)
    })
  }

  update(copy: number, update: CopyUpdate, at: Date): Promise<void> {
    return this.#store.write(() => {
      const { status, dueAt } = update
      const due = status === 'deferred' ? (dueAt ?? at).getTime() : null
      if (this.#store.run(sql.updateCarbonCopy, copy, status, due, at.getTime(), ...answerOf(update)) === 0)
        throw new DefectError(`copy ${copy} does not wait to be sent`)
    })
  }

  counts(runId: string): Promise<CopyCounts> {
    return this.#store.read(() => {
      const { first, last } = headOf(this.#store, runId)
      const counts = { sent: 0, refused: 0, deferred: 0, in_doubt: 0 }
      for (const { status, copies } of this.#store.all(sql.countCarbonCopies, first, last)) {
        counts[textOf(status) as keyof CopyCounts] = numberOf(copies)
      }
      return counts
    })
  }
}

function dueCopyOf(row: SqlRow): DueCopy {
  return {
    copy: numberOf(row['copy']),
    address: textOf(row['copy_address']),
    attempts: numberOf(row['copy_tries']),
    firstAttemptAt: new Date(numberOf(row['copy_tries_since'])),
    row: dueRowOf(row),
    sentAt: new Date(numberOf(row['sent_at'])),
  }
}
