/**
 * The seam to the durable record of campaigns, runs, rows, attempts and suppressions. Owns the words of what is kept;
 * never decides whether a row is to be sent. SQLite stands behind it, and PostgreSQL can.
 *
 * Two things are kept apart. A run's plan (`PlannedRow`) is what the source said when it was planned: written once,
 * never changed. A recipient is a campaign's memory of one recipient key: its state moves, whichever run moves it.
 */
import type { RateLimit } from '../config/settings.ts'
import type { ServerTraits } from '../transport/transport.ts'
import type { CopyLedger } from './copies.ts'
import type { FeedbackLedger } from './feedback.ts'
import type { RunOptions } from './run-options.ts'
import type { Schedules } from './schedules.ts'

/** The one state that a row is in; the words of the results file. */
export type RowStatus = 'sent' | 'failed' | 'skipped' | 'deferred' | 'in_doubt'

export interface Campaign {
  readonly id: number
  readonly name: string
  /** From 1; `--again` adds one and starts with no memory. */
  readonly generation: number
  /** Random, made with the campaign, kept secret: Message-IDs and boundaries are derived from it. */
  readonly token: string
}

/** `planning` was never finished and holds nothing to send; `ready` may be delivered; the others are ended. */
export type RunState = 'planning' | 'ready' | 'finished' | 'cancelled'

export interface RunRecord {
  /** Sorts by time: `20261124T102530-k3f9a`. */
  readonly id: string
  readonly campaign: Campaign
  readonly state: RunState
  readonly startedAt: Date
  readonly endedAt?: Date
  /** Not before this moment (`--at`). */
  readonly notBefore?: Date
  /** When delivery began, for a run with a `notBefore`. */
  readonly begunAt?: Date
  readonly source: string
  readonly template: string
  /** The frozen plan: a template whose hash differs is not what was planned. */
  readonly templateHash: string
  readonly columns: readonly string[]
  readonly options: RunOptions
}

export interface NewRun {
  readonly id: string
  readonly campaign: Campaign
  readonly startedAt: Date
  readonly notBefore?: Date
  readonly source: string
  readonly template: string
  readonly templateHash: string
  readonly columns: readonly string[]
  readonly options: RunOptions
}

/** One row of the source as planned. */
export interface PlannedRow {
  readonly row: number
  /** Recipient key, already normalised; empty for a row that has none (a bad row). */
  readonly key: string
  readonly address: string
  /** The row's cells as JSON text. */
  readonly data: string
  /** Present when the row is not to be sent, and why: `bad row: ...`, `not selected`. */
  readonly skip?: string
  /** Not before this moment, for this row alone. */
  readonly notBefore?: Date
  /** Variant of an A/B split that the row fell to. */
  readonly variant?: string
}

/** Two rows of one plan with the same key. */
export interface Duplicate {
  readonly key: string
  readonly row: number
  readonly firstRow: number
}

/** What two rows with one key are: a mistake, one recipient, or two. */
export type Duplicates = 'error' | 'skip' | 'all'

/** What a settled plan found. The five counts add up to `rows`. */
export interface PlanCounts extends StatusCounts {
  readonly rows: number
}

export type StatusCounts = Readonly<Record<RowStatus, number>>

/** A recipient whose turn has come. */
export interface DueRow {
  readonly recipient: number
  readonly row: number
  readonly key: string
  /** 1 for the first row with this key; more only under `--duplicates all`. */
  readonly occurrence: number
  readonly address: string
  readonly data: string
  readonly variant?: string
  /** Attempts so far. */
  readonly attempts: number
  readonly firstAttemptAt?: Date
}

/** What one attempt came to, or what a row was found to be. */
export interface Settled {
  readonly recipient: number
  readonly lane: number
  readonly at: Date
  readonly status: RowStatus
  readonly reason?: string
  readonly smtpCode?: number
  readonly enhancedCode?: string
  readonly response?: string
  readonly messageId?: string
  /** For `deferred`: when to try again. */
  readonly dueAt?: Date
  /** False when the message was never put to the server, so that it is no attempt: it keeps the row's count as it is. */
  readonly attempted: boolean
}

