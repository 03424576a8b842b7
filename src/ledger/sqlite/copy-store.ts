/** Which sent messages have a copy, in SQLite. Owns that record alone. */
import type { Copies } from '../ledger.ts'
import type { DueRow } from '../records.ts'
import { dueRowOf } from './delivery-store.ts'
import * as sql from './queries.ts'
import { headOf } from './run-store.ts'
import type { SqliteStore } from './store.ts'
import { numberOf } from './values.ts'

export class CopyStore implements Copies {
  readonly #store: SqliteStore

  constructor(store: SqliteStore) {
    this.#store = store
  }

  missing(runId: string, limit: number): Promise<readonly (DueRow & { readonly sentAt: Date })[]> {
    return this.#store.read(() => {
      const { first, last } = headOf(this.#store, runId)
      const rows = this.#store.all(sql.uncopiedRows, first, last, limit)
      return rows.map((row) => ({ ...dueRowOf(row), sentAt: new Date(numberOf(row['sent_at'])) }))
    })
  }

  async add(recipient: number): Promise<void> {
    await this.#store.write(() => this.#store.run(sql.insertCopy, recipient))
  }
}
