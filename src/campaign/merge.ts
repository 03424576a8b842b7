/** What a merge is asked for and what it reports. Owns these words, which the command line, schedules and programs share. */
import type { LedgerMissingError } from '../errors.ts'
import type { StatusCounts } from '../ledger/records.ts'
import type { AccountForecast } from './accounts/forecast.ts'
import type { Clock } from './clock.ts'
import type { MergeEvent, SkipCounts } from './events.ts'
import type { Pace } from './plan/pace.ts'
import type { ColumnTime, RecipientTime } from './plan/recipient-time.ts'
import type { MessagePreview } from './plan/render-row.ts'
import type { Selection } from './plan/select.ts'
import type { MessageSizes } from './plan/sizes.ts'

/** `send` is the real thing; the other modes record nothing as sent. */
export type MergeMode = 'send' | 'dry-run' | 'sandbox' | 'test'

export interface MergeRequest extends Selection {
  readonly mode: MergeMode
  /** Folder for `.eml` files of a dry run. */
  readonly out?: string
  /** Address that gets every message instead, in mode `test`. */
  readonly testTo?: string
  readonly skipBad?: boolean
  /** Start the campaign over: everybody gets it again. */
  readonly again?: boolean
  readonly campaign?: string
  /** Everybody who is still to be sent gets this variant of the project. */
  readonly variant?: string
  /** Result files; their endings say the format. */
  readonly reports?: readonly string[]
  /** Planned and checked now, sent from this moment on. */
  readonly at?: Date
  /** Planned and checked now, each row sent at this time on the clock of its recipient. */
  readonly atLocal?: RecipientTime
  /** Not before the time in this column, row by row; instead of `atLocal`. */
  readonly atColumn?: ColumnTime
  /** Only those who got this earlier campaign and have not answered, left or bounced, that long after it. */
  readonly after?: Earlier
  /** Return once planned; `resumeMerge`, or `serve`, sends when the time has come. */
  readonly detach?: boolean
  /** Put each message into the Drafts folder of the mailbox (`imap`) instead of sending it. */
  readonly drafts?: boolean
  /**
   * Milliseconds from the beginning of the delivery: when the next row is to be sent later than that, the run returns and can
   * be resumed. Without it the run waits for as long as it takes.
   */
  readonly patience?: number
  /** Occurrence of a schedule that this run is. */
  readonly occurrence?: string
  /** Group of the campaign's suppressions, where the settings name none; the campaign without it. */
  readonly group?: string
}

/** An earlier campaign that is followed up, and the milliseconds between its message and the next. */
export interface Earlier {
  readonly campaign: string
  readonly wait: number
}

/** Which run to go on with, and what to do with rows in doubt. */
export interface ResumeRequest {
  /** Run id; without it the newest unfinished run to go on with, or the newest run to try again. */
  readonly run?: string
  readonly inDoubt?: 'resend' | 'keep'
  /** The rows that `inDoubt` decides about, as `1-20,33`; all without it. */
  readonly rows?: string
  /** As in `MergeRequest`. */
  readonly patience?: number
  readonly reports?: readonly string[]
}

/** What is going to happen, for the question before sending. */
export interface PlanPreview {
  readonly campaign: string
  readonly run: string
  readonly source: string
  readonly template: string
  readonly rows: number
  readonly toSend: number
  readonly counts: StatusCounts
  /** Messages by their state, where rows are grouped; those deferred are to be sent. */
  readonly messages?: StatusCounts
  /** The skipped rows of `counts`, by why. */
  readonly skipped: SkipCounts
  /** The first message that will be sent. */
  readonly first?: MessagePreview
  /** Where to, without secrets. */
  readonly server: string
  /** What each account sends, where the project has several. */
  readonly accounts?: readonly AccountForecast[]
  /** True where messages become drafts that a person sends. */
  readonly drafts?: boolean
  /** When it begins, if not at once. */
  readonly notBefore?: Date
  /** When the last message is accepted, and what holds it back; undefined where no limit is set. */
  readonly pace?: Pace
  /** How large the messages are, as far as some all over the run show it. */
  readonly sizes?: MessageSizes
}

export interface MergeHooks {
  onEvent?(event: MergeEvent): void
  /** False ends the run with nothing sent. */
  confirm?(plan: PlanPreview): Promise<boolean>
  /** True goes on without what the ledger lost, although someone may be written to twice. */
  confirmLoss?(error: LedgerMissingError): Promise<boolean>
  /** Things worth saying once: the encoding found, a fallback taken. */
  note?(text: string): void
  /** Rows read so far while planning. */
  onRows?(rows: number): void
  /** One line of the conversation with the server, secrets and bodies left out. */
  dialogue?(line: string): void
  /** First stop: finish what is in flight. */
  readonly signal?: AbortSignal
  /** Second stop: at once. */
  readonly abort?: AbortSignal
  readonly clock?: Clock
}
