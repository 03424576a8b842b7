/**
 * Brings the due rows of a run to the accounts that send them, and every outcome to the ledger. Owns the end of the whole; knows
 * neither SMTP nor SQL, and reads the ledger only, never the source. What one account does is in `account-delivery.ts`: its
 * lanes in `lane-pool.ts`, their messages from `job-queue.ts`, and their outcomes to `outcomes.ts`.
 */

import { LoginError, MailmergeError, OutputError, UnreachableError } from '../../errors.ts'
import { given } from '../../given.ts'
import type { StatusCounts } from '../../ledger/records.ts'
import { type PauseReason, type StopReason, stopWords } from '../../report/reasons.ts'
import { steadyClock } from '../clock.ts'
import { AccountDelivery, type DeliveryContext, type SendingAccount, type WholeDelivery } from './account-delivery.ts'
import { Journal } from './outcomes.ts'
import { DeliveryCounts, type DeliveryProgress, type LanesProgress, progressOf } from './progress.ts'
import { RowCursor } from './row-cursor.ts'
import { Shares } from './shares.ts'

export interface DeliverOptions extends DeliveryContext {
  /** At least one. */
  readonly accounts: readonly SendingAccount[]
  /** Each account has rows of its own, that name it; else any row may go from any account. */
  readonly hasOwnRows?: boolean | undefined
  /** Messages that each account is to send, where several share them. */
  readonly shares?: ReadonlyMap<string, number> | undefined
  /** Of rows, before it begins. */
  readonly counts: StatusCounts
  /** Of messages, where rows are grouped. */
  readonly messages?: StatusCounts | undefined
  /** First request to stop: finish what is in flight. */
  readonly stop?: AbortSignal | undefined
  /** Second request: cut everything now. */
  readonly abort?: AbortSignal | undefined
  readonly onPaused?: ((reason: PauseReason, until?: Date, account?: string) => void) | undefined
  /** Called four times a second. */
  readonly onProgress?: ((state: DeliveryProgress, lanes: () => LanesProgress) => void) | undefined
  /** Notes that are shown once. */
  readonly onNote?: ((text: string) => void) | undefined
}

/** How a delivery ended. One with `stopped` can be resumed; `error` is set when something broke. */
export interface DeliveryEnd {
  readonly counts: StatusCounts
  /** Why it ended before the last row. */
  readonly stopped?: StopReason | undefined
  readonly error?: MailmergeError | undefined
  /** It was the ledger that broke. */
  readonly ledgerFailed?: boolean | undefined
  /** Messages accepted by this delivery. */
  readonly sent: number
  readonly seconds: number
}

const WATCH_MS = 250

/** Delivers until no row and no copy of the run is left to send, or something stops it. Never rejects because of what servers do. */
export function deliver(options: DeliverOptions): Promise<DeliveryEnd> {
  return new Delivery(options).run()
}

class Delivery implements WholeDelivery {
  readonly #options: DeliverOptions
  readonly #accounts: readonly AccountDelivery[]
  readonly #cursor: RowCursor
  readonly journal: Journal
  readonly counts: DeliveryCounts
  readonly #notes = new Set<string>()
  /** By the monotonic clock. */
  readonly #started: number
  #stopped: StopReason | undefined
  #error: MailmergeError | undefined
  #ledgerFailed = false
  #finish: () => void = () => {}

