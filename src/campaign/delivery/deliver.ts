/**
 * Brings the due rows of a run to a transport, lane by lane, and every outcome to the ledger. Owns waiting and stopping; knows
 * neither SMTP nor SQL, and reads the ledger only, never the source. Lanes are in `lane-pool.ts`, their messages come from
 * `job-queue.ts`, and their outcomes go to `outcomes.ts`.
 */

import type { DeliverySettings } from '../../config/settings.ts'
import { MailmergeError, OutputError } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { DueRow, ResultRow, SkipReason, StatusCounts } from '../../ledger/records.ts'
import type { MaybePromise } from '../../maybe-promise.ts'
import type { Message } from '../../message/message.ts'
import { namedWait } from '../../replies/named-wait.ts'
import type { Reply } from '../../replies/reply.ts'
import type { PauseReason, StopReason } from '../../report/reasons.ts'
import type { Transport } from '../../transport/transport.ts'
import { type Clock, steadyClock } from '../clock.ts'
import type { DeliveryControl } from './delivery-control.ts'
import { JobQueue } from './job-queue.ts'
import { CircuitBreaker, LaneCountController, LanePool } from './lane-pool.ts'
import { lateRow, nextDue, stepUntil } from './next-due.ts'
import { Journal, Outcomes } from './outcomes.ts'
import { DeliveryCounts, type DeliveryProgress, type LanesProgress, progressOf } from './progress.ts'
import { RowQueue } from './row-queue.ts'
import { Throttle } from './throttle.ts'

export interface DeliverOptions {
  readonly ledger: Pick<Ledger, 'deliveries' | 'carbonCopies' | 'suppressions' | 'quotas'>
  readonly runId: string
  readonly transport: Transport
  /** Rows become messages here: pure for the same row and moment. */
  readonly prepare: (due: DueRow, date: Date) => MaybePromise<Message>
  readonly settings: DeliverySettings
  /** Quotas are shared by all that send through the same account. */
  readonly account: string
  /** Suppression group of the campaign. */
  readonly group: string
  /** Of rows whose turn has come, those that must not be sent any more: the reason by recipient. */
  readonly stopped?: ((rows: readonly DueRow[]) => Promise<ReadonlyMap<number, SkipReason>>) | undefined
  /** Rows with a start time are not sent by themselves when they are found this many milliseconds after it. */
  readonly lateBy?: number | undefined
  /** Ends when the next row is to be sent later than this many milliseconds after the beginning; without it, it waits. */
  readonly patience?: number | undefined
  /** Of rows, before it begins. */
  readonly counts: StatusCounts
  /** Of messages, where rows are grouped. */
  readonly messages?: StatusCounts | undefined
  readonly clock: Clock
  /** First request to stop: finish what is in flight. */
  readonly stop?: AbortSignal | undefined
  /** Second request: cut everything now. */
  readonly abort?: AbortSignal | undefined
  readonly onSettled?: ((row: ResultRow, due: DueRow) => void) | undefined
  readonly onPaused?: ((reason: PauseReason, until?: Date) => void) | undefined
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

/** A server may be away for as long as a row is tried, and at least this long. */
const OUTAGE_MS = 30 * 60_000
/** A quota that opens later than this ends the run; it can be resumed. One of an hour is waited for. */
const LONGEST_QUOTA_WAIT_MS = 90 * 60_000
/** A shorter wait for a quota is not reported. */
const SHORTEST_PAUSE_MS = 5_000
const WATCH_MS = 250
const GATHER_MS = 2_000
/** While rows wait for their start time the ledger is asked again this often: another process may have moved them. */
const LONGEST_SLEEP_MS = 60_000

/** Delivers until no row and no copy of the run is left to send, or something stops it. Never rejects because of what servers do. */
export function deliver(options: DeliverOptions): Promise<DeliveryEnd> {
  return new Delivery(options).run()
}

class Delivery implements DeliveryControl {
  readonly #options: DeliverOptions
  readonly #clock: Clock
  readonly #steady: Clock
  readonly #journal: Journal
  readonly #queue: RowQueue
  readonly #laneCount: LaneCountController
  readonly #throttle: Throttle
  readonly #breaker: CircuitBreaker
  readonly #counts: DeliveryCounts
  readonly #jobs: JobQueue
  readonly #outcomes: Outcomes
  readonly #lanes: LanePool
  readonly #notes = new Set<string>()
  /** By the monotonic clock. */
  readonly #started: number
  #alarm: NodeJS.Timeout | undefined
  #grace: NodeJS.Timeout | undefined
  #pause = ''
  #stopping = false
  #stopped: StopReason | undefined
  #error: MailmergeError | undefined
  #ledgerFailed = false
  #finish: () => void = () => {}

