/** Brings the rows of a plan to the ledger. Owns how many wait in memory. */
import type { Ledger } from '../../ledger/ledger.ts'
import type { PlannedRow } from '../../ledger/records.ts'

/** Rows, and bytes of them, that one transaction records. */
const RECORDED_ROWS = 1000
const RECORDED_BYTES = 2_000_000

/** Records rows many at a time, while the next ones are checked: never more than two transactions' worth in memory. */
export class Recorder {
  readonly #plans: Ledger['plans']
  readonly #runId: string
  #rows: PlannedRow[] = []
  #bytes = 0
  #recording: Promise<void> = Promise.resolve()

  constructor(plans: Ledger['plans'], runId: string) {
    this.#plans = plans
    this.#runId = runId
  }

  add(row: PlannedRow): void {
    this.#rows.push(row)
    this.#bytes += row.data.length
  }

  /** Records when there is enough for a transaction. */
  async flushFull(): Promise<void> {
    if (this.#rows.length >= RECORDED_ROWS || this.#bytes >= RECORDED_BYTES) await this.#record()
  }

  async end(): Promise<void> {
    if (this.#rows.length > 0) await this.#record()
    await this.#recording
  }

  async #record(): Promise<void> {
    await this.#recording
    this.#recording = this.#plans.add(this.#runId, this.#rows)
    // It is waited for at the next record; until then a failure must not count as unhandled.
    this.#recording.catch(() => {})
    this.#rows = []
    this.#bytes = 0
  }
}
