/**
 * Sliding windows in memory, which hold a rate exactly. Limits that outlast a run are quotas of the ledger: see `throttle.ts`.
 */
import type { RateLimit } from '../../config/settings.ts'

/** The server counts by its own clock and the wire adds jitter: a window is kept a little longer than asked. */
const MARGIN = 1.02

/** At most `count` messages or recipients in any window, judged by a monotonic clock in milliseconds. */
export class SlidingWindow {
  readonly #grants: Float64Array
  readonly #milliseconds: number
  readonly #ofRecipients: boolean
  #next = 0

  constructor(limit: RateLimit) {
    this.#grants = new Float64Array(Math.max(1, Math.floor(limit.count))).fill(Number.NEGATIVE_INFINITY)
    this.#milliseconds = limit.seconds * 1000 * MARGIN
    this.#ofRecipients = limit.of === 'recipients'
  }

  /** Milliseconds until a message to this many recipients is allowed: 0 for now, infinite for never. Counts nothing. */
  msUntilAllowed(now: number, recipients = 1): number {
    const needed = this.#ofRecipients ? recipients : 1
    if (needed > this.#grants.length) return Number.POSITIVE_INFINITY
    const last = this.#grants[(this.#next + needed - 1) % this.#grants.length] ?? Number.NEGATIVE_INFINITY
    return Math.max(0, last + this.#milliseconds - now)
  }

  /** How many messages are allowed until then, each to `recipientsEach` on average, counted up to `most`. */
  room(until: number, most: number, recipientsEach = 1): number {
    const each = this.#ofRecipients ? recipientsEach : 1
    const last = Math.min(Math.ceil(most * each), this.#grants.length)
    let free = 0
    while (free < last) {
      const grant = this.#grants[(this.#next + free) % this.#grants.length] ?? Number.NEGATIVE_INFINITY
      if (grant + this.#milliseconds > until) break
      free++
    }
    return Math.min(most, Math.floor(free / each))
  }

  /** Counts a message. */
  grant(now: number, recipients = 1): void {
    for (let left = this.#ofRecipients ? recipients : 1; left > 0; left--) {
      this.#grants[this.#next] = now
      this.#next = (this.#next + 1) % this.#grants.length
    }
  }
}

/** Several windows that must all allow a message. */
export class RateGate {
  readonly #windows: readonly SlidingWindow[]

  constructor(limits: readonly RateLimit[]) {
    this.#windows = limits.map((limit) => new SlidingWindow(limit))
  }

  msUntilAllowed(now: number, recipients = 1): number {
    let longest = 0
    for (const window of this.#windows) longest = Math.max(longest, window.msUntilAllowed(now, recipients))
    return longest
  }

  room(until: number, most: number, recipientsEach = 1): number {
    let least = most
    for (const window of this.#windows) least = window.room(until, least, recipientsEach)
    return least
  }

  grant(now: number, recipients = 1): void {
    for (const window of this.#windows) window.grant(now, recipients)
  }
}
