/**
 * What a reply, or a missing one, means for the connection rather than for the message. Owns the decision how the lane ends;
 * what a reply means for a message is decided by the campaign.
 */

import { asksForLess, endsSession, hungUpOnIdle } from '../../replies/pace.ts'
import type { Reply } from '../../replies/reply.ts'
import type { Job, LaneEnd } from '../transport.ts'
import { isGroupBehind, NAMES, type PendingReply } from './pending-replies.ts'
import type { Pipelining } from './pipelining.ts'

/** How the lane ends, and what was learnt of the server. */
export interface LaneDecision {
  readonly end: LaneEnd
  /** The pipelining level that turned out to be safe. */
  readonly fallback?: { readonly level: Pipelining; readonly reason: string }
  /** How many messages the server takes per connection. */
  readonly messageLimit?: number
}

/** What a connection has done so far. */
export interface ConnectionProgress {
  /** Messages started on it. */
  readonly started: number
  /** Messages that the server accepted on it. */
  readonly accepted: number
}

/**
 * MAIL was refused. Undefined when that is about the message alone. `behindAccepted`: it went out together with the end of a
 * message that was then accepted.
 */
export function onMailRejected(
  reply: Reply,
  { started, accepted }: ConnectionProgress,
  behindAccepted: boolean,
): LaneDecision | undefined {
  if (accepted > 0 && endsSession(reply)) return { end: { kind: 'limit', reply }, messageLimit: accepted }
  if (accepted > 0 && asksForLess(reply)) return { end: { kind: 'throttled', reply } }
  // The first message of a connection finds nothing of another: what is said of it, is said of it.
  if (reply.code !== 503 || started === 1) return undefined
  const said = `${reply.code} ${reply.text}`
  if (behindAccepted) {
    // The message was taken and the group behind it was not: this server pipelines within a message only.
    return {
      end: { kind: 'protocol', reason: `the server does not accept commands behind a message: ${said}` },
      fallback: { level: 1, reason: said },
    }
  }
  // Some keep the envelope of a message that they refused. Whatever they say next is about that one.
  return { end: { kind: 'lost', reason: `the server was still in the message before: ${said}` } }
}

/** 421 may come at any time (RFC 5321 section 3.8): what the server has not taken goes elsewhere. */
export function onHangUp(reply: Reply, { accepted }: ConnectionProgress, atMail: boolean): LaneDecision {
  if (atMail && accepted > 0 && endsSession(reply)) return { end: { kind: 'limit', reply }, messageLimit: accepted }
  if (!hungUpOnIdle(reply)) return { end: { kind: 'throttled', reply } }
  return { end: { kind: 'lost', reason: `the server hung up: ${reply.code} ${reply.text}` } }
}

/** Nothing arrived in time; `awaited` is the reply that is missing, if any. */
export function onSilence(awaited: PendingReply<Job> | undefined, { accepted }: ConnectionProgress): LaneDecision {
  if (awaited === undefined) return { end: { kind: 'lost', reason: 'the server accepted no content for too long' } }
  const end = { kind: 'lost', reason: `no answer to ${NAMES[awaited.kind]} in time` } as const
  if (awaited.kind === 'end' || awaited.kind === 'quit') return { end }
  if (isGroupBehind(awaited))
    return { end, fallback: { level: 1, reason: 'the server swallowed commands behind a message' } }
  if (accepted > 0) return { end }
  return { end, fallback: { level: 0, reason: 'the server does not answer grouped commands' } }
}
