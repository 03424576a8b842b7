/**
 * A server that is away: when it may be tried again, and when to give up. Owns the growing gaps; opens nothing itself. Only an
 * answer to a message counts as the server's return: one that greets and hangs up is still away.
 */

import type { Clock } from '../clock.ts'
import { reconnectGap } from './retry.ts'

/** A failure this long after the one before begins a new outage. */
const FORGOTTEN_MS = 10 * 60_000

export class CircuitBreaker {
  readonly #clock: Clock
  readonly #longest: number
  #failures = 0
  #since = 0
  #last = Number.NEGATIVE_INFINITY
  #closedUntil = Number.NEGATIVE_INFINITY

  /** `longest` is how many milliseconds a server may be away. */
  constructor(clock: Clock, longest: number) {
    this.#clock = clock
    this.#longest = longest
  }

  /** True until the server answers for a message again: it is tried with one lane at a time. */
  get tripped(): boolean {
    return this.#failures > 0
  }

  /** Milliseconds until the server may be tried again. */
  msUntilRetry(now: number): number {
    return Math.max(0, this.#closedUntil - now)
  }

  /** The server answered for a message. */
  recordSuccess(): void {
    this.#failures = 0
  }

  /** The server could not be used. Returns the milliseconds until the next try, or undefined when it was away for too long. */
  recordFailure(): number | undefined {
    const now = this.#clock.monotonic()
    if (this.#failures === 0 || now - this.#last > FORGOTTEN_MS) {
      this.#failures = 0
      this.#since = now
    }
    this.#last = now
    if (now - this.#since > this.#longest) return undefined
    const gap = reconnectGap(++this.#failures, this.#clock.random)
    this.#closedUntil = now + gap
    return gap
  }
}
