/** The ledger in a SQLite file. Owns putting its parts together; each part owns its tables. */
import { uptime } from 'node:os'
import type { ServerTraits } from '../../transport/transport.ts'
import type { CopyLedger } from '../copies.ts'
import type { FeedbackLedger } from '../feedback.ts'
import type {
  Campaign,
  Claim,
  DueRow,
  Duplicate,
  Duplicates,
  Forgotten,
  Ledger,
  NewRun,
  News,
  Owner,
  PlanCounts,
  PlannedRow,
  Pruned,
  Quota,
  Reservation,
  ResultRow,
  RunRecord,
  StatusCounts,
  Suppression,
} from '../ledger.ts'
import { ownerOfThisProcess } from '../owner.ts'
import type { Schedules } from '../schedules.ts'
import { ClaimStore, nameOf } from './claim.ts'
import { CopyStore } from './copy-store.ts'
import { DeliveryStore } from './delivery-store.ts'
import { FeedbackStore } from './feedback-store.ts'
import { fileSystemOf, openLedgerFile } from './file.ts'
import { PlanStore } from './plan-store.ts'
import { PrivacyStore } from './privacy-store.ts'
import * as sql from './queries.ts'
import { type BootClock, QuotaStore } from './quota-store.ts'
import { RunStore } from './run-store.ts'
import { ScheduleStore } from './schedule-store.ts'
import { type Migration, migrations } from './schema.ts'
import { StateStore } from './state-store.ts'
import { SqliteStore } from './store.ts'
import { SuppressionStore } from './suppression-store.ts'
import { numberOf, optionalDate, optionalNumber, timeOf } from './values.ts'

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
  /** Tells the kind of file system of a folder by statfs(2)'s magic number. */
  readonly fileSystem?: (folder: string) => number
}

/**
 * Opens the ledger at `path`, making it when there is none. Every commit is durable against power loss when its promise
 * resolves.
 *
 * @example
 * const ledger = await openSqliteLedger('.mailmerge/ledger.db')
 * const runs = await ledger.runs()
 * await ledger.close()
 *
 * @throws ConfigError (78) for an old SQLite or a network file system; InputError (66) when there is none and `create`
 * is false; OutputError (73) when it cannot be written, is damaged, is no ledger, or was written by a newer mailmerge.
 */
export async function openSqliteLedger(path: string, options: SqliteLedgerOptions = {}): Promise<Ledger> {
  const readOnly = options.readOnly ?? false
  const database = openLedgerFile(path, {
    create: options.create ?? !readOnly,
    readOnly,
    migrations: options.migrations ?? migrations,
    sqliteVersion: options.sqliteVersion ?? process.versions['sqlite'] ?? '0',
    fileSystem: options.fileSystem ?? fileSystemOf,
  })
  const store = new SqliteStore(path, database, { lockWait: options.lockWait ?? 30_000, readOnly })
  if (!readOnly) store.exec(sql.createTwins)
  const boot = options.boot ?? (options.now === undefined ? { bootId: ownerOfThisProcess().bootId, uptime } : undefined)
  return new SqliteLedger(store, options.now ?? (() => new Date()), boot)
}

class SqliteLedger implements Ledger {
  readonly location: string
  readonly schedules: Schedules
  readonly #store: SqliteStore
  readonly #runs: RunStore
  readonly #plans: PlanStore
  readonly #states: StateStore
  readonly #deliveries: DeliveryStore
  readonly #claims: ClaimStore
  readonly #quotas: QuotaStore
  readonly #suppressions: SuppressionStore
  readonly #privacy: PrivacyStore
  readonly feedback: FeedbackLedger
  readonly copies: CopyLedger

  constructor(store: SqliteStore, now: () => Date, boot: BootClock | undefined) {
    this.location = store.path
    this.#store = store
    this.schedules = new ScheduleStore(store)
    this.#runs = new RunStore(store, now)
    this.#plans = new PlanStore(store, now)
    this.#states = new StateStore(store)
    this.#deliveries = new DeliveryStore(store)
    this.#claims = new ClaimStore(store, now)
    this.#quotas = new QuotaStore(store, boot)
    this.#suppressions = new SuppressionStore(store)
    this.#privacy = new PrivacyStore(store, now)
    this.feedback = new FeedbackStore(store)
    this.copies = new CopyStore(store)
    store.nameHolders(() => store.all(sql.allClaims).map(nameOf))
  }

  campaign(name: string, options?: { readonly again?: boolean }): Promise<Campaign> {
    return this.#runs.campaign(name, options?.again ?? false)
  }

  findCampaign(name: string): Promise<Campaign | undefined> {
    return this.#runs.findCampaign(name)
  }

  claim(campaign: Campaign, owner: Owner): Promise<Claim> {
    return this.#claims.claim(campaign, owner)
  }

