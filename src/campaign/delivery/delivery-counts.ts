/** The counts of a delivery in progress: how many rows are in each state, and how many are done per second. */
import type { RowStatus, StatusCounts } from '../../ledger/records.ts'
import type { Clock } from '../clock.ts'

/** Seconds that the shown rate looks back over. */
const WINDOW_SECONDS = 5

export class DeliveryCounts {
  readonly #counts: Record<RowStatus, number>
  readonly #clock: Clock
  readonly #marks: { at: number; done: number }[] = []
  /** Messages accepted since the start. */
  sent = 0
  /** Copies (cc, bcc) that the server refused while it accepted their message. */
  copiesRefused = 0
  #done = 0
  #retrying = 0

  constructor(counts: StatusCounts, clock: Clock) {
    this.#counts = { ...counts }
    this.#clock = clock
  }

  get counts(): StatusCounts {
    return { ...this.#counts }
  }

  /** Rows still to come. */
  get toCome(): number {
    return this.#counts.deferred
  }

  /** Rows that the server deferred and that wait for another try. */
  get retrying(): number {
    return this.#retrying
  }

  /** A row that was still to come is now in `status`; `again` says that it was tried before. */
  recordState(status: RowStatus, again: boolean): void {
    if (status === 'deferred') {
      if (!again) this.#retrying++
      return
    }
    // Rows that an earlier run deferred were not counted here.
    if (again && this.#retrying > 0) this.#retrying--
    this.#counts.deferred--
    this.#counts[status]++
    this.#done++
    if (status === 'sent') this.sent++
  }

  /** Rows per second over the last seconds. Remembers the moment of each call, so call it at intervals. */
  rate(): number {
    const at = this.#clock.monotonic()
    this.#marks.push({ at, done: this.#done })
    while (this.#marks.length > 2 && at - (this.#marks[0]?.at ?? at) > WINDOW_SECONDS * 1000) this.#marks.shift()
    const first = this.#marks[0] ?? { at, done: this.#done }
    return at > first.at ? ((this.#done - first.done) * 1000) / (at - first.at) : 0
  }
}