/** News for the ledger, recorded in the order given and in one durable transaction. */
export type News =
  /** An attempt is about to hand over its end of data. Until a `settled` follows, a crash leaves the row in doubt. */
  | {
      readonly kind: 'began'
      readonly recipient: number
      readonly lane: number
      readonly at: Date
      readonly messageId: string
      readonly server?: string
    }
  | ({ readonly kind: 'settled' } & Settled)

/** One line of the results. `address` and `key` are empty for rows that have none. */
export interface ResultRow {
  readonly row: number
  readonly key: string
  readonly address: string
  readonly status: RowStatus
  readonly reason: string
  readonly smtpCode?: number
  readonly enhancedCode?: string
  readonly response?: string
  readonly messageId?: string
  readonly attempts: number
  readonly firstAttemptAt?: Date
  readonly finishedAt?: Date
  /** Variant that the recipient got, or is to get. */
  readonly variant?: string
  /** The worst that came back of it: `hard: mailbox unknown`, `complaint: abuse`. */
  readonly bounce?: string
}

/** Who holds a campaign. */
export interface Owner {
  readonly pid: number
  readonly host: string
  /** Tells a pid from the same number after a reboot. */
  readonly bootId: string
  /** Tells a pid from the same number used again. */
  readonly processStart: string
}

/** The right to plan and deliver one campaign; other processes wait or are told who holds it. */
export interface Claim {
  /** Attempts that an earlier owner left begun and unanswered: now in doubt. */
  readonly orphans: number
  release(): Promise<void>
}

export type SuppressionReason = 'unsubscribed' | 'hard_bounce' | 'soft_bounces' | 'complaint' | 'manual' | 'imported'

export interface Suppression {
  /** A whole address, lower-cased, or `@domain` for everyone there. Absent when only its hash is kept (`forget`). */
  readonly address?: string
  /** SHA-256 in hex of the normalised address or `@domain`. */
  readonly hash: string
  /** Campaign group it holds for; empty for all. */
  readonly group: string
  readonly reason: SuppressionReason
  readonly note?: string
  readonly addedAt: Date
}

/** A limit whose use is kept in the ledger: at most `count` in any `seconds`, for all runs and processes under `name`. */
export interface Quota extends RateLimit {
  readonly name: string
}

/** What a ledger granted of some quotas. */
export interface Reservation {
  /** Messages. */
  readonly granted: number
  /** When to ask again, where fewer were granted than asked for. */
  readonly retryAt?: Date
  /** What is left, after this, of the quota that has least left; of what it counts. */
  readonly left?: RateLimit & { readonly left: number }
}

/** What `forget` removed. */
export interface Forgotten {
  readonly rows: number
  /** Ids of the runs that had the person in their rows. */
  readonly runs: readonly string[]
  /** Suppressions of the address that are kept as a hash. */
  readonly suppressions: number
}

/** What `prune` removed. */
export interface Pruned {
  readonly campaigns: number
  /** Ids of the runs removed. */
  readonly runs: readonly string[]
}

export interface Ledger {
  /** File or address for people, without secrets. */
  readonly location: string

  /** Finds the newest generation of a campaign or makes it; `again` makes the next generation. */
  campaign(name: string, options?: { readonly again?: boolean }): Promise<Campaign>
  findCampaign(name: string): Promise<Campaign | undefined>
  /** @throws UnfinishedError that names the holder, when another living process has it. */
  claim(campaign: Campaign, owner: Owner): Promise<Claim>

  createRun(run: NewRun): Promise<void>
  /** Adds rows to a run in state `planning`, in source order. */
  plan(runId: string, rows: readonly PlannedRow[]): Promise<void>
  /** Pairs of rows with one key, in row order, rows that are skipped left out. */
  duplicates(runId: string, limit: number): Promise<readonly Duplicate[]>
  /**
   * Ends planning: joins the plan with the campaign's memory and makes the run `ready`, in one transaction. Recipients
   * that are sent or in doubt stay so; failed ones come back only when their row changed; later rows of one key are
   * skipped (`skip`) or become further occurrences (`all`). An older unfinished run of the campaign ends as `cancelled`.
   * Under `error` nothing is settled and nothing is given when two rows that are to be sent share a key.
   */
  settlePlan(runId: string, options: { readonly duplicates: 'skip' | 'all' }): Promise<PlanCounts>
  settlePlan(runId: string, options: { readonly duplicates: Duplicates }): Promise<PlanCounts | undefined>
  /** Forgets a run that was never ready. */
  dropPlan(runId: string): Promise<void>

