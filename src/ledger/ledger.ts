/**
 * The seam to the durable record of campaigns, runs, rows, attempts and suppressions, in facets: a caller takes the one
 * that it needs. Owns their promises; never decides whether a row is to be sent. SQLite implements it, and PostgreSQL can.
 */
import type { ServerTraits } from '../transport/transport.ts'
import type { Feedback } from './feedback.ts'
import type {
  Campaign,
  CopyCounts,
  DueCopy,
  DueRow,
  Duplicate,
  DuplicatePolicy,
  Forgotten,
  LedgerEvent,
  NewNotice,
  NewRun,
  NoticeWay,
  Owner,
  PlanCounts,
  PlannedRow,
  PriorMessage,
  Pruned,
  Quota,
  QuotaTaken,
  RampDay,
  RampUse,
  Reservation,
  ResultRow,
  RowRange,
  RunRecord,
  RunRequest,
  SkipKind,
  StatusCounts,
  Suppression,
  SuppressionReason,
  TakenNotice,
} from './records.ts'
import type { Schedules } from './schedules.ts'

export interface Ledger {
  /** File or address for people, without secrets. */
  readonly location: string
  readonly campaigns: Campaigns
  readonly runs: Runs
  readonly plans: Plans
  readonly deliveries: Deliveries
  readonly results: Results
  readonly carbonCopies: CarbonCopies
  readonly copies: Copies
  readonly feedback: Feedback
  readonly suppressions: Suppressions
  readonly quotas: Quotas
  readonly schedules: Schedules
  readonly servers: Servers
  readonly timestamps: Timestamps
  readonly notices: Notices
  readonly privacy: Privacy
  close(): Promise<void>
}

export interface Campaigns {
  /** Finds the newest generation of a campaign or makes it; `again` makes the next generation. */
  open(name: string, options?: { readonly again?: boolean }): Promise<Campaign>
  find(name: string): Promise<Campaign | undefined>
  /** Whether a living process plans or delivers the campaign now, as far as can be known from here. */
  isClaimed(campaign: Campaign): Promise<boolean>
  /**
   * Attempts that an earlier owner started and that were never answered are in doubt from then on.
   * @throws HeldError that names the holder, when another living process has it; LedgerMissingError when what the last
   * holder recorded is lost, unless `acceptLoss` is set.
   */
  claim(campaign: Campaign, owner: Owner, options?: { readonly acceptLoss?: boolean }): Promise<Claim>
}

/** The right to plan and deliver one campaign; other processes wait, or report who holds it. */
export interface Claim {
  release(): Promise<void>
}

export interface Runs {
  create(run: NewRun): Promise<void>
  /** Removes a run that was never ready, with its plan. */
  drop(runId: string): Promise<void>
  /** The run of that id, or the newest one whose planning was finished; `campaign` narrows it. */
  find(id?: string, campaign?: string): Promise<RunRecord | undefined>
  /** Newest first. */
  list(): Promise<readonly RunRecord[]>
  /** Records that the delivery of a run with a start time begins; the first time stays. */
  begin(runId: string, at: Date): Promise<void>
  /** Records until when the delivery waits for the sending hours; undefined when it waits no more. */
  waitUntil(runId: string, until: Date | undefined): Promise<void>
  end(runId: string, state: 'finished' | 'cancelled', at: Date): Promise<void>
  /** Asks the process that delivers a run, if there is one, to stop (`RunRecord.requested`); undefined takes it back. */
  request(runId: string, request: RunRequest | undefined): Promise<void>
  /** What is asked of the run now: `RunRecord.requested` alone, for who looks often. */
  requested(runId: string): Promise<RunRequest | undefined>
  /**
   * Records what the process that delivers the run says of it, as JSON, for people who watch. The last word alone is kept, and
   * may be lost in a power cut; undefined takes it away.
   */
  report(runId: string, facts: string | undefined, at: Date): Promise<void>
  /** What was last said of the run, and when. */
  lastReport(runId: string): Promise<{ readonly facts: string; readonly at: Date } | undefined>
}

