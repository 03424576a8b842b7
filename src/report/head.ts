/** How far a run is, read from the ledger: for lists of runs, and before the rows of a report. Owns which further columns these have. */
import type { RateLimit } from '../config/settings.ts'
import { DefectError } from '../errors.ts'
import type { FeedbackKind } from '../ledger/feedback.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { CopyCounts, RunRecord, StatusCounts } from '../ledger/records.ts'

export interface RunStanding {
  readonly counts: StatusCounts
  /** Of messages, where rows are grouped. */
  readonly messages?: StatusCounts | undefined
  /** Copies that are still to come. */
  readonly copiesDeferred: number
  /** When all rows that are left wait for a later time: the first and the last of these times. */
  readonly waiting: { readonly first: Date; readonly last: Date } | undefined
}

export async function standingOf(
  ledger: Ledger,
  run: Pick<RunRecord, 'id' | 'state' | 'options' | 'waitsUntil'>,
  now = new Date(),
): Promise<RunStanding> {
  const { id, state } = run
  const counts = await ledger.results.counts(id)
  const messages = await messagesOf(ledger, run)
  // A run that ended sends nothing more.
  if (state !== 'ready') return { counts, messages, copiesDeferred: 0, waiting: undefined }
  const copiesDeferred = (await ledger.carbonCopies.counts(id)).deferred
  const waiting = counts.deferred === 0 ? undefined : withHours(run, await waitingOf(ledger, id, now), now)
  return { counts, messages, copiesDeferred, waiting }
}

/** Messages of a run by their state; undefined where each row is one. */
export function messagesOf(
  { results }: Pick<Ledger, 'results'>,
  { id, options }: Pick<RunRecord, 'id' | 'options'>,
): Promise<StatusCounts> | undefined {
  return options.groupBy === undefined ? undefined : results.messageCounts(id)
}

/** Nothing goes before the sending hours that the run waits for. */
function withHours(
  { waitsUntil }: Pick<RunRecord, 'waitsUntil'>,
  rows: RunStanding['waiting'],
  now: Date,
): RunStanding['waiting'] {
  if (waitsUntil === undefined || waitsUntil <= now) return rows
  const { first = waitsUntil, last = waitsUntil } = rows ?? {}
  return { first: first > waitsUntil ? first : waitsUntil, last: last > waitsUntil ? last : waitsUntil }
}

async function waitingOf({ deliveries }: Ledger, id: string, now: Date): Promise<RunStanding['waiting']> {
  if ((await deliveries.due(id, { now, after: 0, limit: 1 })).length > 0) return undefined
  const [first, last] = [await deliveries.nextDue(id), await deliveries.lastDue(id)]
  return first === undefined || last === undefined ? undefined : { first, last }
}

export interface ReportHead {
  readonly run: RunRecord
  /** How the run rehearsed, where it sent nothing to the people of the list. */
  readonly rehearsal: 'dry-run' | 'sandbox' | 'test' | undefined
  /** Limits that held while it sent; empty where that is not known. */
  readonly rates: readonly RateLimit[]
  /** A CSV file that has all rows. */
  readonly results: string | undefined
  /** Copies that were not sent with their message, by what became of them. */
  readonly copies: CopyCounts
  /** Messages by their state, where rows are grouped: the report then says of each row which one it was sent with. */
  readonly messages: StatusCounts | undefined
  /** Counts of each variant, where the campaign is split: the report then says the variant of each row. */
  readonly variants: ReadonlyMap<string, StatusCounts> | undefined
  /** Counts of each account, where the project has several: the report then says the account of each row. */
  readonly accounts: ReadonlyMap<string, StatusCounts> | undefined
  /** Rows by the worst that came back of them, where something did: the report then says it of each row. */
  readonly bounces: ReadonlyMap<FeedbackKind, number> | undefined
}

/** Rows that a page shows; it links to the results in CSV for the others. */
export const PAGE_ROWS = 1000

/** Columns behind the others, for runs that have something to say in them. */
export type ExtraColumn = 'sent_with' | 'account' | 'variant' | 'bounce'

export async function reportHead(
  ledger: Ledger,
  runId: string,
  about: Partial<Pick<ReportHead, 'rehearsal' | 'rates' | 'results'>> = {},
): Promise<ReportHead> {
  const run = await ledger.runs.find(runId)
  if (run === undefined) throw new DefectError(`the run ${runId} is gone`)
  const variants = await ledger.results.variantCounts(runId)
  const bounces = await ledger.feedback.counts(runId)
  return {
    run,
    rehearsal: about.rehearsal,
    rates: about.rates ?? [],
    results: about.results,
    variants: variants.size === 0 ? undefined : variants,
    accounts: run.options.accounts === undefined ? undefined : await ledger.results.accountCounts(runId),
    bounces: bounces.size === 0 ? undefined : bounces,
    copies: await ledger.carbonCopies.counts(runId),
    messages: await messagesOf(ledger, run),
  }
}

/** Columns that this report has behind those that every report has. */
export function extraColumns({
  messages,
  accounts,
  variants,
  bounces,
}: Pick<ReportHead, 'messages' | 'accounts' | 'variants' | 'bounces'>): readonly ExtraColumn[] {
  return [
    ...(messages === undefined ? [] : ['sent_with' as const]),
    ...(accounts === undefined ? [] : ['account' as const]),
    ...(variants === undefined ? [] : ['variant' as const]),
    ...(bounces === undefined ? [] : ['bounce' as const]),
  ]
}