  createRun(run: NewRun): Promise<void> {
    return this.#runs.create(run)
  }

  plan(runId: string, rows: readonly PlannedRow[]): Promise<void> {
    return this.#plans.add(runId, rows)
  }

  duplicates(runId: string, limit: number): Promise<readonly Duplicate[]> {
    return this.#plans.duplicates(runId, limit)
  }

  settlePlan(runId: string, options: { readonly duplicates: 'skip' | 'all' }): Promise<PlanCounts>
  settlePlan(runId: string, options: { readonly duplicates: Duplicates }): Promise<PlanCounts | undefined>
  settlePlan(runId: string, options: { readonly duplicates: Duplicates }): Promise<PlanCounts | undefined> {
    return this.#plans.settle(runId, options.duplicates)
  }

  dropPlan(runId: string): Promise<void> {
    return this.#runs.dropPlan(runId)
  }

  run(id?: string, campaign?: string): Promise<RunRecord | undefined> {
    return this.#runs.run(id, campaign)
  }

  runs(): Promise<readonly RunRecord[]> {
    return this.#runs.runs()
  }

  endRun(runId: string, state: 'finished' | 'cancelled', at: Date): Promise<void> {
    return this.#runs.end(runId, state, at)
  }

  beginRun(runId: string, at: Date): Promise<void> {
    return this.#runs.begin(runId, at)
  }

  due(
    runId: string,
    query: { readonly now: Date; readonly after: number; readonly limit: number },
  ): Promise<readonly DueRow[]> {
    return this.#deliveries.due(runId, query)
  }

  nextDue(runId: string, after?: Date): Promise<Date | undefined> {
    return this.#deliveries.nextDue(runId, after)
  }

  record(news: readonly News[]): Promise<void> {
    return this.#deliveries.record(news)
  }

  counts(runId: string): Promise<StatusCounts> {
    return this.#states.counts(runId)
  }

  variantCounts(runId: string): Promise<ReadonlyMap<string, StatusCounts>> {
    return this.#states.variantCounts(runId)
  }

  results(runId: string): AsyncIterable<readonly ResultRow[]> {
    return this.#states.results(runId)
  }

  retryFailed(runId: string): Promise<number> {
    return this.#states.retryFailed(runId)
  }

  settleInDoubt(runId: string, decision: 'resend' | 'keep'): Promise<number> {
    return this.#states.settleInDoubt(runId, decision)
  }

  suppress(entries: readonly Suppression[]): Promise<number> {
    return this.#suppressions.add(entries)
  }

  unsuppress(addresses: readonly string[], group: string): Promise<number> {
    return this.#suppressions.remove(addresses, group)
  }

  suppressions(): AsyncIterable<readonly Suppression[]> {
    return this.#suppressions.list()
  }

  suppressed(addresses: readonly string[], group: string): Promise<ReadonlyMap<string, Suppression>> {
    return this.#suppressions.find(addresses, group)
  }

  suppressionMark(): Promise<number> {
    return this.#suppressions.mark()
  }

  reserve(quotas: readonly Quota[], count: number, now: Date, recipients?: number): Promise<Reservation> {
    return this.#quotas.reserve(quotas, count, now, recipients)
  }

  forget(address: string): Promise<Forgotten> {
    return this.#privacy.forget(address)
  }

  prune(before: Date): Promise<Pruned> {
    return this.#privacy.prune(before)
  }

  stamp(name: string, at: Date): Promise<Date | undefined> {
    return this.#store.write(() => {
      const before = this.#store.get(sql.getMeta, `stamp ${name}`)
      this.#store.run(sql.setMeta, `stamp ${name}`, at.getTime())
      return before === undefined ? undefined : new Date(numberOf(before['value']))
    })
  }

  serverTraits(server: string): Promise<ServerTraits> {
    return this.#store.read(() => {
      const row = this.#store.get(sql.selectServer, server)
      return {
        ...(optionalNumber('pipelining', row?.['pipelining']) as { readonly pipelining?: 0 | 1 | 2 }),
        ...optionalDate('pipeliningUntil', row?.['pipelining_until']),
        ...optionalNumber('messagesPerConnection', row?.['messages_per_connection']),
      }
    })
  }

  rememberServer(server: string, memory: ServerTraits): Promise<void> {
    return this.#store.write(() => {
      const { pipelining, pipeliningUntil, messagesPerConnection } = memory
      this.#store.run(
        sql.upsertServer,
        server,
        pipelining ?? null,
        timeOf(pipeliningUntil),
        messagesPerConnection ?? null,
      )
    })
  }

  /** Gives up the campaigns held, then the file. A broken ledger closes too. */
  async close(): Promise<void> {
    await this.#claims.releaseAll().catch(() => {})
    this.#store.close()
  }
}
