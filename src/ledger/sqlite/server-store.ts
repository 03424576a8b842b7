/** What was learnt of servers, in the SQLite ledger. Owns that table alone. */
import { given } from '../../given.ts'
import type { ServerTraits } from '../../transport/transport.ts'
import type { Servers } from '../ledger.ts'
import * as sql from './queries.ts'
import type { SqliteStore } from './store.ts'
import { optionalDate, optionalNumber, timeOf } from './values.ts'

export class ServerStore implements Servers {
  readonly #store: SqliteStore

  constructor(store: SqliteStore) {
    this.#store = store
  }

  get(server: string): Promise<ServerTraits> {
    return this.#store.read(() => {
      const row = this.#store.get(sql.selectServer, server)
      return given({
        pipelining: optionalNumber(row?.['pipelining']) as ServerTraits['pipelining'],
        pipeliningUntil: optionalDate(row?.['pipelining_until']),
        messagesPerConnection: optionalNumber(row?.['messages_per_connection']),
      })
    })
  }

  async set(server: string, { pipelining, pipeliningUntil, messagesPerConnection }: ServerTraits): Promise<void> {
    const until = timeOf(pipeliningUntil)
    await this.#store.write(() =>
      this.#store.run(sql.upsertServer, server, pipelining ?? null, until, messagesPerConnection ?? null),
    )
  }
}
