/**
 * The rows whose turn it is, fetched from the ledger a few at a time, copies that wait before them. Owns which are buffered and
 * which are handed out, so that none is handed out twice; never sends and never records.
 */
import type { Ledger } from '../../ledger/ledger.ts'
import type { DueCopy, DueRow, SkipReason } from '../../ledger/records.ts'
import { normalizeAddress } from '../../message/address/address.ts'
import { type Clock, END_OF_TIME } from '../clock.ts'
import { DomainGate, type DomainLimits, limitsDomains } from './domain-limits.ts'

/** What waits for its turn: a row, or a copy (cc, bcc) that the server did not take with its message. */
export type Due = DueRow | DueCopy

export function isCopy(due: Due): due is DueCopy {
  return 'copy' in due
}

/** The row itself, or the one that a copy belongs to. */
export function rowOf(due: Due): DueRow {
  return isCopy(due) ? due.row : due
}

/** A number of its own for each row and each copy: those of copies are below zero. */
export function idOf(due: Due): number {
  return isCopy(due) ? -due.copy : due.recipient
}

const FETCH_ROWS = 500
const FETCH_BYTES = 4_000_000
/** In a long run, rows whose second try is due do not wait for the end of the list. */
const REWIND_MS = 60_000

export interface RowQueueOptions {
  readonly ledger: Pick<Ledger, 'deliveries' | 'carbonCopies' | 'suppressions'>
  readonly runId: string
  readonly clock: Clock
  readonly domains?: DomainLimits | undefined
  /** Called with those that must no longer be written to; the queue has dropped them. */
  suppressed(dropped: readonly Dropped[]): void
  readonly group: string
  /** Rows that must not be written to for another reason, by recipient; asked when they are fetched. */
  readonly stopped?: ((rows: readonly DueRow[]) => Promise<ReadonlyMap<number, SkipReason>>) | undefined
  /** Copies that an earlier run left are due at the start of this one, whatever their time. */
  readonly copiesAtOnce: boolean
}

export interface Dropped {
  readonly due: Due
  readonly skip: SkipReason
}

