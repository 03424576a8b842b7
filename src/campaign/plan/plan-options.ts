/** What a plan is made from, and who watches it being made. Owns these shapes. */
import type { Problem } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { DuplicatePolicy, PriorMessage, SkipReason } from '../../ledger/records.ts'
import type { RowGroups } from '../../ledger/sqlite/row-groups.ts'
import type { Row, Source } from '../../source/source.ts'
import type { FollowUp } from '../run/follow-up.ts'
import type { RecipientRules, RowIdentity } from './recipient.ts'
import type { StartTimes } from './recipient-time.ts'
import type { CheckedRow, RowRenderer } from './render-row.ts'
import type { Excluded, Selector } from './select.ts'

export interface PlanOptions {
  /** Columns that the templates and the recipients are made of. */
  readonly used: ReadonlySet<string>
  readonly ledger: Pick<Ledger, 'runs' | 'plans'>
  readonly runId: string
  readonly source: Source
  readonly renderer: RowRenderer
  readonly selector: Selector
  /** Rows that are left out before the selector counts them. */
  readonly excluded: Excluded | undefined
  readonly duplicates: DuplicatePolicy
  /** Column of the recipient key, to name it where two rows share one. */
  readonly key: string | undefined
  /** Plan the good rows and skip the bad ones. */
  readonly skipBad: boolean
  readonly now: Date
  /** When each row may be sent at the earliest. */
  readonly startTimes: StartTimes | undefined
  /** False in a rehearsal, which checks start times and waits for none. */
  readonly waits: boolean
  /** The earlier campaign that this one follows. */
  readonly follow: FollowUp | undefined
  /** Which of the good rows are left out all the same, and why: those who are suppressed. */
  readonly leftOut: LeftOut | undefined
  /** How rows are put together, where one message is made of several. */
  readonly grouping: Grouping | undefined
  readonly observer: PlanObserver
  readonly signal: AbortSignal | undefined
}

/** One message for all rows of a key. The selector chooses rows before they are grouped; what is chosen here are messages. */
export interface Grouping {
  /** Column that rows are grouped by. */
  readonly column: string
  /** The key of a row is that of its group. */
  readonly rules: RecipientRules
  /** Empty; filled by the plan, and closed by its owner. */
  readonly groups: RowGroups
  /** Messages at most. */
  readonly limit: number | undefined
  /** Draws the messages of a sample, by their first rows, when all rows are in `groups`. */
  readonly choose: (() => Promise<ReadonlySet<number>>) | undefined
  /** What the campaign has sent, or may have sent, to these keys. */
  readonly history: ((keys: readonly string[]) => Promise<ReadonlyMap<string, PriorMessage>>) | undefined
  /** Computed columns: their cells may change though the row does not. */
  readonly computed: ReadonlySet<string>
}

/** Gives, by key, the rows that are not to be sent although they are good. */
export type LeftOut = (rows: readonly RowIdentity[]) => Promise<ReadonlyMap<RowIdentity, SkipReason>>

/** Who watches a plan being made. */
export interface PlanObserver {
  /** A row that would be sent; where rows are grouped, a message by its first row. */
  readonly onChecked?: (row: Row, checked: CheckedRow) => void
  /** A row that is left out before it is rendered. */
  readonly onSkipped?: (row: Pick<Row, 'number'>, skip: SkipReason) => void
  /** Each problem, also those beyond the ones that are kept. */
  readonly onProblem?: (problem: Problem) => void
  /** After each batch of rows, with the number read so far; of grouped rows, which are checked when all are read, again without rows. */
  readonly onBatch?: (rows: readonly Row[], read: number) => void | Promise<void>
}
