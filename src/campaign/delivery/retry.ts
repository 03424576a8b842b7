/**
 * From the outcome of an attempt to the state of a row. Owns the rule that a refusal is for good, a deferral has a last
 * time, and that what cannot be known is in doubt; pure.
 */
import type { DueRow, RowStatus } from '../../ledger/ledger.ts'
import { reasonOf } from '../../replies/reason-text.ts'
import type { Outcome, Reply, Stage } from '../../transport/transport.ts'
import { retryGap } from './backoff.ts'

/** What becomes of a row; `dueAt` only for `deferred`. */
export interface Settlement {
  readonly status: RowStatus
  readonly reason: string
  readonly reply?: Reply
  readonly dueAt?: Date
}

export interface RetryPolicy {
  /** Milliseconds from the first attempt; 0 leaves deferred rows for a later run. */
  readonly retryFor: number
}

/** The settlement of a deferral by the server, `now` being the end of the attempt. */
function deferral(
  due: DueRow,
  reply: Reply,
  stage: Stage,
  policy: RetryPolicy,
  now: Date,
  random: () => number,
): Settlement {
  const reason = reasonOf(reply, stage)
  const first = due.firstAttemptAt ?? now
  const dueAt = new Date(now.getTime() + retryGap(due.attempts + 1, random))
  const last = first.getTime() + policy.retryFor
  if (policy.retryFor > 0 && dueAt.getTime() > last) {
    // One last try at the last moment, when that moment is still to come.
    if (last > now.getTime() + 1000) return { status: 'deferred', reason, reply, dueAt: new Date(last) }
    return { status: 'failed', reason: `given up after ${due.attempts + 1} attempts: ${reason}`, reply }
  }
  return { status: 'deferred', reason, reply, dueAt }
}

/** What an outcome makes of a row. An `unsent` row is due again at once. */
export function settlementOf(
  due: DueRow,
  outcome: Outcome,
  policy: RetryPolicy,
  now: Date,
  random: () => number,
): Settlement {
  switch (outcome.kind) {
    case 'accepted': {
      const refused = outcome.refused ?? []
      const reason = refused
        .map(({ address, reply }) => `copy to ${address} refused: ${reply.code} ${reply.text}`)
        .join('; ')
      return { status: 'sent', reason, reply: outcome.reply }
    }
    case 'rejected':
      return { status: 'failed', reason: reasonOf(outcome.reply, outcome.stage), reply: outcome.reply }
    case 'deferred':
      return deferral(due, outcome.reply, outcome.stage, policy, now, random)
    case 'unsent':
      return { status: 'deferred', reason: outcome.reason, dueAt: now }
    case 'in_doubt':
      return { status: 'in_doubt', reason: outcome.reason }
  }
}