  /** The run of that id, or the newest one whose planning was finished; `campaign` narrows it. */
  run(id?: string, campaign?: string): Promise<RunRecord | undefined>
  /** Newest first. */
  runs(): Promise<readonly RunRecord[]>
  endRun(runId: string, state: 'finished' | 'cancelled', at: Date): Promise<void>

  /** Notes that the delivery of a run with a time of its own begins; the first time stays. */
  beginRun(runId: string, at: Date): Promise<void>

  /** Recipients of the run to be sent now, in row order after row `after`; retries whose time has come among them. */
  due(
    runId: string,
    query: { readonly now: Date; readonly after: number; readonly limit: number },
  ): Promise<readonly DueRow[]>
  /**
   * The earliest time that a deferred recipient waits for, later than `after` if given; undefined when none waits.
   * Recipients that may go at once (never tried, no `notBefore`) wait for no time and do not count.
   */
  nextDue(runId: string, after?: Date): Promise<Date | undefined>
  /**
   * Records in one transaction, durable against power loss when it resolves.
   * @throws OutputError when the disk fails; the ledger then refuses every later call.
   */
  record(news: readonly News[]): Promise<void>
  counts(runId: string): Promise<StatusCounts>
  /** The counts of each variant of a split campaign, by its name, rows without one left out; empty without a split. */
  variantCounts(runId: string): Promise<ReadonlyMap<string, StatusCounts>>
  /** Every row of the run's source, in source order, with its state in the campaign. */
  results(runId: string): AsyncIterable<readonly ResultRow[]>
  /** Makes failed recipients of the run deferred again; gives their number. A run that was finished is `ready` again. */
  retryFailed(runId: string): Promise<number>
  /** A person's word on recipients in doubt: send again, or take them as sent. */
  settleInDoubt(runId: string, decision: 'resend' | 'keep'): Promise<number>

  suppress(entries: readonly Suppression[]): Promise<number>
  unsuppress(addresses: readonly string[], group: string): Promise<number>
  suppressions(): AsyncIterable<readonly Suppression[]>
  /** Which of these addresses (normalised) must not be written to in `group`. */
  suppressed(addresses: readonly string[], group: string): Promise<ReadonlyMap<string, Suppression>>
  /** A number that moves with every change of the suppressions, also those of other processes. Cheap to ask. */
  suppressionMark(): Promise<number>

  /**
   * Takes `count` messages, or as many of them as there is room for, from every quota; each message is taken whole, with its
   * `recipients` (default 1). `granted` is how many may go now; when that is fewer than asked for, `retryAt` says when to
   * ask again. What was granted and not used is not given back.
   */
  reserve(quotas: readonly Quota[], count: number, now: Date, recipients?: number): Promise<Reservation>

  /**
   * Removes a person's data: rows, keys, addresses, replies. States and counts stay, suppressions stay as hashes.
   * `address` is normalised. Gives the runs whose reports name the person.
   * @throws UnfinishedError when a living process is about to write to the person.
   */
  forget(address: string): Promise<Forgotten>
  /** Removes campaigns whose every run ended before `before`, with all their rows; their names stay refused (`--again`). */
  prune(before: Date): Promise<Pruned>

  /** Bounces, complaints and answers. */
  readonly feedback: FeedbackLedger
  /** Copies of sent messages. */
  readonly copies: CopyLedger
  /** Future and recurring runs. */
  readonly schedules: Schedules
  /** Notes a time under `name`, and gives the one that was noted before: signs of life, things that were told. */
  stamp(name: string, at: Date): Promise<Date | undefined>

  serverTraits(server: string): Promise<ServerTraits>
  rememberServer(server: string, traits: ServerTraits): Promise<void>

  close(): Promise<void>
}
