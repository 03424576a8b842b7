/** What a run reports while it works: one object an event, plain data, ready for JSON. */
import type { CopyCounts, ResultRow, SkipKind, StatusCounts } from '../ledger/records.ts'
import type { PauseReason, StopReason } from '../report/reasons.ts'
import type { DeliveryProgress } from './delivery/progress.ts'

/** A row's event carries the fields of the results file. */
export interface RowEvent extends ResultRow {
  readonly event: 'sent' | 'failed' | 'deferred' | 'skipped' | 'in_doubt'
}

/** Skipped rows by why they are skipped. */
export type SkipCounts = Readonly<Partial<Record<SkipKind, number>>>

export interface PlannedEvent {
  readonly event: 'planned'
  readonly run: string
  readonly campaign: string
  /** Rows of the source. */
  readonly rows: number
  /** Rows that are going to be sent now. */
  readonly toSend: number
  readonly counts: StatusCounts
  /** Messages by their state, where rows are grouped; those deferred are sent now. */
  readonly messages?: StatusCounts | undefined
  /** The skipped rows of `counts`, by why. */
  readonly skipped: SkipCounts
  /** Copies (cc, bcc) that the server did not take with their message; those deferred are sent now. */
  readonly copies: CopyCounts
}

export interface ProgressEvent extends DeliveryProgress {
  readonly event: 'progress'
  readonly run: string
}

export interface PausedEvent {
  readonly event: 'paused'
  readonly run: string
  readonly reason: PauseReason
  readonly until?: Date | undefined
  /** The account that waits, where there are several. */
  readonly account?: string | undefined
}

/**
 * How a run ended: all is sent or skipped on purpose; planned, as it was asked; some messages failed for good; rows or copies
 * are still to come, or rows are in doubt; or something broke, which is thrown as well.
 */
export type RunOutcome = 'done' | 'planned' | 'failed' | 'unfinished' | 'broken'

export interface SummaryEvent {
  readonly event: 'summary'
  readonly run: string
  readonly campaign: string
  readonly rows: number
  readonly counts: StatusCounts
  /** Messages by their state, where rows are grouped. */
  readonly messages?: StatusCounts | undefined
  /** Copies (cc, bcc) that the server did not take with their message, by what became of them; `sent` are those sent later. */
  readonly copies: CopyCounts
  readonly seconds: number
  /** Messages a second over the whole delivery. */
  readonly rate: number
  readonly outcome: RunOutcome
  /** Exit code of that outcome. */
  readonly exitCode: number
  /** Where the results were written. */
  readonly reports: readonly string[]
  /** Counts of each variant, where the campaign is split. */
  readonly variants?: ReadonlyMap<string, StatusCounts> | undefined
  /** Counts of each account that sends or sent rows, where there are several. */
  readonly accounts?: ReadonlyMap<string, StatusCounts> | undefined
  /** Folder of the `.eml` files of a dry run or the sandbox. */
  readonly mails?: string | undefined
  /** True where messages became drafts that a person sends. */
  readonly drafts?: boolean | undefined
  /** Why the run ended before its last row. */
  readonly stopped?: StopReason | undefined
}

export type MergeEvent = RowEvent | PlannedEvent | ProgressEvent | PausedEvent | SummaryEvent
