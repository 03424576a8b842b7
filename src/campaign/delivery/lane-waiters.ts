/** Lanes that find nothing to do at the moment. Owns the one timer that wakes them; never knows what they look for. */
import type { MaybePromise } from '../../maybe-promise.ts'

export class LaneWaiters {
  #waiting: (() => void)[] = []
  #timer: NodeJS.Timeout | undefined
  #wakeAt = Number.POSITIVE_INFINITY

  /** A promise for what `retry` finds when the lane is woken: after `milliseconds` at the latest, if given. */
  wait<T>(retry: () => MaybePromise<T>, milliseconds?: number): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        try {
          resolve(retry())
        } catch (error) {
          reject(error)
        }
      })
      if (milliseconds !== undefined) this.#wakeWithin(Math.max(1, milliseconds))
    })
  }

  /** Every lane tries again, and waits again where there still is nothing. */
  wakeAll(): void {
    if (this.#waiting.length === 0) return
    this.#disarm()
    const waiting = this.#waiting
    this.#waiting = []
    for (const retry of waiting) retry()
  }

  #wakeWithin(milliseconds: number): void {
    const at = performance.now() + milliseconds
    // Another lane may have less time to wait: the earlier one counts.
    if (at >= this.#wakeAt) return
    this.#disarm()
    this.#wakeAt = at
    this.#timer = setTimeout(() => this.wakeAll(), milliseconds)
  }

  #disarm(): void {
    clearTimeout(this.#timer)
    this.#wakeAt = Number.POSITIVE_INFINITY
  }
}
