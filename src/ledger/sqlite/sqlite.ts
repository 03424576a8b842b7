/** The ledger in a SQLite file. Owns putting its stores together, and the smallest of them; each store owns its tables. */

import { existsSync } from 'node:fs'
import { uptime } from 'node:os'
import { given } from '../../given.ts'
import type { ServerTraits } from '../../transport/transport.ts'
import type { Copies, Ledger, Servers, Timestamps } from '../ledger.ts'
import { ownerOfThisProcess } from '../owner.ts'
import type { DueRow } from '../records.ts'
import { CampaignStore, nameOf } from './campaign-store.ts'
import { CarbonCopyStore } from './carbon-copy-store.ts'
import { DeliveryStore, dueRowOf } from './delivery-store.ts'
import { FeedbackStore } from './feedback-store.ts'
import { fileSystemOf, openLedgerFile } from './file.ts'
import { NoticeStore } from './notice-store.ts'
import { createTwins } from './plan-queries.ts'
import { PlanStore } from './plan-store.ts'
import { PrivacyStore } from './privacy-store.ts'
import * as sql from './queries.ts'
import { type BootClock, QuotaStore } from './quota-store.ts'
import { ResultStore } from './result-store.ts'
import { headOf, RunStore } from './run-store.ts'
import { ScheduleStore } from './schedule-store.ts'
import { type Migration, migrations } from './schema.ts'
import { numberOf, optionalDate, optionalNumber, SqliteStore, timeOf } from './store.ts'
import { SuppressionStore } from './suppression-store.ts'

export interface SqliteLedgerOptions {
  /** Makes the file and its folder when there is none (default true). */
  readonly create?: boolean
  /** Refuses every write and leaves the file as it is, also an older one. */
  readonly readOnly?: boolean
  /** Milliseconds to wait while another process writes (default 30 s). */
  readonly lockWait?: number
  /** The wall clock, for tests. With it, quotas go by the times that `reserve` is given. */
  readonly now?: () => Date
  /** Time since boot, that quotas go by (default: this machine's, when `now` is not given). */
  readonly boot?: BootClock
  /** The form of the file (default: the present one). */
  readonly migrations?: readonly Migration[]
  /** SQLite's version (default: that of this Node). */
  readonly sqliteVersion?: string
  /** Gives the kind of file system of a folder, as statfs(2)'s magic number. */
  readonly fileSystem?: (folder: string) => number
}

/**
 * Opens the ledger at `path`, making it when there is none. Every commit is durable against power loss when its promise
 * resolves.
 *
 * @example
 * const ledger = await openSqliteLedger('.mailmerge/ledger.db')
 * const runs = await ledger.runs.list()
 * await ledger.close()
 *
 * @throws ConfigError (78) for an old SQLite or a network file system; InputError (66) when there is none and `create`
 * is false; OutputError (73) when it cannot be written, is damaged, is not a ledger, or was written by a newer mailmerge.
 */
export async function openSqliteLedger(path: string, options: SqliteLedgerOptions = {}): Promise<Ledger> {
  const readOnly = options.readOnly ?? false
  const logWasThere = existsSync(`${path}-wal`)
  const database = openLedgerFile(path, {
    create: options.create ?? !readOnly,
    readOnly,
    migrations: options.migrations ?? migrations,
    sqliteVersion: options.sqliteVersion ?? process.versions['sqlite'] ?? '0',
    fileSystem: options.fileSystem ?? fileSystemOf,
  })
  const store = new SqliteStore(path, database, { lockWait: options.lockWait ?? 30_000, readOnly })
  if (!readOnly) store.exec(createTwins)
  const now = options.now ?? (() => new Date())
  const boot = options.boot ?? (options.now === undefined ? { bootId: ownerOfThisProcess().bootId, uptime } : undefined)
  const campaigns = new CampaignStore(store, now)
  if (!readOnly) await campaigns.checkLogs(logWasThere)
  store.nameHolders(() => store.all(sql.allClaims).map(nameOf))
  return {
    location: path,
    campaigns,
    runs: new RunStore(store),
    plans: new PlanStore(store, now),
    deliveries: new DeliveryStore(store),
    results: new ResultStore(store),
    carbonCopies: new CarbonCopyStore(store),
    copies: new CopyStore(store),
    feedback: new FeedbackStore(store),
    suppressions: new SuppressionStore(store),
    quotas: new QuotaStore(store, boot),
    schedules: new ScheduleStore(store),
    servers: new ServerStore(store),
    timestamps: new TimestampStore(store),
    notices: new NoticeStore(store),
    privacy: new PrivacyStore(store, now),
    /** Gives up the campaigns held, then the file. A broken ledger closes too. */
    async close() {
      await campaigns.releaseAll().catch(() => {})
      store.close()
    },
  }
}

/** Which sent messages have a copy in the sender's mailbox. */
class CopyStore implements Copies {
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

/** What was learnt of servers. */
class ServerStore implements Servers {
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

/** Named times, among what the ledger knows of itself. */
class TimestampStore implements Timestamps {
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
