/** How often each of many clients may do a thing: a burst, then one every few seconds. Owns the counting, in bounded memory. */

export interface BucketLimits {
  readonly burst: number
  /** Until one more is allowed. */
  readonly seconds: number
}

/** Names that are remembered; beyond it the oldest are forgotten, which errs in their favour. */
const MOST_NAMES = 10_000

export class TokenBuckets {
  readonly #limits: BucketLimits
  readonly #now: () => number
  readonly #buckets = new Map<string, { left: number; at: number }>()

  /** `now` gives milliseconds. */
  constructor(limits: BucketLimits, now: () => number) {
    this.#limits = limits
    this.#now = now
  }

  /** True when `name` may do it once more. */
  tryTake(name: string): boolean {
    const { burst, seconds } = this.#limits
    const now = this.#now()
    const bucket = this.#buckets.get(name)
    // A clock that was set back gives nothing and takes nothing.
    const gained = bucket === undefined ? burst : Math.max(0, now - bucket.at) / (seconds * 1000)
    const left = Math.min(burst, (bucket?.left ?? 0) + gained)
    if (bucket === undefined && this.#buckets.size >= MOST_NAMES) this.#forgetOldest()
    this.#buckets.set(name, { left: left >= 1 ? left - 1 : left, at: now })
    return left >= 1
  }

  #forgetOldest(): void {
    for (const name of this.#buckets.keys()) {
      this.#buckets.delete(name)
      if (this.#buckets.size < MOST_NAMES * 0.9) return
    }
  }
}
