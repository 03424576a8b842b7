/** Named times in the SQLite ledger. Owns their names among what the ledger knows of itself. */
import type { Timestamps } from '../ledger.ts'
import * as sql from './queries.ts'
import type { SqliteStore } from './store.ts'
import { numberOf } from './values.ts'

export class TimestampStore implements Timestamps {
  readonly #store: SqliteStore

  constructor(store: SqliteStore) {
    this.#store = store
  }

  replace(name: string, at: Date): Promise<Date | undefined> {
    return this.#store.write(() => {
      const before = this.#store.get(sql.getMeta, `stamp ${name}`)
      this.#store.run(sql.setMeta, `stamp ${name}`, at.getTime())
      return before === undefined ? undefined : new Date(numberOf(before['value']))
    })
  }
}
