/** What a check found, as data: problems, columns, sizes, and the mail that would go out. Owns these shapes; finds nothing. */
import type { Problem } from '../errors.ts'
import type { ColumnFacts } from './column-survey.ts'
import type { SeverityCounts } from './findings.ts'
import type { LinkSample } from './links/links.ts'
import type { RuleVerdict } from './rules/bulk.ts'

/** How much mail a run would be. Sizes are of whole messages in bytes, estimated from a few of them. */
export interface SizeEstimate {
  readonly messages: number
  readonly each: number
  readonly total: number
}

/** Domains that mail would go to and come from, for the part that asks name servers. */
export interface CheckedMail {
  /** Domain in A-labels, with the first row that has it and how many have. */
  readonly domains: ReadonlyMap<string, { readonly row: number; readonly address: string; rows: number }>
  /** The first messages. */
  readonly samples: readonly LinkSample[]
  /** The bytes of the first message, where a spam filter is asked. */
  readonly message: Uint8Array | undefined
  readonly unsubscribe: boolean
}

export interface CheckReport {
  /** Sorted by weight. */
  readonly problems: readonly Problem[]
  readonly counts: SeverityCounts
  /** Rows of the list; `good` are those that would be sent. */
  readonly rows: number
  /** Rows that are neither left out by an option nor hidden. */
  readonly chosen: number
  readonly good: number
  /** Messages that the good rows make, where rows are grouped. */
  readonly messages?: number
  readonly source?: string | undefined
  readonly template?: string | undefined
  readonly columns: readonly ColumnFacts[]
  readonly size?: SizeEstimate | undefined
  readonly mail: CheckedMail
  /** The rules of large providers, where name servers were asked. */
  readonly rules?: readonly RuleVerdict[] | undefined
}
