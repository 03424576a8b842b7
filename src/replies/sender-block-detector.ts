/**
 * Finds out whom a refusal blames: the row, the sender, or its pace. Owns the length of a streak of refusals that blame the
 * sender; records nothing.
 */

import { causeOf, type ReplyCause } from './cause.ts'
import { answerWords, isThrottling, type Reply, type Stage } from './reply.ts'

/** Refused senders in a row before the first message was accepted. */
const SENDER_REFUSALS = 3
/** Refusals of our host or of relaying before the first message was accepted: some servers give them for single recipients. */
const HOST_REFUSALS = 10
/** Permanent policy refusals in a row. Those in flight when it is reached come on top. */
const POLICY_REFUSALS = 50

export interface RefusalBlame {
  /** Whom it blames: the row has failed or is deferred by itself; or the row is as good as before. */
  readonly blames: 'row' | 'sender' | 'pace'
  /** Why the whole run must stop. */
  readonly stop?: SenderStop
}

/** Why no row has a chance at the moment. */
export interface SenderStop {
  readonly kind: 'account' | 'login' | 'tls' | 'sender' | 'policy'
  readonly cause: ReplyCause | undefined
  /** The server's own words, with their code. */
  readonly said: string
  readonly sender: string
  /** Policy refusals in a row, for `policy`. */
  readonly streak: number
}

/** The addresses of a message that was refused. */
export interface RefusedEnvelope {
  readonly sender: string
  readonly recipient: string
}

export class SenderBlockDetector {
  #accepted = false
  #streak = 0
  #policies = 0

  accepted(): void {
    this.#accepted = true
    this.#streak = 0
    this.#policies = 0
  }

  /** Judges a reply that refused a message, for good or for now. */
  refused(reply: Reply, stage: Stage, { sender, recipient }: RefusedEnvelope): RefusalBlame {
    const account = accountStop(reply, sender)
    if (account !== undefined) return { blames: 'sender', stop: account }
    if (isThrottling(reply)) return { blames: 'pace' }
    const cause = causeOf(reply)?.cause
    const said = answerWords(reply)
    if (!this.#accepted) {
      if (cause === 'tls-needed') return { blames: 'sender', stop: { kind: 'tls', cause, said, sender, streak: 0 } }
      if (cause === 'login-needed' || reply.code === 530)
        return { blames: 'sender', stop: { kind: 'login', cause, said, sender, streak: 0 } }
    }
    if (reply.code < 500) return { blames: 'row' }
    if (!blamesSender(reply, stage) || namesRecipient(reply, cause, sender, recipient)) {
      this.#policies = 0
      return { blames: 'row' }
    }
    // A refused sender or host is refused for every row. Until the server has accepted one it is not the row's fault.
    if (!this.#accepted) {
      const longest = stage === 'mail' || (cause !== undefined && SENDER.has(cause)) ? SENDER_REFUSALS : HOST_REFUSALS
      if (stage === 'mail' || (cause !== undefined && (SENDER.has(cause) || HOST.has(cause))))
        return ++this.#streak < longest
          ? { blames: 'sender' }
          : { blames: 'sender', stop: { kind: 'sender', cause, said, sender, streak: 0 } }
    }
    return ++this.#policies < POLICY_REFUSALS
      ? { blames: 'row' }
      : { blames: 'row', stop: { kind: 'policy', cause, said, sender, streak: POLICY_REFUSALS } }
  }
}

const SENDER: ReadonlySet<ReplyCause> = new Set([
  'helo-rejected',
  'sender-unverified',
  'sender-rejected',
  'sender-not-allowed',
])
const HOST: ReadonlySet<ReplyCause> = new Set(['relay-denied', 'host-blocked', 'sender-unauthenticated'])

/** A limit or a block of the sender's account, by whatever code: no further message has a chance now. */
export function accountStop(reply: Reply, sender = ''): SenderStop | undefined {
  const cause = reply.code < 400 ? undefined : causeOf(reply)?.cause
  if (cause !== 'account-limit' && cause !== 'account-blocked') return undefined
  return { kind: 'account', cause, said: answerWords(reply), sender, streak: 0 }
}

/** Some providers verify recipients as well while an account is on trial. */
function namesRecipient(reply: Reply, cause: ReplyCause | undefined, sender: string, recipient: string): boolean {
  if (cause !== 'sender-unverified') return false
  const text = reply.text.toLowerCase()
  return text.includes(recipient.toLowerCase()) && !(sender !== '' && text.includes(sender.toLowerCase()))
}

/** True for permanent refusals that blame us (policy, spam, relaying, authentication), not this recipient. */
export function blamesSender(reply: Reply, stage: Stage): boolean {
  if (reply.code < 500 || blamesMessage(reply)) return false
  if (stage === 'mail') return true
  const cause = causeOf(reply)?.cause
  if (cause !== undefined && (SENDER.has(cause) || HOST.has(cause))) return true
  if (/^5\.(7|5|1\.[78])/.test(reply.enhanced ?? '')) return true
  return /relay|spam|blocklist|blacklist|policy|authenti/i.test(reply.text)
}

/** A recipient, a size, a number of recipients, a kind of content: also where the server says it in reply to MAIL. */
function blamesMessage({ code, enhanced = '' }: Reply): boolean {
  return code === 552 || /^5\.(1\.[0-6]|2\.\d+|3\.4|5\.3|6\.\d+)$/.test(enhanced)
}
