/**
 * How many lanes a run may have at this moment. Owns the feedback: one lane more for each success until the server first
 * asks for less, as TCP starts (RFC 5681 section 3.1); from then on one more after as many successes as there are lanes, and
 * fewer when the server says so (the 1/N feedback that Postfix's scheduler uses by default). Opens nothing itself.
 */
import type { Clock } from '../clock.ts'

const FIRST_TARGET = 2
/** After a server asked for less, no new lane for this long; doubled each time it asks again, up to the longest. */
const HOLD_MS = 15_000
const LONGEST_HOLD_MS = 600_000

export class LaneCountController {
  readonly #max: number
  readonly #clock: Clock
  #target = 1
  #credit = 0
  #holdUntil = Number.NEGATIVE_INFINITY
  #hold = HOLD_MS

  constructor(max: number, clock: Clock) {
    this.#max = Math.max(1, max)
    this.#clock = clock
  }

  /** Lanes that may be open now. */
  get target(): number {
    return this.#target
  }

  /** The first lane got through greeting and login: the account works, others may follow. */
  recordOpened(): void {
    if (this.#target === 1 && this.#clock.monotonic() >= this.#holdUntil)
      this.#target = Math.min(FIRST_TARGET, this.#max)
  }

  /** A message was accepted. True when there may be one lane more for it. */
  recordSuccess(): boolean {
    if (this.#target >= this.#max) return false
    this.#credit += this.#holdUntil === Number.NEGATIVE_INFINITY ? 1 : 1 / this.#target
    if (this.#credit < 1 || this.#clock.monotonic() < this.#holdUntil) return false
    this.#credit = 0
    this.#target++
    return true
  }

  /** The server asked for less, or refused a further connection while `live` others worked. */
  recordThrottling(live: number): void {
    const now = this.#clock.monotonic()
    // Several lanes get the same answer at once: it counts once.
    if (now >= this.#holdUntil) {
      this.#hold = this.#holdUntil === Number.NEGATIVE_INFINITY ? HOLD_MS : Math.min(LONGEST_HOLD_MS, this.#hold * 2)
      this.#holdUntil = now + this.#hold
    }
    this.#credit = 0
    this.#target = Math.max(1, Math.min(this.#target - 1, live))
  }
}
