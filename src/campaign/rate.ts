/**
 * Limits of speed. Owns the sliding windows kept in memory; windows that outlast a run (a minute or more) are kept by
 * the ledger as quotas, see `quotasOf`.
 */
import type { RateLimit } from '../config/settings.ts'
import type { Quota } from '../ledger/ledger.ts'

/** Windows this long or longer hold across runs and processes, so the ledger keeps them. */
const LEDGER_SECONDS = 60

/** The server counts by its own clock and the wire adds jitter: a window is kept a little longer than asked. */
const MARGIN = 1.02

/** At most `count` grants in any window, judged by a monotonic clock in milliseconds. */
export class SlidingWindow {
  readonly #grants: Float64Array
  readonly #milliseconds: number
  #next = 0

  constructor(limit: RateLimit) {
    this.#grants = new Float64Array(Math.max(1, Math.floor(limit.count))).fill(Number.NEGATIVE_INFINITY)
    this.#milliseconds = limit.seconds * 1000 * MARGIN
  }

  /** Milliseconds until one more is allowed; 0 when it is now. Takes nothing. */
  wait(now: number): number {
    const oldest = this.#grants[this.#next] ?? Number.NEGATIVE_INFINITY
    return Math.max(0, oldest + this.#milliseconds - now)
  }

  /** How many are allowed until then, counted up to `most`. */
  room(until: number, most: number): number {
    const last = Math.min(most, this.#grants.length)
    for (let free = 0; free < last; free++) {
      const grant = this.#grants[(this.#next + free) % this.#grants.length] ?? Number.NEGATIVE_INFINITY
      if (grant + this.#milliseconds > until) return free
    }
    return last
  }

  take(now: number): void {
    this.#grants[this.#next] = now
    this.#next = (this.#next + 1) % this.#grants.length
  }
}

/** Several windows that must all agree. */
export class RateGate {
  readonly #windows: readonly SlidingWindow[]

  constructor(limits: readonly RateLimit[]) {
    this.#windows = limits.map((limit) => new SlidingWindow(limit))
  }

  wait(now: number): number {
    let longest = 0
    for (const window of this.#windows) longest = Math.max(longest, window.wait(now))
    return longest
  }

  room(until: number, most: number): number {
    let least = most
    for (const window of this.#windows) least = window.room(until, least)
    return least
  }

  take(now: number): void {
    for (const window of this.#windows) window.take(now)
  }
}

/** The limits that this process can keep by itself. */
export function shortLimits(limits: readonly RateLimit[]): readonly RateLimit[] {
  return limits.filter(({ seconds }) => seconds < LEDGER_SECONDS)
}

/** The limits that outlast a run, named after the account they belong to, so that all runs through it share them. */
export function quotasOf(limits: readonly RateLimit[], account: string): readonly Quota[] {
  return limits
    .filter(({ seconds }) => seconds >= LEDGER_SECONDS)
    .map(({ count, seconds }) => ({ name: account, count, seconds }))
}

const UNITS: ReadonlyMap<number, string> = new Map([
  [1, 's'],
  [60, 'min'],
  [3600, 'hour'],
  [86_400, 'day'],
])

/** A limit as it is written: `500/day`, `10/s`. */
export function limitWords({ count, seconds }: RateLimit): string {
  return `${count}/${UNITS.get(seconds) ?? `${seconds}s`}`
}