export class RowQueue {
  readonly #options: RowQueueOptions
  /** Undefined where no domain has a limit. */
  readonly #gate: DomainGate<Due> | undefined
  /** Those that came back untouched go first. */
  #again: Due[] = []
  #rows: Due[] = []
  #head = 0
  readonly #out = new Set<number>()
  #after = 0
  #afterCopy = 0
  #copiesDrained = false
  #copiesAtOnce: boolean
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
    this.#copiesAtOnce = options.copiesAtOnce
    this.#rewoundAt = options.clock.monotonic()
    const { domains = {}, clock } = options
    this.#gate = limitsDomains(domains) ? new DomainGate(domains, clock) : undefined
  }

  /** Rows fetched and not yet handed out. */
  get buffered(): number {
    return this.#again.length + this.#rows.length - this.#head + this.#held
  }

  /** True when the ledger had no more rows that are due. */
  get drained(): boolean {
    return this.#drained && !this.#rechecking && this.buffered === 0
  }

  /** True when rows wait for their domain's turn. */
  get heldBack(): boolean {
    return this.#held > 0
  }

  /** Milliseconds until a buffered row may go: more than 0 only when every one of them waits for its domain's rate. */
  msUntilAllowed(): number {
    if (this.#again.length > 0 || this.#head < this.#rows.length) return 0
    return this.#gate?.msUntilAllowed() ?? 0
  }

  /** Rows handed out and neither settled nor given back. */
  get outstanding(): number {
    return this.#out.size
  }

  /** The next row that may go now; undefined when none is buffered; the milliseconds to wait when a domain's limit holds all back. */
  next(): Due | number | undefined {
    const released = this.#gate?.release()
    if (typeof released === 'object') return this.#hand(released)
    for (;;) {
      const row = this.#again.pop() ?? this.#rows[this.#head++]
      if (row === undefined) {
        this.#rows = []
        this.#head = 0
        return released
      }
      if (this.#gate?.admit(row, idOf(row)) ?? true) return this.#hand(row)
    }
  }

  /** The row's attempt is over; its domain is free for another. */
  finished(due: Due): void {
    this.#gate?.done(due)
  }

  /** The row's new state is durable. Only from now on does the ledger have its current state. */
  recorded(due: Due): void {
    this.#out.delete(idOf(due))
    if (this.#filling !== undefined) this.#stale.add(idOf(due))
  }

  /** The row was not tried: it goes again, at once. */
  giveBack(due: Due): void {
    this.#gate?.done(due)
    this.#out.delete(idOf(due))
    this.#again.push(due)
  }

  /** Starts over from the first row: retries may be due. */
  rewind(): void {
    this.#after = 0
    this.#afterCopy = 0
    this.#copiesDrained = false
    this.#copiesAtOnce = false
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
      const waiting = [...this.#again, ...this.#rows.slice(this.#head), ...(this.#gate?.drainHeld() ?? [])]
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

  get #held(): number {
    return this.#gate?.held ?? 0
  }

  #hand(due: Due): Due {
    this.#out.add(idOf(due))
    return due
  }

  async #fetch(): Promise<void> {
    this.#mark ??= await this.#options.ledger.suppressions.version()
    const copies = this.#copiesDrained ? [] : await this.#fetchCopies()
    const found: readonly Due[] = this.#copiesDrained ? [...copies, ...(await this.#fetchRows())] : copies
    const bytes = found.reduce((sum, due) => sum + rowOf(due).data.length, 0)
    if (found.length > 0) {
      this.#limit = Math.max(8, Math.min(FETCH_ROWS, Math.floor(FETCH_BYTES / (bytes / found.length + 1))))
    }
    const known = new Set([...this.#again, ...this.#rows.slice(this.#head)].map(idOf))
    const fresh = found.filter((due) => {
      const id = idOf(due)
      return !this.#out.has(id) && !this.#stale.has(id) && !known.has(id) && !this.#gate?.holds(id)
    })
    const allowed = await this.#withoutSuppressed(await this.#withoutStopped(fresh))
    this.#rows = [...this.#rows.slice(this.#head), ...allowed]
    this.#head = 0
  }

  async #fetchCopies(): Promise<readonly Due[]> {
    const { ledger, runId, clock } = this.#options
    const now = this.#copiesAtOnce ? END_OF_TIME : clock.now()
    const copies = await ledger.carbonCopies.due(runId, { now, after: this.#afterCopy, limit: this.#limit })
    this.#afterCopy = copies.at(-1)?.copy ?? this.#afterCopy
    if (copies.length < this.#limit) this.#copiesDrained = true
    return copies
  }

  async #fetchRows(): Promise<readonly Due[]> {
    const { ledger, runId, clock } = this.#options
    const rows = await ledger.deliveries.due(runId, { now: clock.now(), after: this.#after, limit: this.#limit })
    this.#after = rows.at(-1)?.row ?? this.#after
    if (rows.length < this.#limit) this.#drained = true
    return rows
  }

  async #withoutSuppressed(found: readonly Due[]): Promise<readonly Due[]> {
    if (found.length === 0) return found
    const { ledger, group } = this.#options
    const hits = await ledger.suppressions.find(
      found.map((due) => normalizeAddress(due.address)),
      group,
    )
    if (hits.size === 0) return found
    return this.#without(found, (due) => {
      const hit = hits.get(normalizeAddress(due.address))
      return hit === undefined ? undefined : { kind: 'suppressed', detail: hit.reason }
    })
  }

  /** A message whose copies are still to come was sent: nothing stops them. */
  async #withoutStopped(found: readonly Due[]): Promise<readonly Due[]> {
    const rows = this.#options.stopped === undefined ? [] : found.filter((due): due is DueRow => !isCopy(due))
    const stopped = rows.length === 0 ? undefined : await this.#options.stopped?.(rows)
    if (stopped === undefined || stopped.size === 0) return found
    return this.#without(found, (due) => stopped.get(idOf(due)))
  }

  #without(found: readonly Due[], whyNot: (due: Due) => SkipReason | undefined): readonly Due[] {
    const dropped: Dropped[] = []
    const kept = found.filter((due) => {
      const skip = whyNot(due)
      if (skip !== undefined) dropped.push({ due, skip })
      return skip === undefined
    })
    // They are being recorded: a fetch before that is done must not see them as new.
    for (const { due } of dropped) this.#out.add(idOf(due))
    if (dropped.length > 0) this.#options.suppressed(dropped)
    return kept
  }
}
