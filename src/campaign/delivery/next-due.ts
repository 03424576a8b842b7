/**
 * What a delivery does once all that was due is done: it ends, waits for the next row or copy, or leaves that to a later run. Owns
 * these decisions; waits for nothing itself.
 */
import type { Ledger } from '../../ledger/ledger.ts'
import type { StopReason } from '../../report/reasons.ts'

/** The earliest times that rows and copies of the run wait for. */
export interface NextDue {
  readonly row: Date | undefined
  readonly copy: Date | undefined
}

/** Of which rows and copies: of all, of those of some accounts, or of all rows that become due after a moment. */
export interface DueScope {
  readonly after?: Date | undefined
  /** Whose rows; undefined for anybody's. */
  readonly account?: string | undefined
  /** Whose copies; undefined for anybody's. */
  readonly copiesOf?: readonly string[] | undefined
}

export async function nextDue(
  { deliveries, carbonCopies }: Pick<Ledger, 'deliveries' | 'carbonCopies'>,
  runId: string,
  { after, account, copiesOf }: DueScope = {},
): Promise<NextDue> {
  const row = await deliveries.nextDue(runId, after, account)
  let copy: Date | undefined
  for (const owner of copiesOf ?? [account]) copy = earlier(copy, await carbonCopies.nextDue(runId, owner))
  return { row, copy }
}

export type NextStep =
  /** Nothing is left to send. */
  | { readonly kind: 'end' }
  /** Something is, and not for this delivery. */
  | { readonly kind: 'halt'; readonly reason: StopReason }
  | { readonly kind: 'wait'; readonly ms: number }

export interface Patience {
  /** Milliseconds from its first attempt for which a row is tried; 0 leaves deferred rows for a later run. */
  readonly retryFor: number
  /** Milliseconds from the beginning of the delivery until which it waits; undefined for as long as it takes. */
  readonly patience: number | undefined
  /** Milliseconds since the beginning. */
  readonly waited: number
}

export function stepUntil({ row, copy }: NextDue, now: Date, { retryFor, patience, waited }: Patience): NextStep {
  const until = earlier(row, copy)
  if (until === undefined) return { kind: 'end' }
  const ms = until.getTime() - now.getTime()
  if (ms > 0 && retryFor === 0) return { kind: 'halt', reason: { kind: 'deferred' } }
  if (ms > 0 && waited + ms > (patience ?? Number.POSITIVE_INFINITY))
    return { kind: 'halt', reason: { kind: 'waiting', until } }
  return { kind: 'wait', ms }
}

/** Why nothing is sent when the row that was waited for is found more than `lateBy` milliseconds after its time. */
export function lateRow({ row }: NextDue, now: Date, lateBy = Number.POSITIVE_INFINITY): StopReason | undefined {
  return row !== undefined && row.getTime() < now.getTime() - lateBy ? { kind: 'late', startTime: row } : undefined
}

function earlier(one: Date | undefined, other: Date | undefined): Date | undefined {
  return one === undefined || (other !== undefined && other < one) ? other : one
}
