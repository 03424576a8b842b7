/**
 * The records that a ledger keeps and gives: campaigns, runs, planned rows, attempts, results, suppressions. Owns their
 * shapes; what can be done with them is in `ledger.ts`.
 *
 * Two things are kept apart. A run's plan (`PlannedRow`) is what the source said when it was planned: written once,
 * never changed. A recipient is a campaign's memory of one recipient key: its state moves, whichever run moves it.
 */
import type { RampUp, RateLimit } from '../config/settings.ts'
import type { FeedbackKind } from './feedback.ts'
import type { RunOptions } from './run-options.ts'

/** The one state that a row is in; the words of the results file. */
export type RowStatus = 'sent' | 'failed' | 'skipped' | 'deferred' | 'in_doubt'

export type StatusCounts = Readonly<Record<RowStatus, number>>

export const NO_ROWS: StatusCounts = { sent: 0, failed: 0, skipped: 0, deferred: 0, in_doubt: 0 }

export function totalOf({ sent, failed, skipped, deferred, in_doubt }: StatusCounts): number {
  return sent + failed + skipped + deferred + in_doubt
}

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

/**
 * What a person asks of a run from another process: `pause` holds it until it is resumed and `cancel` ends it, whoever delivers
 * it; `resume` asks `mailmerge serve` to go on with it.
 */
export type RunRequest = 'pause' | 'cancel' | 'resume'

export interface RunRecord {
  /** Sorts by time: `20261124T102530-k3f9a`. */
  readonly id: string
  readonly campaign: Campaign
  readonly state: RunState
  readonly startedAt: Date
  readonly endedAt?: Date | undefined
  /** Not before this moment (`--at`). */
  readonly notBefore?: Date | undefined
  /** When delivery began, for a run with a `notBefore`. */
  readonly begunAt?: Date | undefined
  /** Until then the delivery waits for the sending hours (`window`); of no meaning when it is past. */
  readonly waitsUntil?: Date | undefined
  /** Asked from outside and not yet taken back: a `ready` run with `pause` is not resumed by itself. */
  readonly requested?: RunRequest | undefined
  readonly source: string
  readonly template: string
  /** The frozen plan: a template whose hash differs is not what was planned. */
  readonly templateHash: string
  readonly columns: readonly string[]
  readonly options: RunOptions
}

/** True where rows have start times of their own: by a clock or a column, or some time after an earlier message. */
export function hasRowStartTimes(run: Pick<RunRecord, 'options'>): boolean {
  return canBeLate(run) || run.options.after !== undefined
}

/** True where each row has a start time that it can be late for: on the recipient's clock, or in a column. */
export function canBeLate({ options }: Pick<RunRecord, 'options'>): boolean {
  return options.atLocal !== undefined || options.atColumn !== undefined
}

export interface NewRun {
  readonly id: string
  readonly campaign: Campaign
  readonly startedAt: Date
  readonly notBefore?: Date | undefined
  readonly source: string
  readonly template: string
  readonly templateHash: string
  readonly columns: readonly string[]
  readonly options: RunOptions
}

/**
 * `bad`: the row has a problem; `unselected`: left out by an option of the command; `hidden`: hidden or filtered out in
 * the workbook; `duplicate`: an earlier row has its key; `suppressed`; `follow-up`: nothing is to follow the earlier
 * message; `sent-before`: a rehearsal's row whose recipient has the message already; `has-message`: a row that is not in the message
 * which its recipient has already; `held-back`: another row of its message is bad; `forgotten`: its person's data was removed;
 * `unplanned`: planning was cut off; `other`: recorded by an earlier version that had no kinds.
 */
export type SkipKind =
  | 'bad'
  | 'unselected'
  | 'hidden'
  | 'duplicate'
  | 'suppressed'
  | 'follow-up'
  | 'sent-before'
  | 'has-message'
  | 'held-back'
  | 'forgotten'
  | 'unplanned'
  | 'other'

/** Why a row is not sent. Its words for people are made by `skipWords` (report/reasons.ts). */
export interface SkipReason {
  readonly kind: SkipKind
  /**
   * `bad`: the problem; `unselected`: the option (`--where city=Paris`); `duplicate`: the number of the earlier row;
   * `suppressed`: the reason of the suppression; `has-message`: the state of that message; `held-back`: the number of the bad row;
   * `follow-up` and `other`: the words themselves.
   */
  readonly detail: string
}

/** What came back of a message. */
export interface Bounce {
  readonly kind: FeedbackKind
  /** In words: `mailbox unknown`. */
  readonly reason: string
}

/** Rows of a source by their numbers, both ends included; `to` may be infinite. */
export interface RowRange {
  readonly from: number
  readonly to: number
}

