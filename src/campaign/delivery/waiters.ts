/** Lanes that find nothing to do at the moment. Owns the one timer that wakes them; knows nothing of what they look for. */

export class Parking {
  #parked: (() => void)[] = []
  #timer: NodeJS.Timeout | undefined
  #wakeAt = Number.POSITIVE_INFINITY

  /** A promise for what `look` finds when the lane is woken: after `milliseconds` at the latest, if given. */
  park<T>(look: () => T | Promise<T>, milliseconds?: number): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#parked.push(() => {
        try {
          resolve(look())
        } catch (error) {
          reject(error)
        }
      })
      if (milliseconds !== undefined) this.#wakeWithin(Math.max(1, milliseconds))
    })
  }

  /** Everybody looks again, and parks again where there still is nothing. */
  wake(): void {
    if (this.#parked.length === 0) return
    this.#disarm()
    const parked = this.#parked
    this.#parked = []
    for (const look of parked) look()
  }

  #wakeWithin(milliseconds: number): void {
    const at = performance.now() + milliseconds
    // Another lane may have less time to wait: the earlier one counts.
    if (at >= this.#wakeAt) return
    this.#disarm()
    this.#wakeAt = at
    this.#timer = setTimeout(() => this.wake(), milliseconds)
  }

  #disarm(): void {
    clearTimeout(this.#timer)
    this.#wakeAt = Number.POSITIVE_INFINITY
  }
}