  constructor(options: DeliverOptions) {
    const { ledger, clock, accounts, shares: parts, counts, messages } = options
    this.#options = options
    this.#started = clock.monotonic()
    this.journal = new Journal(ledger.deliveries)
    this.counts = new DeliveryCounts(counts, clock, messages)
    const shares = parts && new Shares(parts)
    const hasOwnRows = options.hasOwnRows ?? false
    this.#cursor = this.#cursorFor(undefined, shares)
    this.#accounts = accounts.map((account) => {
      const cursor = hasOwnRows ? this.#cursorFor(account, undefined) : this.#cursor
      return new AccountDelivery({ account, cursor, shares, hasOwnRows, context: options, whole: this })
    })
  }

  #cursorFor(account: SendingAccount | undefined, shares: Shares | undefined): RowCursor {
    const { ledger, runId, clock, accounts } = this.#options
    const copiesAtOnce = (account ?? accounts[0])?.settings.retryFor === 0
    return new RowCursor({ ledger, runId, clock: steadyClock(clock), account: account?.name, shares, copiesAtOnce })
  }

  async run(): Promise<DeliveryEnd> {
    const { stop, abort, clock } = this.#options
    const onStop = (): void => this.haltAll({ kind: 'interrupted' })
    const onAbort = (): void => this.#cut({ kind: 'interrupted' })
    stop?.addEventListener('abort', onStop, { once: true })
    abort?.addEventListener('abort', onAbort, { once: true })
    const watch = setInterval(() => this.#watch(), WATCH_MS)
    try {
      await new Promise<void>((resolve) => {
        this.#finish = resolve
        if (abort?.aborted) onAbort()
        else if (stop?.aborted) onStop()
        for (const account of this.#accounts) account.balance()
      })
      await this.journal.sync().catch((error: unknown) => this.broken(error))
      // A run may be over before it was looked at once, and what is left of a quota changed all the same.
      if (this.#accounts.some(({ throttle }) => throttle.quotaLeft !== undefined)) this.#report()
    } finally {
      clearInterval(watch)
      for (const account of this.#accounts) account.dispose()
      stop?.removeEventListener('abort', onStop)
      abort?.removeEventListener('abort', onAbort)
    }
    const { counts } = this.counts
    return {
      counts,
      sent: this.counts.sent,
      seconds: (clock.monotonic() - this.#started) / 1000,
      ...this.#why(counts),
      ledgerFailed: this.#ledgerFailed,
    }
  }

  /** Why it ended before the last row. */
  #why({ deferred }: StatusCounts): Pick<DeliveryEnd, 'stopped' | 'error'> {
    if (this.#stopped !== undefined) return { stopped: this.#stopped, error: this.#error }
    const [first, second] = this.#accounts
    if (second === undefined) return { stopped: first?.stopped, error: this.#error ?? first?.error }
    const ends = this.#accounts.flatMap(({ account: { name = '' }, stopped, error }) =>
      stopped === undefined ? [] : [{ account: name, reason: stopped, error }],
    )
    // Others have sent what those that stopped had left.
    if (ends.length === 0 || (deferred === 0 && this.#cursor.isDrained(undefined))) return {}
    const rests = ends.filter(({ reason: { kind } }) => kind === 'deferred' || kind === 'waiting')
    if (rests.length === ends.length) return { stopped: earliest(rests.map(({ reason }) => reason)) }
    const stopped: StopReason = {
      kind: 'accounts',
      accounts: ends.map(({ account, reason }) => ({ account, reason })),
      isAll: ends.length === this.#accounts.length,
    }
    return {
      stopped,
      error:
        this.#error ??
        accountsError(
          stopped,
          ends.map(({ error }) => error),
        ),
    }
  }

  // ---- for the accounts --------------------------------------------------------------------------------------------

  get stopping(): boolean {
    return this.#stopped !== undefined || this.journal.failure !== undefined
  }

  haltAll(reason: StopReason, error?: MailmergeError): void {
    if (this.#stopped !== undefined) return
    this.#stopped = reason
    this.#error ??= error
    for (const account of this.#accounts) account.halt(reason)
    this.settled()
  }

  broken(error: unknown): void {
    this.#ledgerFailed = true
    this.#error =
      error instanceof MailmergeError ? error : new OutputError('the ledger cannot be written', { cause: error })
    this.#cut({ kind: 'error', said: this.#error.message })
  }

  paused(reason: PauseReason, until: Date | undefined, account: string | undefined): void {
    const isOne = this.#accounts.length === 1
    this.#options.onPaused?.(reason, until, isOne ? undefined : account)
  }

  note(text: string): void {
    if (this.#notes.has(text)) return
    this.#notes.add(text)
    this.#options.onNote?.(text)
  }

  settled(): void {
    if (this.#accounts.every(({ isSettled }) => isSettled)) this.#finish()
    // One that waited for what others would leave sees that nothing is coming.
    else for (const account of this.#accounts) if (!account.isSettled) account.changed()
  }

  async handOver(from: AccountDelivery): Promise<void> {
    // Only then does the ledger say of each row whether it is still to be sent.
    await this.journal.sync().catch((error: unknown) => this.broken(error))
    if (this.stopping) return
    this.#cursor.rewind()
    for (const account of this.#accounts) if (account !== from) account.wake()
  }

  /** Cuts every lane now. */
  #cut(reason: StopReason): void {
    this.#stopped ??= reason
    for (const account of this.#accounts) account.cut(reason)
    this.settled()
  }

  /** Four times a second: suppressions of other processes, quotas, progress. */
  #watch(): void {
    for (const account of this.#accounts) account.watch()
    this.#report()
  }

  #report(): void {
    const { onProgress } = this.#options
    const lanes = this.#accounts.reduce((sum, account) => sum + account.lanes, 0)
    const [first, second] = this.#accounts
    // Several accounts have limits of their own, which add up to none.
    const limits = second === undefined ? (first?.account.settings.rates ?? []) : []
    const throttle = second === undefined ? first?.throttle : undefined
    const held = throttle ?? { quotaLeft: undefined, recipientsEach: 1 }
    onProgress?.(progressOf(this.counts, lanes, limits, held), () => together(this.#accounts))
  }
}

/** The lanes of all accounts, one after the other. */
function together(accounts: readonly AccountDelivery[]): LanesProgress {
  let before = 0
  const all = accounts.map((one) => {
    const progress = one.progress()
    const lanes = progress.lanes.map((lane) => ({ ...lane, place: lane.place + before, account: one.account.name }))
    before += progress.most
    return { ...progress, lanes }
  })
  return {
    lanes: all.flatMap(({ lanes }) => lanes),
    most: before,
    isHeldBack: all.some(({ isHeldBack }) => isHeldBack),
  }
}

/** Of reasons that wait for a time: the one with the earliest, where they know it. */
function earliest(reasons: readonly StopReason[]): StopReason | undefined {
  const times = reasons.flatMap((reason) => (reason.kind === 'waiting' ? [reason.until.getTime()] : []))
  return times.length < reasons.length
    ? reasons.find(({ kind }) => kind !== 'waiting')
    : { kind: 'waiting', until: new Date(Math.min(...times)) }
}

/** What broke all accounts in the same way breaks the run in that way; else the run can be resumed. */
function accountsError(
  reason: Extract<StopReason, { kind: 'accounts' }>,
  errors: readonly (MailmergeError | undefined)[],
): MailmergeError | undefined {
  if (!reason.isAll) return undefined
  const [first, ...others] = errors
  if (first === undefined || others.some((error) => error?.exitCode !== first.exitCode)) return undefined
  const details = { hint: first.hint, cause: first }
  if (first instanceof LoginError) return new LoginError(stopWords(reason), given(details))
  return first instanceof UnreachableError ? new UnreachableError(stopWords(reason), given(details)) : undefined
}
