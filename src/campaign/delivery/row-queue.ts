/**
 * The rows whose turn it is, fetched from the ledger a few at a time. Owns which rows are buffered and which are handed out, so
 * that no row is handed out twice; never sends and never records.
 */
import type { Ledger } from '../../ledger/ledger.ts'
import type { DueRow, SkipReason } from '../../ledger/records.ts'
import { normalizeAddress } from '../../message/address/address.ts'
import type { Clock } from '../clock.ts'
import { DomainGate, type DomainLimits } from './domain-limits.ts'

const FETCH_ROWS = 500
const FETCH_BYTES = 4_000_000
/** In a long run, rows whose second try is due do not wait for the end of the list. */
const REWIND_MS = 60_000

export interface RowQueueOptions {
  readonly ledger: Pick<Ledger, 'deliveries' | 'suppressions'>
  readonly runId: string
  readonly clock: Clock
  readonly domains?: DomainLimits | undefined
  /** Called with rows that must no longer be written to; the queue has dropped them. */
  suppressed(rows: readonly { readonly row: DueRow; readonly skip: SkipReason }[]): void
  readonly group: string
  /** Rows that must not be written to for another reason, by recipient; asked when they are fetched. */
  readonly stopped?: ((rows: readonly DueRow[]) => Promise<ReadonlyMap<number, SkipReason>>) | undefined
}

export class RowQueue {
  readonly #options: RowQueueOptions
  readonly #gate: DomainGate
  /** Rows that came back untouched go first. */
  #again: DueRow[] = []
  #rows: DueRow[] = []
  #head = 0
  readonly #out = new Set<number>()
  #after = 0
  #drained = false
  #filling: Promise<void> | undefined
  /** Rows recorded while a fetch was under way: the fetch may have seen them as they were before. */
  readonly #stale = new Set<number>()
  #limit = FETCH_ROWS
  #mark: number | undefined
  #rechecking = false
  #rewoundAt: number

  constructor(options: RowQueueOptions) {
    this.#options = options
    this.#rewoundAt = options.clock.monotonic()
    this.#gate = new DomainGate(options.domains ?? {}, options.clock)
  }

  /** Rows fetched and not yet handed out. */
  get buffered(): number {
    return this.#again.length + this.#rows.length - this.#head + this.#gate.held
  }

  /** True when the ledger had no more rows that are due. */
  get drained(): boolean {
    return this.#drained && !this.#rechecking && this.buffered === 0
  }

  /** True when rows wait for their domain's turn. */
  get heldBack(): boolean {
    return this.#gate.held > 0
  }