export interface Plans {
  /** Adds rows to a run in state `planning`, in source order. */
  add(runId: string, rows: readonly PlannedRow[]): Promise<void>
  /** Pairs of rows with one key, in row order, rows that are skipped left out. */
  duplicates(runId: string, limit: number): Promise<readonly Duplicate[]>
  /**
   * Ends planning: joins the plan with the campaign's memory and makes the run `ready`, in one transaction. Recipients
   * that are sent or in doubt stay so; failed ones come back only when their row changed; later rows of one key are
   * skipped (`skip`) or become further occurrences (`all`). An older unfinished run of the campaign ends as `cancelled`.
   * Under `error` nothing is changed and nothing is given when two rows that are to be sent share a key.
   */
  complete(runId: string, options: { readonly duplicates: 'skip' | 'all' }): Promise<PlanCounts>
  complete(runId: string, options: { readonly duplicates: DuplicatePolicy }): Promise<PlanCounts | undefined>
}

/** Which of those that wait. */
export interface DueQuery {
  readonly now: Date
  readonly after: number
  readonly limit: number
  /** Those of this account alone. */
  readonly account?: string | undefined
}

export interface Deliveries {
  /** Recipients of the run to be sent now, in row order after row `after`; retries whose time has come among them. */
  due(runId: string, query: DueQuery): Promise<readonly DueRow[]>
  /**
   * The earliest time that a deferred recipient waits for, later than `after` if given; undefined when none waits.
   * Recipients that may go at once (never tried, no `notBefore`) wait for no time and do not count.
   */
  nextDue(runId: string, after?: Date, account?: string): Promise<Date | undefined>
  /** The latest time that a deferred recipient waits for; undefined when none waits for a time. */
  lastDue(runId: string): Promise<Date | undefined>
  /**
   * Records in one transaction, durable against power loss when it resolves.
   * @throws OutputError when the disk fails; the ledger then refuses every later call.
   */
  record(events: readonly LedgerEvent[]): Promise<void>
  /**
   * Messages of the run that are still to be sent from one account alone, by account, with the first row of them: that which
   * their rows name (`planned`), or that which has sent a part of them.
   */
  boundTo(
    runId: string,
    options: { readonly planned: boolean },
  ): Promise<ReadonlyMap<string, { readonly messages: number; readonly first: number }>>
  /** Makes failed recipients of the run deferred again; gives their number. A run that was finished is `ready` again. */
  retryFailed(runId: string): Promise<number>
  /**
   * A person's decision on recipients and copies in doubt, of the rows in `rows` alone if given: send again from `at` on, or
   * take them as sent. Gives the number of recipients. A process that delivers the run takes up what is to be sent again.
   */
  resolveInDoubt(
    runId: string,
    decision: 'resend' | 'keep',
    options: { readonly at: Date; readonly rows?: readonly RowRange[] | undefined },
  ): Promise<number>
}

export interface Results {
  /** Rows of the run by their state. */
  counts(runId: string): Promise<StatusCounts>
  /** Messages of the run by their state: fewer than rows where rows are grouped. Rows that are in no message do not count. */
  messageCounts(runId: string): Promise<StatusCounts>
  /** The counts of each variant of a split campaign, by its name, rows without one left out; empty without a split. */
  variantCounts(runId: string): Promise<ReadonlyMap<string, StatusCounts>>
  /** The counts of each account that sends or sent rows of the run, by its name; empty where there are no accounts. */
  accountCounts(runId: string): Promise<ReadonlyMap<string, StatusCounts>>
  /** Why the rows of a run are skipped, with the number of each kind; they add up to the count of skipped rows. */
  skipCounts(runId: string): Promise<ReadonlyMap<SkipKind, number>>
  /** Every row of the run's source, in source order, with its state in the campaign. */
  rows(runId: string): AsyncIterable<readonly ResultRow[]>
  /** What became of these recipient keys in a campaign, by key, whichever run it was; a key with several rows gives the first. */
  ofKeys(campaign: Campaign, keys: readonly string[]): Promise<ReadonlyMap<string, ResultRow>>
  /** The messages of a campaign to these recipient keys, by key, with what came back of them. */
  deliveryHistory(campaign: Campaign, keys: readonly string[]): Promise<ReadonlyMap<string, PriorMessage>>
}

/**
 * Copies (cc, bcc) that the server did not take with their message: recorded with the row (`RowUpdate.copies`), and their own
 * attempts by `Deliveries.record`. A copy is sent once, like a row: one that was started and never answered is in doubt when
 * its campaign is claimed again.
 */
export interface CarbonCopies {
  /** Deferred copies of the run whose time has come, by number, after number `after`. */
  due(runId: string, query: DueQuery): Promise<readonly DueCopy[]>
  /** The earliest time that a deferred copy waits for; undefined when none waits. */
  nextDue(runId: string, account?: string): Promise<Date | undefined>
  /** Copies of the run's messages by their state, those that went with their message left out. */
  counts(runId: string): Promise<CopyCounts>
}