/** One row of the source as planned. */
export interface PlannedRow {
  readonly row: number
  /** Recipient key, already normalised; empty for a row that has none (a bad row). */
  readonly key: string
  readonly address: string
  /** The row's cells as JSON text. */
  readonly data: string
  /** Present when the row is not to be sent. */
  readonly skip?: SkipReason | undefined
  /** Not before this moment, for this row alone. */
  readonly notBefore?: Date | undefined
  /** Variant of an A/B split that the row fell to. */
  readonly variant?: string | undefined
  /** Account that the row is to be sent from, where a column says it. */
  readonly account?: string | undefined
  /**
   * Where rows are grouped: the message that the row is part of, or `none` for a row that is in no message. Undefined where each
   * row is a message.
   */
  readonly message?: RowMessage | 'none' | undefined
}

/** The message that several rows are sent as. */
export interface RowMessage {
  /** Number of its first row. */
  readonly first: number
  /** How many rows it has; known at the first alone. */
  readonly rows: number | undefined
}

/** Two rows of one plan with the same key. */
export interface Duplicate {
  readonly key: string
  readonly row: number
  readonly firstRow: number
}

/** How two rows with one key are treated: as a mistake, as one recipient, or as two. */
export type DuplicatePolicy = 'error' | 'skip' | 'all'

/** What a complete plan found. The five counts add up to `rows`. */
export interface PlanCounts extends StatusCounts {
  readonly rows: number
  /** Messages by their state: fewer than rows where rows are grouped. Rows that are in no message do not count. */
  readonly messages: StatusCounts
}

/** A recipient whose turn has come. */
export interface DueRow {
  readonly recipient: number
  readonly row: number
  readonly key: string
  /** 1 for the first row with this key; more only under `--duplicates all`. */
  readonly occurrence: number
  readonly address: string
  readonly data: string
  readonly variant?: string | undefined
  /** Account that it is to be sent from, or was last tried from. */
  readonly account?: string | undefined
  /** Rows that the message is made of. */
  readonly rows: number
  /** Attempts so far. */
  readonly attempts: number
  readonly firstAttemptAt?: Date | undefined
  /** Copies of its message went before it, or go by themselves: the row goes to its own address alone. */
  readonly goesAlone?: boolean | undefined
}

/** The state that a row is in after an attempt, or because of what it was found to be. */
export interface RowUpdate {
  readonly recipient: number
  readonly lane: number
  /** Account that made the attempt, where there are several. */
  readonly account?: string | undefined
  readonly at: Date
  readonly status: RowStatus
  readonly reason?: string | undefined
  /** For `skipped`. */
  readonly skip?: SkipReason | undefined
  readonly smtpCode?: number | undefined
  readonly enhancedCode?: string | undefined
  readonly response?: string | undefined
  readonly messageId?: string | undefined
  /** For `deferred`: when to try again. */
  readonly dueAt?: Date | undefined
  /** Copies that are in another state than the row: from now on each goes by itself, and the row without them. */
  readonly copies?: readonly UndeliveredCopy[] | undefined
  /** With `copies`: the moment of the message's Date, so that they get the same message later. Default: `at`. */
  readonly date?: Date | undefined
  /** False when the message was never offered to the server: the attempts of the row stay as they are. */
  readonly attempted: boolean
}

/** The state of one copy (cc or bcc) of a message that was sent to others. */
export interface CopyUpdate {
  readonly status: 'sent' | 'refused' | 'deferred' | 'in_doubt'
  readonly reason?: string | undefined
  readonly smtpCode?: number | undefined
  readonly enhancedCode?: string | undefined
  readonly response?: string | undefined
  /** For `deferred`: when to try again. */
  readonly dueAt?: Date | undefined
}

/** A copy that is in another state than its row. */
export interface UndeliveredCopy extends CopyUpdate {
  readonly address: string
}

/** A copy whose turn has come, with the row that it is a copy of. */
export interface DueCopy {
  readonly copy: number
  readonly address: string
  /** Attempts so far, the one with the message among them; none when it was in doubt and is to be sent again. */
  readonly attempts: number
  readonly firstAttemptAt?: Date | undefined
  readonly row: DueRow
  /** The moment of the message's Date. */
  readonly sentAt: Date
}

export type CopyCounts = Readonly<Record<CopyUpdate['status'], number>>

export const NO_COPIES: CopyCounts = { sent: 0, refused: 0, deferred: 0, in_doubt: 0 }

/** What delivery reports to the ledger, in the order in which it happened. */
export type LedgerEvent =
  /** An attempt is about to hand over its end of data. Until a `row-updated` follows, a crash leaves the row in doubt. */
  | {
      readonly kind: 'attempt-started'
      readonly recipient: number
      readonly lane: number
      readonly at: Date
      readonly messageId: string
      /** Where there are several. */
      readonly account?: string | undefined
    }
  | ({ readonly kind: 'row-updated' } & RowUpdate)
  /** The same for a copy that was not sent with its message. */
  | { readonly kind: 'copy-started'; readonly copy: number; readonly at: Date }
  | ({ readonly kind: 'copy-updated'; readonly copy: number; readonly at: Date } & CopyUpdate)
  /** A deferred row that is not tried before then; all else stays as it is. */
  | { readonly kind: 'row-put-off'; readonly recipient: number; readonly dueAt: Date }

