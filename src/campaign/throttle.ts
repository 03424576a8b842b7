/**
 * Whether one more message may go now: rates, quotas of the ledger, and pauses that the server asked for. Owns the
 * allowance reserved ahead; hands out nothing that was not reserved.
 */
import type { RateLimit } from '../config/settings.ts'
import type { Ledger, Quota } from '../ledger/ledger.ts'
import type { Clock } from './clock.ts'
import { RateGate, shortLimits } from './rate.ts'

export interface ThrottleOptions {
  readonly ledger: Ledger
  readonly limits: readonly RateLimit[]
  readonly quotas: readonly Quota[]
  readonly clock: Clock
}

/** While a reservation is on its way, lanes look again this soon. */
const POLL_MS = 2
const FIRST_PAUSE_MS = 5_000
const LONGEST_PAUSE_MS = 600_000

export class Throttle {
  readonly #options: ThrottleOptions
  readonly #gate: RateGate
  readonly #chunk: number
  #allowance = 0
  #reserving = false
  #closedUntil: Date | undefined
  #pausedUntil = Number.NEGATIVE_INFINITY
  #pause = FIRST_PAUSE_MS

  constructor(options: ThrottleOptions) {
    this.#options = options
    this.#gate = new RateGate(shortLimits(options.limits))
    // Slow quotas are taken one by one, so that a killed process wastes none; fast ones a tenth of a second ahead.
    const slowest = Math.min(...options.quotas.map(({ count, seconds }) => count / seconds))
    this.#chunk = Math.max(1, Math.floor(slowest / 10))
  }

  /** When the quota opens again, if it is used up. */
  get closedUntil(): Date | undefined {
    return this.#closedUntil
  }

  /** Milliseconds that no lane needs to be open for. */
  pausedFor(now: number): number {
    const closed =
      this.#closedUntil === undefined ? 0 : this.#closedUntil.getTime() - this.#options.clock.now().getTime()
    return Math.max(0, this.#pausedUntil - now, closed)
  }

  /** Milliseconds until one more message may go; 0 when it may now. */
  wait(now: number): number {
    const wait = Math.max(this.pausedFor(now), this.#gate.wait(now))
    if (wait > 0) return wait
    if (this.#options.quotas.length === 0 || this.#allowance > 0) return 0
    this.#reserve()
    return POLL_MS
  }

  take(now: number): void {
    this.#gate.take(now)
    if (this.#options.quotas.length > 0) this.#allowance--
  }

  /** The server spoke of our speed: all lanes pause, longer each time. */
  pushedBack(now: number): void {
    if (now < this.#pausedUntil) return
    this.#pausedUntil = now + this.#pause * (0.8 + 0.4 * this.#options.clock.random())
    this.#pause = Math.min(LONGEST_PAUSE_MS, this.#pause * 2)
  }

  succeeded(): void {
    if (this.#pause > FIRST_PAUSE_MS) this.#pause = Math.max(FIRST_PAUSE_MS, this.#pause * 0.99)
  }

  #reserve(): void {
    if (this.#reserving) return
    this.#reserving = true
    const { ledger, quotas, clock } = this.#options
    ledger
      .reserve(quotas, this.#chunk, clock.now())
      .then(({ granted, retryAt }) => {
        this.#allowance += granted
        this.#closedUntil = granted > 0 ? undefined : retryAt
      })
      // A ledger that fails here fails at the next record too, where it stops the run.
      .catch(() => {})
      .finally(() => {
        this.#reserving = false
      })
  }
}
