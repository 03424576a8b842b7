/**
 * Limits of speed. Owns the sliding windows kept in memory; windows that outlast a run (a minute or more) are kept by
 * the ledger as quotas, see `quotasOf`.
 */

import type { RateLimit } from '../../../config/settings.ts'
import { limitWords } from '../../../config/units.ts'
import type { Quota } from '../../../ledger/ledger.ts'

/** Windows this long or longer hold across runs and processes, so the ledger keeps them. */
const LEDGER_SECONDS = 60

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

  /** Milliseconds until a message to so many is allowed: 0 when it is now, infinite when it never is. Takes nothing. */
  wait(now: number, recipients = 1): number {
    const needed = this.#ofRecipients ? recipients : 1
    if (needed > this.#grants.length) return Number.POSITIVE_INFINITY
    const last = this.#grants[(this.#next + needed - 1) % this.#grants.length] ?? Number.NEGATIVE_INFINITY
    return Math.max(0, last + this.#milliseconds - now)
  }

  /** How many messages are allowed until then, each to so many on the average, counted up to `most`. */
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

  take(now: number, recipients = 1): void {
    for (let left = this.#ofRecipients ? recipients : 1; left > 0; left--) {
      this.#grants[this.#next] = now
      this.#next = (this.#next + 1) % this.#grants.length
    }
  }
}

/** Several windows that must all agree. */
export class RateGate {
  readonly #windows: readonly SlidingWindow[]

  constructor(limits: readonly RateLimit[]) {
    this.#windows = limits.map((limit) => new SlidingWindow(limit))
  }

  wait(now: number, recipients = 1): number {
    let longest = 0
    for (const window of this.#windows) longest = Math.max(longest, window.wait(now, recipients))
    return longest
  }

  room(until: number, most: number, recipientsEach = 1): number {
    let least = most
    for (const window of this.#windows) least = window.room(until, least, recipientsEach)
    return least
  }

  take(now: number, recipients = 1): void {
    for (const window of this.#windows) window.take(now, recipients)
  }
}

/** The limits that this process can keep by itself. */
export function shortLimits(limits: readonly RateLimit[]): readonly RateLimit[] {
  return limits.filter(({ seconds }) => seconds < LEDGER_SECONDS)
}

/** The limits that outlast a run, named after the account they belong to, so that all runs through it share them. */
export function quotasOf(limits: readonly RateLimit[], account: string): readonly Quota[] {
  return limits.filter(({ seconds }) => seconds >= LEDGER_SECONDS).map((limit) => ({ name: account, ...limit }))
}

/** Why a message to so many could never go, however long it waits; undefined where it can. */
export function neverGoes(limits: readonly RateLimit[], recipients: number): string | undefined {
  const limit = limits.find(({ count, of }) => of === 'recipients' && count < recipients)
  if (limit === undefined) return undefined
  return `the message has ${recipients} recipients, and the rate of ${limitWords(limit)} never lets so many through at once`
}

export const NEVER_GOES_HINT =
  'Write to fewer at once, or raise the rate: the same pace over a longer time lets it through.'