/** One line of the results. `address` and `key` are empty for rows that have none. */
export interface ResultRow {
  readonly row: number
  readonly key: string
  readonly address: string
  readonly status: RowStatus
  /** In words. Empty for a skipped row, which has `skip`. */
  readonly reason: string
  readonly skip?: SkipReason | undefined
  readonly smtpCode?: number | undefined
  readonly enhancedCode?: string | undefined
  readonly response?: string | undefined
  readonly messageId?: string | undefined
  readonly attempts: number
  readonly firstAttemptAt?: Date | undefined
  readonly finishedAt?: Date | undefined
  /** For `deferred`: not before this moment. */
  readonly dueAt?: Date | undefined
  /** Variant that the recipient got, or is to get. */
  readonly variant?: string | undefined
  /** Account that sent it, last tried to, or is to send it; undefined where there is one alone. */
  readonly account?: string | undefined
  /** The worst that came back of it. */
  readonly bounce?: Bounce | undefined
  /** Copies of its message that were not sent, or not yet. */
  readonly copies?: readonly UndeliveredCopy[] | undefined
  /** Where rows are grouped: number of the first row of its message. */
  readonly sentWith?: number | undefined
}

/** The earlier message of a campaign to one recipient key, and what came of it. */
export interface PriorMessage {
  readonly status: RowStatus
  readonly row: number
  /** The row's cells as they were planned. */
  readonly data: string
  readonly variant?: string | undefined
  readonly messageId?: string | undefined
  readonly finishedAt?: Date | undefined
  /** The worst that came back. */
  readonly bounce?: FeedbackKind | undefined
  /** A person answered. */
  readonly answered: boolean
}

/** The process that holds a campaign. */
export interface Owner {
  readonly pid: number
  readonly host: string
  /** Distinguishes a pid from the same number after a reboot. */
  readonly bootId: string
  /** Distinguishes a pid from the same number used again. */
  readonly processStart: string
}

export type SuppressionReason = 'unsubscribed' | 'hard_bounce' | 'soft_bounces' | 'complaint' | 'manual' | 'imported'

export interface Suppression {
  /** A whole address, lower-cased, or `@domain` for everyone there. Absent when only its hash is kept (`forget`). */
  readonly address?: string | undefined
  /** SHA-256 in hex of the normalised address or `@domain`. */
  readonly hash: string
  /** Campaign group it holds for; empty for all. */
  readonly group: string
  readonly reason: SuppressionReason
  readonly note?: string | undefined
  readonly addedAt: Date
}

/** A limit whose use is kept in the ledger: at most `count` in any `seconds`, for all runs and processes under `name`. */
export interface Quota extends RateLimit {
  readonly name: string
}

/** A limit of messages that rises from day to day, on one calendar day, for all runs and processes under `name`. */
export interface RampDay {
  readonly name: string
  readonly rampUp: RampUp
  /** By the clock of the run: `2026-11-27`. */
  readonly day: string
  /** The first moment of the next day. */
  readonly endsAt: Date
}

/** What is known of a limit that rises. */
export interface RampUse {
  /** Earlier days on which messages were taken of it. */
  readonly days: number
  /** Messages taken on the day. */
  readonly used: number
}

/** What is left of a limit, in what it counts. */
export interface QuotaLeft extends RateLimit {
  readonly left: number
  /** It is that of one calendar day, of a limit that rises. */
  readonly isRampUp?: true
}

/** What is taken of a quota, in what it counts. */
export interface QuotaTaken {
  readonly count: number
  /** Seconds since the first of it was taken: when these are as many as the window has, it begins to be free again. */
  readonly age: number
}

/** What a ledger granted of some quotas. */
export interface Reservation {
  /** Messages. */
  readonly granted: number
  /** When to ask again, where fewer were granted than asked for. */
  readonly retryAt?: Date | undefined
  /** What is left, after this, of the limit that has least left. */
  readonly left?: QuotaLeft | undefined
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

/** How a notice goes. */
export type NoticeWay = 'mail' | 'webhook'

export interface NewNotice {
  /** What it is about: two notices of one subject that are equal in this say the same. */
  readonly about: string
  /** As JSON. */
  readonly facts: string
}

export interface TakenNotice {
  readonly subject: string
  /** From 1, of this subject. */
  readonly number: number
  readonly facts: string
  /** The ways that have it already. */
  readonly given: readonly NoticeWay[]
}
