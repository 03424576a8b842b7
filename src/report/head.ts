/** How far a run is, read from the ledger: for lists of runs, and before the rows of a report. Owns which further columns these have. */
import { given } from '../given.ts'
import type { FeedbackKind } from '../ledger/feedback.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { CopyCounts, RunRecord, StatusCounts } from '../ledger/records.ts'

export interface RunStanding {
  readonly counts: StatusCounts
  /** Copies that are still to come. */
  readonly copiesDeferred: number
}

export async function standingOf(ledger: Ledger, { id, state }: RunRecord): Promise<RunStanding> {
  const counts = await ledger.results.counts(id)
  // A run that ended sends none.
  return { counts, copiesDeferred: state === 'ready' ? (await ledger.carbonCopies.counts(id)).deferred : 0 }
}

export interface ReportHead {
  readonly run: string
  readonly campaign: string
  readonly counts: StatusCounts
  /** Copies that were not sent with their message, by what became of them. */
  readonly copies: CopyCounts
  /** Counts of each variant, where the campaign is split: the report then says the variant of each row. */
  readonly variants?: ReadonlyMap<string, StatusCounts>
  /** Rows by the worst that came back of them, where something did: the report then says it of each row. */
  readonly bounces?: ReadonlyMap<FeedbackKind, number>
}

/** Columns behind the others, for runs that have something to say in them. */
export type ExtraColumn = 'variant' | 'bounce'

export async function reportHead(
  ledger: Ledger,
  run: { readonly id: string; readonly campaign: string },
): Promise<ReportHead> {
  const variants = await ledger.results.variantCounts(run.id)
  const bounces = await ledger.feedback.counts(run.id)
  return {
    run: run.id,
    campaign: run.campaign,
    counts: await ledger.results.counts(run.id),
    copies: await ledger.carbonCopies.counts(run.id),
    ...given({
      variants: variants.size === 0 ? undefined : variants,
      bounces: bounces.size === 0 ? undefined : bounces,
    }),
  }
}

/** Columns that this report has behind those that every report has. */
export function extraColumns({ variants, bounces }: ReportHead): readonly ExtraColumn[] {
  return [
    ...(variants === undefined ? [] : ['variant' as const]),
    ...(bounces === undefined ? [] : ['bounce' as const]),
  ]
}