/** Which sent messages still need a copy in the sender's mailbox. */
export interface Copies {
  /** Messages of a run that were sent and have no copy yet, in row order, with the moment of their Date. */
  missing(runId: string, limit: number): Promise<readonly (DueRow & { readonly sentAt: Date })[]>
  /** The copy is kept. Durable when it resolves. */
  add(recipient: number): Promise<void>
}

export interface Suppressions {
  /** Gives how many were not there before. */
  add(entries: readonly Suppression[]): Promise<number>
  remove(addresses: readonly string[], group: string): Promise<number>
  list(): AsyncIterable<readonly Suppression[]>
  /** Which of these addresses (normalised) must not be written to in `group`. */
  find(addresses: readonly string[], group: string): Promise<ReadonlyMap<string, Suppression>>
  /** Those that match, the newest first. */
  search(query: SuppressionQuery): Promise<readonly Suppression[]>
  /** How many there are for each reason. */
  counts(): Promise<ReadonlyMap<SuppressionReason, number>>
  /** A number that moves with every change of the suppressions, also those of other processes. Cheap to ask. */
  version(): Promise<number>
}

export interface SuppressionQuery {
  /**
   * Part of the address, the group or the note, without regard to case; empty for all. A whole address finds an entry too of
   * which only the hash is kept.
   */
  readonly text: string
  readonly reason: SuppressionReason | undefined
  /** The last entry of the page before. */
  readonly after: Pick<Suppression, 'addedAt' | 'hash' | 'group'> | undefined
  readonly limit: number
}

export interface Quotas {
  /**
   * Takes `count` messages, or as many of them as there is room for, from every quota; each message is taken whole, with its
   * `recipients` (default 1), and from the day of a limit that rises, if given. `granted` is how many may go now; when that is fewer
   * than asked for, `retryAt` says when to ask again. What was granted and not used is not given back.
   */
  reserve(quotas: readonly Quota[], count: number, now: Date, recipients?: number, ramp?: RampDay): Promise<Reservation>
  /** What is taken of a limit that rises, by that day. Takes nothing. */
  rampUse(name: string, day: string): Promise<RampUse>
  /** What is taken of each quota in the window that ends now. Takes nothing. */
  taken(quotas: readonly Quota[], now: Date): Promise<readonly QuotaTaken[]>
}

/** What was learnt of servers, by their `host:port`. */
export interface Servers {
  get(server: string): Promise<ServerTraits>
  /** Keeps what is given, and what was known before of the rest. */
  set(server: string, traits: ServerTraits): Promise<void>
}

/** Times under a name: signs of life, notices that were given. */
export interface Timestamps {
  /** Records the time and gives the one recorded before. */
  replace(name: string, at: Date): Promise<Date | undefined>
}

/**
 * What people who do not watch should know: the last notice of each subject (a run, an occurrence of a schedule). A notice is
 * owed from the moment that the work begins, so that a process that dies leaves a trace.
 */
export interface Notices {
  /** From now on a notice of how it ended is owed. */
  expect(subject: string): Promise<void>
  /** The subjects for which a notice is owed. */
  owed(): Promise<readonly string[]>
  /**
   * Settles what is owed for the subject; without a notice there is nothing to say. A notice takes the place of an earlier one that
   * was not given yet; one with the `about` of the last is dropped. Changes nothing where none is owed.
   */
  record(subject: string, notice: NewNotice | undefined): Promise<void>
  /** Those that were not given yet, for the caller alone until `until`; after that anybody may take them again. */
  take(now: Date, until: Date, limit: number): Promise<readonly TakenNotice[]>
  /** It was given in this way, which is not used for it again. */
  given(notice: TakenNotice, way: NoticeWay): Promise<void>
  /** Nothing more is done about it. */
  close(notice: TakenNotice): Promise<void>
}

export interface Privacy {
  /**
   * Removes a person's data: rows, keys, addresses, replies. States and counts stay, suppressions stay as hashes.
   * `address` is normalised. Gives the runs whose reports name the person.
   * @throws UnfinishedError when a living process is about to write to the person.
   */
  forget(address: string): Promise<Forgotten>
  /** Removes campaigns whose every run ended before `before`, with all their rows; their names stay refused (`--again`). */
  prune(before: Date): Promise<Pruned>
}
