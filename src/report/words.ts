/** What people read for the states of runs, for refusals, and for what came back. Owns these words; decides nothing by them. */
import type { FeedbackKind } from '../ledger/feedback.ts'
import { type CopyCounts, hasRowStartTimes, type ResultRow, type RunRecord } from '../ledger/records.ts'
import { CAUSE_WORDS, type ReplyCause } from '../replies/cause.ts'
import type { RunStanding } from './head.ts'
import type { RowState } from './row-states.ts'

/** Copies that were not sent with their message, by what became of them. */
export const COPY_WORDS: Readonly<Record<keyof CopyCounts, string>> = {
  deferred: 'Waiting',
  refused: 'Refused',
  in_doubt: 'In doubt',
  sent: 'Sent later',
}

export function rowStateOf({ status, attempts }: Pick<ResultRow, 'status' | 'attempts'>): RowState {
  return status === 'deferred' && attempts === 0 ? 'to_send' : status
}

/** How a run is, for people. */
export type RunCondition =
  | { readonly kind: 'planning'; readonly atWork: boolean }
  /** Planned; it begins at that time. */
  | { readonly kind: 'not-started'; readonly startTime: Date }
  /** All that is left is to be sent from that time on. */
  | { readonly kind: 'waiting'; readonly until: Date }
  | {
      readonly kind: 'sending' | 'paused' | 'stopped' | 'finished' | 'failures' | 'in-doubt' | 'cancelled' | 'replaced'
    }

/** @param atWork A process plans or delivers the campaign now. @param newest It is the newest run of its campaign. */
export function runCondition(
  run: Pick<RunRecord, 'state' | 'notBefore' | 'begunAt' | 'requested' | 'options'>,
  { counts, copiesDeferred, waiting }: RunStanding,
  { atWork, newest }: { readonly atWork: boolean; readonly newest: boolean },
): RunCondition {
  const { state, notBefore, begunAt, requested } = run
  if (state === 'cancelled') return { kind: newest ? 'cancelled' : 'replaced' }
  if (state === 'planning') return { kind: 'planning', atWork: atWork && newest }
  if (state === 'ready' && requested === 'pause' && !atWork) return { kind: 'paused' }
  if (state === 'ready' && notBefore !== undefined && begunAt === undefined)
    return { kind: 'not-started', startTime: notBefore }
  if (waiting !== undefined) {
    if (begunAt === undefined && hasRowStartTimes(run)) return { kind: 'not-started', startTime: waiting.first }
    // What stopped and was never begun by a schedule or at a start time is resumed by nobody.
    if ((atWork && newest) || begunAt !== undefined) return { kind: 'waiting', until: waiting.first }
  }
  if (counts.deferred + copiesDeferred > 0) return { kind: atWork && newest ? 'sending' : 'stopped' }
  if (counts.in_doubt > 0) return { kind: 'in-doubt' }
  return { kind: counts.failed > 0 ? 'failures' : 'finished' }
}

const CONDITION_WORDS = {
  sending: 'Sending',
  paused: 'Paused',
  stopped: 'Stopped',
  finished: 'Finished',
  failures: 'Finished with failures',
  'in-doubt': 'Needs you (in doubt)',
  cancelled: 'Cancelled',
  replaced: 'Replaced',
} as const

/** `time` writes when a run begins, or continues. */
export function conditionWords(condition: RunCondition, time: (at: Date) => string): string {
  switch (condition.kind) {
    case 'planning':
      return condition.atWork ? 'Checking' : 'Stopped while checking'
    case 'not-started':
      return `Not started (begins ${time(condition.startTime)})`
    case 'waiting':
      return `Waiting until ${time(condition.until)}`
    default:
      return CONDITION_WORDS[condition.kind]
  }
}

export const FEEDBACK_WORDS: Readonly<Record<FeedbackKind, string>> = {
  hard: 'Bounced permanently',
  soft: 'Bounced temporarily',
  complaint: 'Complained',
  unsubscribe: 'Unsubscribed',
  auto_reply: 'Answered automatically',
  reply: 'Answered',
  delivered: 'Confirmed',
}

/** Causes that people say in other words than mail engineers. */
const PLAIN_CAUSES: Readonly<Partial<Record<ReplyCause, string>>> = {
  'mailbox-unknown': 'No such person',
  'mailbox-full': 'Mailbox is full',
  'mailbox-disabled': 'Mailbox is closed',
  'mailbox-busy': 'Mailbox gets too much mail',
  'domain-unknown': 'No such domain',
  'domain-takes-no-mail': 'Domain does not take mail',
  'message-too-large': 'Message is too large',
  greylisted: 'New senders have to wait',
  spam: 'Taken for spam',
  virus: 'Taken for a virus',
  policy: 'Message refused',
  'sender-unauthenticated': 'Sender is not proved',
  'sender-rejected': 'Server refuses this sender',
  'sender-not-allowed': 'Login may not send as this sender',
  'host-blocked': 'Server blocks this computer',
  'no-international-addresses': 'Server takes plain addresses only',
  'no-tls-on-the-way': 'No encryption on the whole way',
  rate: 'Server asks for fewer messages',
  'connection-limit': 'Too many connections at once',
  'server-trouble': 'Server does not take mail now',
}

/** Why a server refused or deferred, as a short title. */
export function causeTitle(cause: ReplyCause): string {
  return PLAIN_CAUSES[cause] ?? titled(CAUSE_WORDS[cause])
}

/** The text with a capital first letter. */
export function titled(text: string): string {
  const [first = ''] = text
  return first.toUpperCase() + text.slice(first.length)
}