  /** Milliseconds until a buffered row may go: more than 0 only when every one of them waits for its domain's rate. */
  msUntilAllowed(): number {
    if (this.#again.length > 0 || this.#head < this.#rows.length) return 0
    return this.#gate.msUntilAllowed()
  }

  /** Rows handed out and neither settled nor given back. */
  get outstanding(): number {
    return this.#out.size
  }

  /** The next row that may go now; undefined when none is buffered; the milliseconds to wait when a domain's limit holds all back. */
  next(): DueRow | number | undefined {
    const released = this.#gate.release()
    if (typeof released === 'object') return this.#hand(released)
    for (;;) {
      const row = this.#again.pop() ?? this.#rows[this.#head++]
      if (row === undefined) {
        this.#rows = []
        this.#head = 0
        return released
      }
      if (this.#gate.admit(row)) return this.#hand(row)
    }
  }

  /** The row's attempt is over; its domain is free for another. */
  finished(row: DueRow): void {
    this.#gate.done(row)
  }

  /** The row's new state is durable. Only from now on does the ledger have its current state. */
  recorded(row: DueRow): void {
    this.#out.delete(row.recipient)
    if (this.#filling !== undefined) this.#stale.add(row.recipient)
  }

  /** The row was not tried: it goes again, at once. */
  giveBack(row: DueRow): void {
    this.#gate.done(row)
    this.#out.delete(row.recipient)
    this.#again.push(row)
  }

  /** Starts over from the first row: retries may be due. */
  rewind(): void {
    this.#after = 0
    this.#drained = false
    this.#rewoundAt = this.#options.clock.monotonic()
  }

  /** Fetches more when little is left. Cheap to call often. */
  fill(): Promise<void> | undefined {
    if (this.#filling !== undefined) return this.#filling
    if (this.#rechecking || this.#drained || this.buffered >= this.#limit / 2) return undefined
    if (this.#options.clock.monotonic() - this.#rewoundAt > REWIND_MS) this.rewind()
    this.#filling = this.#fetch().finally(() => {
      this.#filling = undefined
      this.#stale.clear()
    })
    return this.#filling
  }

  /**
   * Checks for new suppressions and drops the buffered rows that have one. `changed` is called first, to give back the messages
   * made of them. True when the suppressions had changed.
   */
  async recheck(changed: () => void): Promise<boolean> {
    if (this.#rechecking) return false
    const mark = await this.#options.ledger.suppressions.version()
    // A fetch in progress must find the buffered rows where they are, or it would take them for new ones.
    while (this.#filling !== undefined) await this.#filling
    if (mark === this.#mark || this.#rechecking) return false
    this.#rechecking = true
    try {
      changed()
      const waiting = [...this.#again, ...this.#rows.slice(this.#head), ...this.#gate.drainHeld()]
      this.#again = []
      this.#rows = []
      this.#head = 0
      const allowed = await this.#withoutSuppressed(waiting)
      this.#rows = [...allowed, ...this.#rows.slice(this.#head)]
      this.#head = 0
      this.#mark = mark
    } finally {
      this.#rechecking = false
    }
    return true
  }

  #hand(row: DueRow): DueRow {
    this.#out.add(row.recipient)
    return row
  }

  async #fetch(): Promise<void> {
    const { ledger, runId, clock } = this.#options
    this.#mark ??= await ledger.suppressions.version()
    const found = await ledger.deliveries.due(runId, { now: clock.now(), after: this.#after, limit: this.#limit })
    const last = found.at(-1)
    if (last !== undefined) this.#after = last.row
    if (found.length < this.#limit) this.#drained = true
    const bytes = found.reduce((sum, row) => sum + row.data.length, 0)
    if (found.length > 0) {
      this.#limit = Math.max(8, Math.min(FETCH_ROWS, Math.floor(FETCH_BYTES / (bytes / found.length + 1))))
    }
    const known = new Set([...this.#again, ...this.#rows.slice(this.#head)].map((row) => row.recipient))
    const fresh = found.filter(
      ({ recipient }) =>
        !this.#out.has(recipient) &&
        !this.#stale.has(recipient) &&
        !known.has(recipient) &&
        !this.#gate.holds(recipient),
    )
    const allowed = await this.#withoutSuppressed(await this.#withoutStopped(fresh))
    this.#rows = [...this.#rows.slice(this.#head), ...allowed]
    this.#head = 0
  }

  async #withoutSuppressed(rows: readonly DueRow[]): Promise<readonly DueRow[]> {
    if (rows.length === 0) return rows
    const { ledger, group } = this.#options
    const hits = await ledger.suppressions.find(
      rows.map((row) => normalizeAddress(row.address)),
      group,
    )
    if (hits.size === 0) return rows
    return this.#without(rows, (row) => {
      const hit = hits.get(normalizeAddress(row.address))
      return hit === undefined ? undefined : { kind: 'suppressed', detail: hit.reason }
    })
  }

  async #withoutStopped(rows: readonly DueRow[]): Promise<readonly DueRow[]> {
    const stopped = rows.length === 0 ? undefined : await this.#options.stopped?.(rows)
    if (stopped === undefined || stopped.size === 0) return rows
    return this.#without(rows, ({ recipient }) => stopped.get(recipient))
  }

  #without(rows: readonly DueRow[], whyNot: (row: DueRow) => SkipReason | undefined): readonly DueRow[] {
    const dropped: { readonly row: DueRow; readonly skip: SkipReason }[] = []
    const kept = rows.filter((row) => {
      const skip = whyNot(row)
      if (skip !== undefined) dropped.push({ row, skip })
      return skip === undefined
    })
    // They are being recorded: a fetch before that is done must not see them as new.
    for (const { row } of dropped) this.#out.add(row.recipient)
    if (dropped.length > 0) this.#options.suppressed(dropped)
    return kept
  }
}
