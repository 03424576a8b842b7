/**
 * From the outcome of an attempt to the state of a row or a copy, and when it is tried again. Owns the rules that a rejection is
 * final, that a deferral has a last try, and that what cannot be known is in doubt; pure.
 */
import type { DueRow, RowStatus, SkipReason } from '../../ledger/records.ts'
import { causeOf } from '../../replies/cause.ts'
import { askedWait, isThrottling, type Reply, reasonOf, type Stage } from '../../replies/reply.ts'
import { accountStop } from '../../replies/sender-block-detector.ts'
import type { CopyOutcome, Outcome } from '../../transport/transport.ts'

const MINUTE = 60_000
/** Short at first, as greylisting wants it, then patient: 1, 5, 15, 30, 60 minutes, then every two hours. */
const GAPS = [1, 5, 15, 30, 60].map((minutes) => minutes * MINUTE)
const LONGEST = 120 * MINUTE

/** Milliseconds to wait after the `attempts`-th attempt (from 1), spread by a fifth either way so that rows do not return in step. */
export function retryGap(attempts: number, random: () => number): number {
  const gap = GAPS[attempts - 1] ?? LONGEST
  return Math.round(gap * (0.8 + 0.4 * random()))
}

/**
 * Milliseconds to wait after the `failures`-th connection failure in a row (from 1): a second, doubling to a minute,
 * spread by a fifth either way.
 */
export function reconnectGap(failures: number, random: () => number): number {
  const gap = Math.min(60_000, 1000 * 2 ** Math.min(failures - 1, 10))
  return Math.round(gap * (0.8 + 0.4 * random()))
}

/** The new state of a row or a copy; `dueAt` only for `deferred`. */
export interface RowState {
  readonly status: RowStatus
  readonly reason: string
  /** For `skipped`. */
  readonly skip?: SkipReason | undefined
  readonly reply?: Reply | undefined
  readonly dueAt?: Date | undefined
  /** Copies that are in another state: from now on each goes by itself. */
  readonly copies?: readonly CopyState[] | undefined
}

export interface CopyState extends RowState {
  readonly address: string
}

/** What was tried so far of a row or a copy. */
type Tried = Pick<DueRow, 'attempts' | 'firstAttemptAt'>

export interface RetryPolicy {
  /** Milliseconds from the first attempt; 0 leaves deferred rows for a later run. */
  readonly retryFor: number
}

/**
 * Milliseconds to wait after the `attempts`-th attempt (from 1). A time that the server names is waited for, and a little longer;
 * one that is shorter than our own counts only the first time, so that a server which always names a second is not asked for hours.
 */
function waitAfter(attempts: number, reply: Reply, random: () => number): number {
  const own = retryGap(attempts, random)
  const named = askedWait(reply)
  if (named === undefined) return own
  const waited = Math.round(named * (1 + 0.1 * random())) + 1000
  return attempts === 1 ? waited : Math.max(waited, own)
}

/** A refusal that the server itself calls passing, whatever its code. */
function passes(reply: Reply): boolean {
  return (
    reply.code < 500 ||
    isThrottling(reply) ||
    accountStop(reply) !== undefined ||
    causeOf(reply)?.cause === 'greylisted'
  )
}

/** The state after a deferral by the server, `now` being the end of the attempt. */
function deferral(
  due: Tried,
  reply: Reply,
  stage: Stage,
  policy: RetryPolicy,
  now: Date,
  random: () => number,
): RowState {
  const reason = reasonOf(reply, stage)
  const first = due.firstAttemptAt ?? now
  const dueAt = new Date(now.getTime() + waitAfter(due.attempts + 1, reply, random))
  const last = first.getTime() + policy.retryFor
  if (policy.retryFor > 0 && dueAt.getTime() > last) {
    // One last try at the last moment, when that moment is still to come.
    if (last > now.getTime() + 1000) return { status: 'deferred', reason, reply, dueAt: new Date(last) }
    return { status: 'failed', reason: `given up after ${due.attempts + 1} attempts: ${reason}`, reply }
  }
  return { status: 'deferred', reason, reply, dueAt }
}

/** The state of a copy that was answered by itself: its own attempts begin with that. */
function copyState(reply: Reply | undefined, policy: RetryPolicy, now: Date, random: () => number): RowState {
  if (reply === undefined) return { status: 'in_doubt', reason: 'handed over, but the answer for it never came' }
  if (reply.code < 300) return { status: 'sent', reason: '', reply }
  // Too many for one transaction: another one may take it (RFC 5321 section 4.5.3.1.10).
  if (causeOf(reply)?.cause === 'too-many-recipients')
    return { status: 'deferred', reason: reasonOf(reply, 'rcpt'), reply, dueAt: now }
  return passes(reply)
    ? deferral({ attempts: 0 }, reply, 'rcpt', policy, now, random)
    : { status: 'failed', reason: reasonOf(reply, 'rcpt'), reply }
}

/** The states of the copies that an outcome names. */
export function copyStatesAfter(
  copies: readonly CopyOutcome[] | undefined,
  policy: RetryPolicy,
  now: Date,
  random: () => number,
): readonly CopyState[] | undefined {
  return copies?.map(({ address, reply }) => ({ address, ...copyState(reply, policy, now, random) }))
}

/** The state of a row, or of a copy on its own, after an outcome. An `unsent` row is due again at once. */
export function rowStateAfter(
  due: Tried,
  outcome: Outcome,
  policy: RetryPolicy,
  now: Date,
  random: () => number,
): RowState {
  switch (outcome.kind) {
    case 'accepted':
    case 'rejected':
    case 'deferred': {
      const copies = copyStatesAfter(outcome.copies, policy, now, random)
      return { ...answeredState(due, outcome, policy, now, random), copies }
    }
    case 'unsent':
      return { status: 'deferred', reason: outcome.reason, dueAt: now }
    case 'in_doubt':
      return { status: 'in_doubt', reason: outcome.reason }
  }
}

function answeredState(
  due: Tried,
  outcome: Extract<Outcome, { readonly reply: Reply }>,
  policy: RetryPolicy,
  now: Date,
  random: () => number,
): RowState {
  const { kind, reply } = outcome
  if (kind === 'accepted' && outcome.note !== undefined) return { status: 'sent', reason: outcome.note, reply }
  if (kind === 'accepted') return { status: 'sent', reason: '', reply }
  if (kind === 'deferred' || passes(reply)) return deferral(due, reply, outcome.stage, policy, now, random)
  return { status: 'failed', reason: reasonOf(reply, outcome.stage), reply }
}
