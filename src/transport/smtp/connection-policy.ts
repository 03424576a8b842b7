/**
 * What one connection is used for and when it ends: how far commands run ahead of their replies, how many messages it carries,
 * and what a reply, or a missing one, means for it. Owns these decisions; sends nothing, and what a reply means for a message
 * is decided by the campaign.
 */
import { domainOf } from '../../message/address/address.ts'
import { asksForLess, endsSession, hungUpOnIdle, type Reply } from '../../replies/reply.ts'
import type { Job, LaneEnd, ServerTraits } from '../transport.ts'
import type { Extensions } from './connect/extensions.ts'
import { COMMAND_NAMES, isGroupBehind, type PendingReply } from './dialogue.ts'

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
  const end = { kind: 'lost', reason: `no answer to ${COMMAND_NAMES[awaited.kind]} in time` } as const
  if (awaited.kind === 'end' || awaited.kind === 'quit') return { end }
  if (isGroupBehind(awaited))
    return { end, fallback: { level: 1, reason: 'the server swallowed commands behind a message' } }
  if (accepted > 0) return { end }
  return { end, fallback: { level: 0, reason: 'the server does not answer grouped commands' } }
}

export interface LimitSettings {
  readonly messages?: number | undefined
  readonly recipients?: number | undefined
}

/** Servers count RSETs against a client: one for this many messages; where more are needed, a new connection is opened. */
const MESSAGES_PER_RESET = 20
const NO_LIMIT = Number.POSITIVE_INFINITY

/**
 * How much one connection may be used for: messages, recipients, domains and RSETs, each limited by the settings, by what was
 * learnt of the server and by its LIMITS (RFC 9422).
 */
export class ConnectionLimits {
  readonly #messages: number
  readonly #recipients: number
  readonly #domains: number
  readonly #domainsSeen = new Set<string>()
  #started = 0
  #recipientsUsed = 0
  #mostRecipients = 1
  #resets = 0
  #resetDue = false

  constructor({ messages = NO_LIMIT, recipients = NO_LIMIT }: LimitSettings, offered: Extensions) {
    this.#messages = Math.min(messages, offered.maxMessages ?? NO_LIMIT)
    this.#recipients = recipients
    this.#domains = offered.maxDomains ?? NO_LIMIT
  }

  /** Messages started on this connection. */
  get started(): number {
    return this.#started
  }

  /** An RSET must precede the next message. */
  get resetDue(): boolean {
    return this.#resetDue
  }

  /** Counts a message, and the RSET before it where one is due. */
  start(recipients: readonly string[]): void {
    if (this.#resetDue) this.#resets++
    this.#resetDue = false
    this.#started++
    this.#recipientsUsed += recipients.length
    this.#mostRecipients = Math.max(this.#mostRecipients, recipients.length)
    if (this.#domains === NO_LIMIT) return
    for (const address of recipients) this.#domainsSeen.add(domainOf(address))
  }

  /** The server is still in the middle of a message. */
  requireReset(): void {
    this.#resetDue = true
  }

  /** Why this connection should be given no further message, though the server has not said so. */
  usedUp(): string | undefined {
    if (this.#started >= this.#messages) return `${this.#messages} messages a connection`
    // The next message is assumed to have as many recipients as the largest before it; one with more goes all the same.
    if (this.#started > 0 && this.#recipientsUsed + this.#mostRecipients > this.#recipients)
      return `${this.#recipients} recipients a connection`
    if (this.#domainsSeen.size >= this.#domains) return `${this.#domains} domains a connection`
    if (this.#resetDue && this.#resets >= Math.max(1, Math.ceil(this.#started / MESSAGES_PER_RESET)))
      return 'a fresh connection instead of one more RSET'
    return undefined
  }
}

/**
 * How far commands may run ahead of their replies: 0 one at a time, 1 the envelope of one message in a group, 2 the end of a
 * message together with the envelope of the next.
 */
export type Pipelining = 0 | 1 | 2

/** A server that went wrong may have been fixed after a week. */
const REMEMBERED_MS = 7 * 86_400_000

export function pickLevel(allowed: Pipelining, offered: boolean, lmtp: boolean): Pipelining {
  if (!offered) return 0
  // LMTP answers once a recipient: one message at a time keeps that simple, and its server is near.
  return lmtp && allowed > 1 ? 1 : allowed
}

/** The level that settings and memory allow together: the lower one. */
export function allowedLevel(setting: 'auto' | Pipelining, memory: ServerTraits, now: Date): Pipelining {
  const wanted = setting === 'auto' ? 2 : setting
  const { pipelining, pipeliningUntil } = memory
  if (pipelining === undefined || (pipeliningUntil !== undefined && pipeliningUntil <= now)) return wanted
  return lower(pipelining, wanted)
}

export function fallenBack(memory: ServerTraits, level: Pipelining, now: Date): ServerTraits {
  const { pipelining, pipeliningUntil } = memory
  const known = pipeliningUntil === undefined || pipeliningUntil > now ? (pipelining ?? 2) : 2
  const until = new Date(now.getTime() + REMEMBERED_MS)
  return { ...memory, pipelining: lower(known, level), pipeliningUntil: until }
}

function lower(one: Pipelining, other: Pipelining): Pipelining {
  if (one < other) return one
  return other
}
