/**
 * How much one connection may be used for: messages, recipients, domains and RSETs, each limited by the settings, by what was
 * learnt of the server and by its LIMITS (RFC 9422). Owns the counting and whether an RSET is due; sends nothing.
 */
import { domainOf } from '../../message/address/domain.ts'
import type { Extensions } from './connect/extensions.ts'

export interface LimitSettings {
  readonly messages?: number | undefined
  readonly recipients?: number | undefined
}

/** Servers count RSETs against a client: one for this many messages; where more are needed, a new connection is opened. */
const MESSAGES_PER_RESET = 20
const NO_LIMIT = Number.POSITIVE_INFINITY

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
