/**
 * How much one connection is used for: messages, recipients, domains and RSETs, each up to what settings, memory and the server's
 * LIMITS (RFC 9422) allow. Owns the counting, whether RSET is owed, and the words for what is used up; says nothing to anybody.
 */
import type { Extensions } from './connect/extensions.ts'

export interface BudgetLimits {
  readonly messages?: number
  readonly recipients?: number
}

/** Servers count RSET against a client: one in so many messages, and where more are needed we connect anew. */
const MESSAGES_PER_RESET = 20
const NO_LIMIT = Number.POSITIVE_INFINITY

export class Budget {
  readonly #messages: number
  readonly #recipients: number
  readonly #domains: number
  readonly #domainsSeen = new Set<string>()
  #started = 0
  #named = 0
  #mostNamed = 1
  #resets = 0
  #resetOwed = false

  constructor({ messages = NO_LIMIT, recipients = NO_LIMIT }: BudgetLimits, offered: Extensions) {
    this.#messages = Math.min(messages, offered.maxMessages ?? NO_LIMIT)
    this.#recipients = recipients
    this.#domains = offered.maxDomains ?? NO_LIMIT
  }

  /** Messages that were begun on this connection. */
  get started(): number {
    return this.#started
  }

  /** RSET must go before the next message. */
  get resetOwed(): boolean {
    return this.#resetOwed
  }

  /** Counts a message, and the RSET before it where one is owed. */
  start(recipients: readonly string[]): void {
    if (this.#resetOwed) this.#resets++
    this.#resetOwed = false
    this.#started++
    this.#named += recipients.length
    this.#mostNamed = Math.max(this.#mostNamed, recipients.length)
    if (this.#domains === NO_LIMIT) return
    for (const address of recipients) this.#domainsSeen.add(address.slice(address.lastIndexOf('@') + 1).toLowerCase())
  }

  /** The server was left in the middle of a message. */
  oweReset(): void {
    this.#resetOwed = true
  }

  /** Why this connection should take no further message, though the server has not said so. */
  spent(): string | undefined {
    if (this.#started >= this.#messages) return `${this.#messages} messages a connection`
    // The next message will have as many recipients as the largest before it; what has more than that goes all the same.
    if (this.#started > 0 && this.#named + this.#mostNamed > this.#recipients)
      return `${this.#recipients} recipients a connection`
    if (this.#domainsSeen.size >= this.#domains) return `${this.#domains} domains a connection`
    if (this.#resetOwed && this.#resets >= Math.max(1, Math.ceil(this.#started / MESSAGES_PER_RESET)))
      return 'a fresh connection instead of one more RSET'
    return undefined
  }
}
