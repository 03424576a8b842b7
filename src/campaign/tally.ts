/** Counts while a delivery goes on: how many rows are in each state, and how fast they get there. */
import type { RowStatus, StatusCounts } from '../ledger/ledger.ts'
import type { Clock } from './clock.ts'

/** Seconds that the shown rate looks back over. */
const WINDOW_SECONDS = 5

export class Tally {
  readonly #counts: Record<RowStatus, number>
  readonly #clock: Clock
  readonly #marks: { at: number; done: number }[] = []
  /** Messages accepted since the start. */
  sent = 0
  #done = 0

  constructor(counts: StatusCounts, clock: Clock) {
    this.#counts = { ...counts }
    this.#clock = clock
  }

  get counts(): StatusCounts {
    return { ...this.#counts }
  }

  /** A row that was still to come is now in `status`. */
  settled(status: RowStatus): void {
    if (status === 'deferred') return
    this.#counts.deferred--
    this.#counts[status]++
    this.#done++
    if (status === 'sent') this.sent++
  }

  progress(): { counts: StatusCounts; rate: number; secondsLeft?: number } {
    const at = this.#clock.monotonic()
    this.#marks.push({ at, done: this.#done })
    while (this.#marks.length > 2 && at - (this.#marks[0]?.at ?? at) > WINDOW_SECONDS * 1000) this.#marks.shift()
    const first = this.#marks[0] ?? { at, done: this.#done }
    const rate = at > first.at ? ((this.#done - first.done) * 1000) / (at - first.at) : 0
    return {
      counts: this.counts,
      rate,
      ...(rate > 0 ? { secondsLeft: this.#counts.deferred / rate } : {}),
    }
  }
}