  constructor(options: DeliverOptions) {
    const { ledger, runId, settings, transport, clock, account, group, counts, messages, onSettled } = options
    this.#options = options
    this.#clock = clock
    this.#steady = steadyClock(clock)
    this.#started = clock.monotonic()
    this.#journal = new Journal(ledger.deliveries)
    this.#counts = new DeliveryCounts(counts, clock, messages)
    this.#laneCount = new LaneCountController(
      Math.min(settings.concurrency, transport.maxLanes ?? Number.POSITIVE_INFINITY),
      clock,
    )
    this.#breaker = new CircuitBreaker(clock, Math.max(settings.retryFor, OUTAGE_MS))
    this.#throttle = new Throttle({ ledger, limits: settings.rates, account, clock })
    this.#queue = new RowQueue({
      ledger,
      runId,
      clock: this.#steady,
      group,
      domains: settings.perDomain,
      stopped: options.stopped,
      suppressed: (dropped) => this.#outcomes.dropped(dropped),
      copiesAtOnce: settings.retryFor === 0,
    })
    this.#jobs = new JobQueue({
      queue: this.#queue,
      throttle: this.#throttle,
      prepare: options.prepare,
      clock,
      control: this,
      lanes: () => this.#laneCount.target,
    })
    this.#outcomes = new Outcomes({
      journal: this.#journal,
      queue: this.#queue,
      counts: this.#counts,
      settings,
      clock,
      steady: this.#steady,
      control: this,
      accepted: () => {
        this.#throttle.recordSuccess()
        if (this.#laneCount.recordSuccess()) this.#balance()
      },
      throttled: (reply) => this.#slowDown(reply),
      onSettled,
    })
    this.#lanes = new LanePool({
      transport,
      jobs: this.#jobs,
      outcomes: this.#outcomes,
      laneCount: this.#laneCount,
      breaker: this.#breaker,
      control: this,
      clock,
      throttled: (reply) => this.#slowDown(reply),
      outage: (reason, error) => this.#outage(reason, error),
    })
  }

  async run(): Promise<DeliveryEnd> {
    const { stop, abort } = this.#options
    const onStop = (): void => this.halt({ kind: 'interrupted' })
    const onAbort = (): void => this.#cut({ kind: 'interrupted' })
    stop?.addEventListener('abort', onStop, { once: true })
    abort?.addEventListener('abort', onAbort, { once: true })
    const watch = setInterval(() => this.#watch(), WATCH_MS)
    try {
      await new Promise<void>((resolve) => {
        this.#finish = resolve
        if (abort?.aborted) onAbort()
        else if (stop?.aborted) onStop()
        this.#balance()
      })
      await this.#journal.sync().catch((error: unknown) => this.broken(error))
    } finally {
      clearInterval(watch)
      clearTimeout(this.#alarm)
      clearTimeout(this.#grace)
      stop?.removeEventListener('abort', onStop)
      abort?.removeEventListener('abort', onAbort)
    }
    return {
      counts: this.#counts.counts,
      sent: this.#counts.sent,
      seconds: (this.#clock.monotonic() - this.#started) / 1000,
      stopped: this.#stopped,
      error: this.#error,
      ledgerFailed: this.#ledgerFailed,
    }
  }

  // ---- lanes -------------------------------------------------------------------------------------------------------

  /** Opens lanes while there is work for them, and detects the end. Called whenever something changed. */
  #balance(): void {
    if (!this.#stopping) {
      void this.#jobs.refill()
      const now = this.#clock.monotonic()
      const waiting = this.#jobs.waiting
      if (waiting > 0 && this.#breaker.msUntilRetry(now) === 0 && this.#jobs.msUntilAllowed(now) <= this.#jobs.idleMs) {
        const room = this.#throttle.room(now + this.#jobs.idleMs, Math.min(waiting, this.#laneCount.target))
        // At least one lane is opened, to find out what the next message needs.
        this.#lanes.openFor(Math.max(1, this.#queue.outstanding - this.#jobs.made + room))
      }
    }
    if (this.#lanes.empty && this.#jobs.making === 0) this.#idle()
  }

  /** The server complained about the rate: fewer lanes, all of them slower. */
  #slowDown({ code, text }: Reply): void {
    this.#laneCount.recordThrottling(this.#lanes.size)
    const pause = this.#throttle.recordThrottling(this.#clock.monotonic(), namedWait(text))
    if (pause !== undefined) this.paused({ kind: 'slow-down', said: `${code} ${text}` }, this.#in(pause))
  }

  /** The server is away: wait with growing gaps, and give up resumably after a long while. */
  #outage(reason: string, error?: MailmergeError): void {
    const gap = this.#breaker.recordFailure()
    if (gap === undefined) this.halt({ kind: 'outage', said: reason }, error)
    else this.paused({ kind: 'outage', said: reason }, this.#in(gap))
  }

  // ---- waiting -----------------------------------------------------------------------------------------------------

  /** No lane is open: wait for the next row, or end. */
  #idle(): void {
    if (this.#stopping) {
      this.#finish()
      return
    }
    const now = this.#clock.monotonic()
    if (this.#jobs.waiting > 0) {
      const closed = this.#throttle.closedFor(now)
      if (closed > SHORTEST_PAUSE_MS) this.paused({ kind: 'quota', quota: this.#throttle.quotaLeft }, this.#in(closed))
      this.#later(Math.max(this.#breaker.msUntilRetry(now), this.#jobs.msUntilAllowed(now)), () => this.#balance())
    } else if (this.#jobs.drained) void this.#awaitRetries()
  }

  /** All buffered rows are done: deferred ones may be due later. */
  async #awaitRetries(): Promise<void> {
    const { ledger, runId, settings, patience, lateBy } = this.#options
    try {
      await this.#journal.sync()
      if (this.#busy) return
      const due = await nextDue(ledger, runId)
      if (this.#busy) return
      const waited = this.#clock.monotonic() - this.#started
      const next = stepUntil(due, this.#steady.now(), { retryFor: settings.retryFor, patience, waited })
      if (next.kind === 'end') {
        this.#stopping = true
        this.#finish()
        return
      }
      if (next.kind === 'halt') {
        this.halt(next.reason)
        return
      }
      if (next.ms > 0) this.paused({ kind: 'deferred' }, this.#in(next.ms))
      // Rows that were deferred one after the other come back together, over the same lanes.
      this.#later(next.ms > 0 ? next.ms + GATHER_MS : 5, () => {
        // The machine may have slept meanwhile.
        const late = lateRow(due, new Date(this.#steady.now().getTime() - GATHER_MS), lateBy)
        if (late !== undefined) {
          this.halt(late)
          return
        }
        this.#queue.rewind()
        this.#balance()
      })
    } catch (error) {
      this.broken(error)
    }
  }

  get #busy(): boolean {
    return this.#stopping || !this.#lanes.empty || !this.#jobs.drained || this.#queue.outstanding > 0
  }

  #later(milliseconds: number, wake: () => void): void {
    clearTimeout(this.#alarm)
    this.#alarm = setTimeout(wake, Math.min(Math.max(milliseconds, 1), LONGEST_SLEEP_MS))
  }

  #in(milliseconds: number): Date {
    return new Date(this.#clock.now().getTime() + milliseconds)
  }

  // ---- control, for the parts --------------------------------------------------------------------------------------

  get stopping(): boolean {
    return this.#stopping || this.#journal.failure !== undefined
  }

  changed(): void {
    this.#jobs.wake()
    this.#balance()
  }

  paused(reason: PauseReason, until?: Date): void {
    const second = until === undefined ? '' : Math.round(until.getTime() / 1000)
    const pause = `${JSON.stringify(reason)} ${second}`
    if (pause === this.#pause) return
    this.#pause = pause
    this.#options.onPaused?.(reason, until)
  }

  note(text: string): void {
    if (this.#notes.has(text)) return
    this.#notes.add(text)
    this.#options.onNote?.(text)
  }

  /** No new message; what is in flight is finished, within the grace. */
  halt(reason: StopReason, error?: MailmergeError): void {
    if (this.#stopping) return
    if (error !== undefined) this.#error ??= error
    this.#stop(reason)
    this.#grace = setTimeout(() => this.#cut(reason), this.#options.settings.grace)
    this.changed()
  }

  broken(error: unknown): void {
    this.#ledgerFailed = true
    this.#error =
      error instanceof MailmergeError ? error : new OutputError('the ledger cannot be written', { cause: error })
    this.#cut({ kind: 'error', said: this.#error.message })
  }

  #stop(reason: StopReason): void {
    this.#stopping = true
    this.#stopped = reason
    this.#lanes.stopOpening()
    this.#jobs.putBack()
  }

  /** Cuts every lane now. */
  #cut(reason: StopReason): void {
    if (!this.#stopping) this.#stop(reason)
    this.#lanes.abort()
    this.changed()
  }

  /** Four times a second: suppressions of other processes, quota, progress. */
  #watch(): void {
    if (!this.#stopping) {
      this.#queue
        .recheck(() => this.#jobs.putBack())
        .then(
          (changed) => {
            if (changed) this.changed()
          },
          (error: unknown) => this.broken(error),
        )
      const { closedUntil } = this.#throttle
      if (closedUntil !== undefined && this.#throttle.closedFor(this.#clock.monotonic()) > LONGEST_QUOTA_WAIT_MS)
        this.halt({ kind: 'quota', quota: this.#throttle.quotaLeft, until: closedUntil })
    }
    const { settings, onProgress } = this.#options
    onProgress?.(progressOf(this.#counts, this.#lanes.size, settings.rates, this.#throttle), () => ({
      lanes: this.#lanes.progress(),
      most: this.#laneCount.most,
      isHeldBack: this.#laneCount.isHeldBack,
    }))
  }
}
