/** How many of something happened when. Owns a count that stays exact and small, however many there are and however long it took. */

/** Seconds that one count covers; each divides the next. */
const WIDTHS = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 21_600, 86_400]

const MOST = 4096

export class Timeline {
  /** By the number of whole widths since 1970. */
  #counts = new Map<number, number>()
  #level = 0
  #first = Number.POSITIVE_INFINITY
  #last = Number.NEGATIVE_INFINITY
  #total = 0

  add(at: Date): void {
    const time = at.getTime()
    this.#first = Math.min(this.#first, time)
    this.#last = Math.max(this.#last, time)
    this.#total += 1
    this.#count(Math.floor(time / (1000 * this.width)), 1)
  }

  get total(): number {
    return this.#total
  }

  /** Of the first and the last; undefined while there is none. */
  get span(): { readonly first: Date; readonly last: Date } | undefined {
    return this.#total === 0 ? undefined : { first: new Date(this.#first), last: new Date(this.#last) }
  }

  /** Seconds within which the moment of one is known. */
  get width(): number {
    return WIDTHS[this.#level] ?? 86_400
  }

  /** Counts for intervals of that many seconds, from `start` on to the last; what is known less exactly counts where it begins. */
  intervals(start: Date, seconds: number): number[] {
    const from = start.getTime() / 1000
    const count = Math.max(1, Math.floor((this.#last / 1000 - from) / seconds) + 1)
    const intervals = new Array<number>(count).fill(0)
    for (const [bucket, number] of this.#counts) {
      const index = Math.max(0, Math.floor((bucket * this.width - from) / seconds))
      intervals[Math.min(index, count - 1)] = (intervals[Math.min(index, count - 1)] ?? 0) + number
    }
    return intervals
  }

  #count(bucket: number, number: number): void {
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + number)
    if (this.#counts.size <= MOST || this.#level === WIDTHS.length - 1) return
    const before = this.#counts
    const old = this.width
    this.#level += 1
    this.#counts = new Map()
    for (const [index, count] of before) this.#count(Math.floor((index * old) / this.width), count)
  }
}
