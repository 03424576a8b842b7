/**
 * The rows of a run as they are read from the ledger, copies before them: for one account, or for all that share the load. Owns how
 * far it is read and which rows somebody has, so that none is given out twice; filters nothing and never records.
 */
import type { Ledger } from '../../ledger/ledger.ts'
import type { DueCopy, DueRow } from '../../ledger/records.ts'
import { type Clock, END_OF_TIME } from '../clock.ts'
import type { Shares } from './shares.ts'

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
/** Rows that wait for others than the one who asks, beyond which no more are read for it. */
const MOST_IN_PAGE = 5_000
/** In a long run, rows whose second try is due do not wait for the end of the list. */
const REWIND_MS = 60_000

export interface RowCursorOptions {
  readonly ledger: Pick<Ledger, 'deliveries' | 'carbonCopies'>
  readonly runId: string
  readonly clock: Clock
  /** The rows of this account alone. */
  readonly account?: string | undefined
  /** How several accounts share the rows; undefined where they are for one. */
  readonly shares?: Shares | undefined
  /** Copies that an earlier run left are due at the start of this one, whatever their time. */
  readonly copiesAtOnce: boolean
}

export class RowCursor {
  readonly #options: RowCursorOptions
  /** Fetched, and nobody's. */
  #page: Due[] = []
  /** Fetched and not yet recorded, whoever has them. */
  readonly #known = new Set<number>()
  /** Rows recorded while a fetch was under way: the fetch may have seen them as they were before. */
  readonly #stale = new Set<number>()
  #after = 0
  #afterCopy = 0
  #copiesDrained = false
  #copiesAtOnce: boolean
  #drained = false
  #limit = FETCH_ROWS
  #lookedAt: Date
  #rewoundAt: number
  #turn: Promise<unknown> = Promise.resolve()
  #fetching = false

  constructor(options: RowCursorOptions) {
    this.#options = options
    this.#copiesAtOnce = options.copiesAtOnce
    this.#rewoundAt = options.clock.monotonic()
    this.#lookedAt = options.clock.now()
  }

  /** Rows that are worth having at once: fewer where they are large, and where others want some too. */
  get limit(): number {
    return Math.min(this.#limit, this.#options.shares?.atOnce ?? this.#limit)
  }

  /** The moment up to which the rows that are due were looked for last. */
  get lookedAt(): Date {
    return this.#lookedAt
  }

  /** True when the ledger had no more rows that are due, and none is left that this account may have. */
  isDrained(account: string | undefined): boolean {
    return this.#drained && !this.#page.some((due) => this.#mayHave(due, account))
  }

  /** True while it may give some rows to the account now. */
  offers(account: string | undefined): boolean {
    const { shares } = this.#options
    if (shares === undefined || account === undefined) return !this.isDrained(account)
    const hasRoom = shares.room(account) > 0
    if (!this.#drained && hasRoom && this.#page.length < MOST_IN_PAGE) return true
    return this.#page.some((due) => (hasRoom || rowOf(due).account === account) && this.#mayHave(due, account))
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

  /** The next rows for an account: as many as it may have now. */
  take(account: string | undefined): Promise<readonly Due[]> {
    const result = this.#turn.then(() => this.#take(account))
    this.#turn = result.catch(() => {})
    return result
  }

  /** The row's new state is durable. Only from now on does the ledger have its current state. */
  recorded(due: Due): void {
    this.#known.delete(idOf(due))
    if (this.#fetching) this.#stale.add(idOf(due))
  }

  /** These were not tried, and are for whoever may have them. */
  giveBack(dues: readonly Due[]): void {
    this.#page = [...dues, ...this.#page]
  }

  async #take(account: string | undefined): Promise<readonly Due[]> {
    const { clock } = this.#options
    if (clock.monotonic() - this.#rewoundAt > REWIND_MS) this.rewind()
    const taken = this.#fromPage(account)
    if (taken.length > 0 || this.#drained) return taken
    await this.#fetch()
    return this.#fromPage(account)
  }

  #fromPage(account: string | undefined): readonly Due[] {
    const { shares } = this.#options
    if (shares === undefined || account === undefined) return this.#page.splice(0)
    const { limit } = this
    const taken: Due[] = []
    let room = shares.room(account)
    this.#page = this.#page.filter((due) => {
      const isOwn = rowOf(due).account === account
      if (taken.length >= limit || (!isOwn && room <= 0) || !this.#mayHave(due, account)) return true
      if (!isOwn) room--
      taken.push(due)
      return false
    })
    shares.take(account, taken.filter((due) => rowOf(due).account !== account).length)
    return taken
  }

  /**
   * A message of which a part is sent goes on from its account alone, as it has a sender by now. Any other that was tried goes
   * again from the same account while that one sends; then it is anybody's.
   */
  #mayHave(due: Due, account: string | undefined): boolean {
    const { shares } = this.#options
    const row = rowOf(due)
    if (shares === undefined || row.account === undefined || row.account === account) return true
    return !shares.has(row.account) || (!isBound(due) && !shares.isOpen(row.account))
  }

  async #fetch(): Promise<void> {
    this.#fetching = true
    try {
      const copies = this.#copiesDrained ? [] : await this.#fetchCopies()
      const found: readonly Due[] = this.#copiesDrained ? [...copies, ...(await this.#fetchRows())] : copies
      const bytes = found.reduce((sum, due) => sum + rowOf(due).data.length, 0)
      if (found.length > 0) {
        this.#limit = Math.max(8, Math.min(FETCH_ROWS, Math.floor(FETCH_BYTES / (bytes / found.length + 1))))
      }
      for (const due of found) {
        const id = idOf(due)
        if (this.#known.has(id) || this.#stale.has(id) || this.#isLeft(due)) continue
        this.#known.add(id)
        this.#page.push(due)
      }
    } finally {
      this.#fetching = false
      this.#stale.clear()
    }
  }

  /** Its account sends no more: it stays in the ledger, for a later run. */
  #isLeft(due: Due): boolean {
    const { account } = rowOf(due)
    const { shares } = this.#options
    return shares !== undefined && account !== undefined && isBound(due) && shares.hasStopped(account)
  }

  async #fetchCopies(): Promise<readonly Due[]> {
    const { ledger, runId, clock, account } = this.#options
    const now = this.#copiesAtOnce ? END_OF_TIME : clock.now()
    const query = { now, after: this.#afterCopy, limit: this.#limit, account }
    const copies = await ledger.carbonCopies.due(runId, query)
    this.#afterCopy = copies.at(-1)?.copy ?? this.#afterCopy
    if (copies.length < query.limit) this.#copiesDrained = true
    return copies
  }

  async #fetchRows(): Promise<readonly Due[]> {
    const { ledger, runId, clock, account } = this.#options
    const now = clock.now()
    // Rows behind this page were looked for at the rewind, and may have become due since.
    if (this.#after === 0) this.#lookedAt = now
    const query = { now, after: this.#after, limit: this.#limit, account }
    const rows = await ledger.deliveries.due(runId, query)
    this.#after = rows.at(-1)?.row ?? this.#after
    if (rows.length < query.limit) this.#drained = true
    return rows
  }
}

/** Whether it can go from its own account alone. */
function isBound(due: Due): boolean {
  return isCopy(due) || due.goesAlone === true
}
