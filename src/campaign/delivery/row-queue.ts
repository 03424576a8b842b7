/**
 * The rows that one account has to send now, a few at a time, those of full domains held back. Owns which are buffered and which
 * are handed out; never sends and never records. Where they come from is the cursor's.
 */
import type { Ledger } from '../../ledger/ledger.ts'
import type { DueRow, SkipReason } from '../../ledger/records.ts'
import { normalizeAddress } from '../../message/address/address.ts'
import type { Clock } from '../clock.ts'
import { DomainGate, type DomainLimits, limitsDomains } from './domain-limits.ts'
import { type Due, idOf, isCopy, type RowCursor } from './row-cursor.ts'

export interface RowQueueOptions {
  readonly ledger: Pick<Ledger, 'suppressions'>
  readonly cursor: RowCursor
  /** Whose rows they are, where there are several accounts. */
  readonly account?: string | undefined
  readonly clock: Clock
  readonly domains?: DomainLimits | undefined
  /** Called with those that must no longer be written to; the queue has dropped them. */
  suppressed(dropped: readonly Dropped[]): void
  readonly group: string
  /** Rows that must not be written to for another reason, by recipient; asked when they are fetched. */
  readonly stopped?: ((rows: readonly DueRow[]) => Promise<ReadonlyMap<number, SkipReason>>) | undefined
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
  #filling: Promise<void> | undefined
  #mark: number | undefined
  #rechecking = false
  /** What comes back from now on is for other accounts. */
  #isLeft = false

  constructor(options: RowQueueOptions) {
    this.#options = options
    const { domains = {}, clock } = options
    this.#gate = limitsDomains(domains) ? new DomainGate(domains, clock) : undefined
  }

  /** Rows fetched and not yet handed out. */
  get buffered(): number {
    return this.#again.length + this.#rows.length - this.#head + this.#held
  }

  /** True when the ledger had no more rows that are due. */
  get drained(): boolean {
    const { cursor, account } = this.#options
    return !this.#rechecking && this.buffered === 0 && this.#filling === undefined && cursor.isDrained(account)
  }

  /** True when no row is here, and none can be had for now; it is not `drained` while other accounts have rows to leave. */
  get isOut(): boolean {
    const { cursor, account } = this.#options
    return !this.#rechecking && this.buffered === 0 && this.#filling === undefined && !cursor.offers(account)
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
    this.#options.cursor.recorded(due)
  }

  /** The row was not tried: it goes again, at once. */
  giveBack(due: Due): void {
    this.#gate?.done(due)
    this.#out.delete(idOf(due))
    if (this.#isLeft) this.#options.cursor.giveBack([due])
    else this.#again.push(due)
  }

  /** Starts over from the first row: retries may be due. */
  rewind(): void {
    this.#options.cursor.rewind()
  }

  /** Gives all that wait here to whoever may have them; with `forGood` also what comes back later. Gives their number. */
  leave(forGood: boolean): number {
    const left = this.#drain()
    if (forGood) this.#isLeft = true
    this.#options.cursor.giveBack(left)
    return left.length
  }

  /** Fetches more when little is left. Cheap to call often. */
  fill(): Promise<void> | undefined {
    if (this.#filling !== undefined) return this.#filling
    const { cursor, account } = this.#options
    if (this.#isLeft || this.#rechecking || this.buffered >= cursor.limit / 2 || !cursor.offers(account))
      return undefined
    this.#filling = this.#fetch().finally(() => {
      this.#filling = undefined
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
      const waiting = this.#drain()
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

  #drain(): readonly Due[] {
    const waiting = [...this.#again, ...this.#rows.slice(this.#head), ...(this.#gate?.drainHeld() ?? [])]
    this.#again = []
    this.#rows = []
    this.#head = 0
    return waiting
  }

  async #fetch(): Promise<void> {
    const { ledger, cursor, account } = this.#options
    this.#mark ??= await ledger.suppressions.version()
    const found = await cursor.take(account)
    const allowed = await this.#withoutSuppressed(await this.#withoutStopped(found))
    if (this.#isLeft) cursor.giveBack(allowed)
    else {
      this.#rows = [...this.#rows.slice(this.#head), ...allowed]
      this.#head = 0
    }
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
