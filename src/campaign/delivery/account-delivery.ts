/**
 * What one account sends of a run: its lanes, limits, waits, and why it stopped. Owns waiting and stopping of that account; the
 * whole, with all accounts, is in `deliver.ts`.
 */
import type { DeliverySettings } from '../../config/settings.ts'
import type { MailmergeError } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { DueRow, ResultRow, SkipReason } from '../../ledger/records.ts'
import type { MaybePromise } from '../../maybe-promise.ts'
import type { Message } from '../../message/message.ts'
import { answerWords, askedWait, type Reply } from '../../replies/reply.ts'
import { type PauseReason, type StopReason, stopWords } from '../../report/reasons.ts'
import type { Transport } from '../../transport/transport.ts'
import { type Clock, steadyClock } from '../clock.ts'
import type { DeliveryControl } from './delivery-control.ts'
import { JobQueue } from './job-queue.ts'
import { CircuitBreaker, LaneCountController, LanePool } from './lane-pool.ts'
import { type DueScope, lateRow, nextDue, stepUntil } from './next-due.ts'
import { type Journal, Outcomes } from './outcomes.ts'
import type { DeliveryCounts, LanesProgress } from './progress.ts'
import { type Due, isCopy, type RowCursor } from './row-cursor.ts'
import { RowQueue } from './row-queue.ts'
import type { Shares } from './shares.ts'
import { Throttle } from './throttle.ts'
import { WindowGate } from './window-gate.ts'

/** An account that takes part in a delivery. */
export interface SendingAccount {
  /** Undefined where there is one alone. */
  readonly name: string | undefined
  readonly transport: Transport
  /** Rows become messages of this account here: pure for the same row and moment. */
  readonly prepare: (due: DueRow, date: Date) => MaybePromise<Message>
  readonly settings: DeliverySettings
  /** Quotas are shared by all that send with the same login. */
  readonly quotaName: string
  /** Where each recipient has the sending hours of its own clock: the zone of a row. @throws DataError for one that has none. */
  readonly zoneOf?: ((due: DueRow) => string) | undefined
}

/** What is delivered, and what holds for all accounts. */
export interface DeliveryContext {
  readonly ledger: Pick<Ledger, 'deliveries' | 'carbonCopies' | 'suppressions' | 'quotas'>
  readonly runId: string
  /** Suppression group of the campaign. */
  readonly group: string
  /** Of rows whose turn has come, those that must not be sent any more: the reason by recipient. */
  readonly stopped?: ((rows: readonly DueRow[]) => Promise<ReadonlyMap<number, SkipReason>>) | undefined
  /** Rows with a start time are not sent by themselves when they are found this many milliseconds after it. */
  readonly lateBy?: number | undefined
  /** Ends when the next row is to be sent later than this many milliseconds after the beginning; without it, it waits. */
  readonly patience?: number | undefined
  readonly clock: Clock
  /** Zone of the run: of its calendar days, and of sending hours that name none. */
  readonly zone: string
  readonly onSettled?: ((row: ResultRow, due: DueRow) => void) | undefined
}

/** What an account may ask of the whole. */
export interface WholeDelivery {
  readonly journal: Journal
  readonly counts: DeliveryCounts
  /** All stop. */
  readonly stopping: boolean
  haltAll(reason: StopReason, error?: MailmergeError): void
  broken(error: unknown): void
  paused(reason: PauseReason, until: Date | undefined, account: string | undefined): void
  note(text: string): void
  /** An account has nothing more to do, for now. */
  settled(): void
  /** An account left rows that others may have. Resolves when they know. */
  handOver(from: AccountDelivery): Promise<void>
}

export interface AccountDeliveryOptions {
  readonly account: SendingAccount
  readonly cursor: RowCursor
  /** Where the accounts share the rows. */
  readonly shares: Shares | undefined
  /** It has rows of its own, and sends no others. */
  readonly hasOwnRows: boolean
  readonly context: DeliveryContext
  readonly whole: WholeDelivery
}

/** A server may be away for as long as a row is tried, and at least this long. */
const OUTAGE_MS = 30 * 60_000
/** A quota that opens later than this ends the run; it can be resumed. One of an hour is waited for. */
const LONGEST_QUOTA_WAIT_MS = 90 * 60_000
/** A shorter wait for a quota is not reported. */
const SHORTEST_PAUSE_MS = 5_000
const GATHER_MS = 2_000
/** While rows wait for their start time the ledger is asked again this often: another process may have moved them. */
const LONGEST_SLEEP_MS = 60_000
/** An account that waits longer than this for its server or a quota leaves its rows to the others. */
const LEFT_TO_OTHERS_MS = 1_500

export class AccountDelivery implements DeliveryControl {
  readonly #options: AccountDeliveryOptions
  readonly #whole: WholeDelivery
  readonly #clock: Clock
  readonly #steady: Clock
  readonly #queue: RowQueue
  readonly #laneCount: LaneCountController
  readonly #throttle: Throttle
  readonly #breaker: CircuitBreaker
  readonly #jobs: JobQueue
  readonly #outcomes: Outcomes
  readonly #lanes: LanePool
  /** By the monotonic clock. */
  readonly #started: number
  #alarm: NodeJS.Timeout | undefined
  #grace: NodeJS.Timeout | undefined
  #pause = ''
  #stopping = false
  #stopped: StopReason | undefined
  #error: MailmergeError | undefined
  /** Nothing is left that it could send now. */
  #isSettled = false
  /** It stopped, and the others know of all that it left. */
  #hasLeft = false
  #isLeaving = false
  /** Until then others may have its rows, by the monotonic clock. */
  #restsUntil = Number.NEGATIVE_INFINITY

  constructor(options: AccountDeliveryOptions) {
    const { account, cursor, context, whole } = options
    const { settings, transport, name, quotaName, zoneOf } = account
    const { ledger, clock, group, stopped, onSettled, zone } = context
    const { window, pause, rampUp } = settings
    const gate = window && new WindowGate(window)
    this.#options = options
    this.#whole = whole
    this.#clock = clock
    this.#steady = steadyClock(clock)
    this.#started = clock.monotonic()
    this.#laneCount = new LaneCountController(
      // With a pause between messages they go one at a time.
      Math.min(pause === undefined ? settings.concurrency : 1, transport.maxLanes ?? Number.POSITIVE_INFINITY),
      clock,
    )
    this.#breaker = new CircuitBreaker(clock, Math.max(settings.retryFor, OUTAGE_MS))
    this.#throttle = new Throttle({
      ...{ ledger, limits: settings.rates, account: quotaName, clock, zone, pause, rampUp },
      window: gate && zoneOf === undefined ? { gate, zone: window?.zone ?? zone } : undefined,
    })
    this.#queue = new RowQueue({
      ...{ ledger, cursor, account: name, clock: this.#steady, group, stopped },
      domains: settings.perDomain,
      suppressed: (dropped) => this.#outcomes.dropped(dropped),
    })
    this.#jobs = new JobQueue({
      queue: this.#queue,
      throttle: this.#throttle,
      prepare: account.prepare,
      clock,
      control: this,
      lanes: () => this.#laneCount.target,
      longestPause: pause?.to,
      putsOff: gate && zoneOf && ((due) => this.#putsOff(due, gate, zoneOf)),
    })
    this.#outcomes = new Outcomes({
      ...{ journal: whole.journal, queue: this.#queue, counts: whole.counts, settings, account: name },
      ...{ clock, steady: this.#steady, control: this, onSettled },
      accepted: () => {
        this.#throttle.recordSuccess()
        if (this.#laneCount.recordSuccess()) this.balance()
      },
      throttled: (reply) => this.#slowDown(reply),
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

  get account(): SendingAccount {
    return this.#options.account
  }

  get throttle(): Throttle {
    return this.#throttle
  }

  /** Lanes at work. */
  get lanes(): number {
    return this.#lanes.size
  }

  /** Looks back to the calls before, so call it at intervals. */
  progress(): LanesProgress {
    return {
      lanes: this.#lanes.progress(),
      most: this.#laneCount.most,
      isHeldBack: this.#laneCount.isHeldBack,
    }
  }

  /** Why it sends no more, where something stopped it. */
  get stopped(): StopReason | undefined {
    return this.#stopped
  }

  get error(): MailmergeError | undefined {
    return this.#error
  }

  /** Nothing is in flight, and nothing is left that it could send. */
  get isSettled(): boolean {
    if (!this.#stopping) return this.#isSettled
    return this.#isEmpty && (this.#hasLeft || this.#whole.stopping || this.#options.shares === undefined)
  }

  /** Opens lanes while there is work for them, and detects the end. Called whenever something changed. */
  balance(): void {
    const now = this.#clock.monotonic()
    if (!this.#stopping && now >= this.#restsUntil) {
      void this.#jobs.refill()
      const waiting = this.#jobs.waiting
      if (waiting > 0) this.#setSettled(false)
      if (waiting > 0 && this.#breaker.msUntilRetry(now) === 0 && this.#jobs.msUntilAllowed(now) <= this.#jobs.idleMs) {
        const room = this.#throttle.room(now + this.#jobs.idleMs, Math.min(waiting, this.#laneCount.target))
        // At least one lane is opened, to find out what the next message needs.
        this.#lanes.openFor(Math.max(1, this.#queue.outstanding - this.#jobs.made + room))
      }
    }
    if (this.#isEmpty) this.#idle()
  }

  /** There may be rows for it that others left. */
  wake(): void {
    if (this.#stopping) return
    this.#setSettled(false)
    if (this.#clock.monotonic() < this.#restsUntil)
      this.#later(this.#restsUntil - this.#clock.monotonic(), () => this.#goOn())
    this.balance()
  }

  /** Four times a second: suppressions of other processes, quota. */
  watch(): void {
    if (this.#stopping) return
    this.#queue
      .recheck(() => this.#jobs.putBack())
      .then(
        (changed) => {
          if (changed) this.changed()
        },
        (error: unknown) => this.broken(error),
      )
    this.#stopForQuota()
  }

  /** Cuts every lane now. */
  cut(reason: StopReason): void {
    if (!this.#stopping) this.#stop(reason)
    this.#lanes.abort()
    this.changed()
  }

  /** Nothing of it goes on. */
  dispose(): void {
    clearTimeout(this.#alarm)
    clearTimeout(this.#grace)
  }

  get #isEmpty(): boolean {
    return this.#lanes.empty && this.#jobs.making === 0
  }

  // ---- the server --------------------------------------------------------------------------------------------------

  /** The server complained about the rate: fewer lanes, all of them slower. */
  #slowDown(reply: Reply): void {
    this.#laneCount.recordThrottling(this.#lanes.size)
    const pause = this.#throttle.recordThrottling(this.#clock.monotonic(), askedWait(reply))
    if (pause !== undefined) this.paused({ kind: 'slow-down', said: answerWords(reply) }, this.#in(pause))
  }

  /** The server is away: wait with growing gaps, and give up resumably after a long while. */
  #outage(reason: string, error?: MailmergeError): void {
    const gap = this.#breaker.recordFailure()
    if (gap === undefined) this.halt({ kind: 'outage', said: reason }, error)
    else this.paused({ kind: 'outage', said: reason }, this.#in(gap))
  }

  /** A row is put off until its recipient's sending hours begin. Copies follow their message, whoever it went to. */
  #putsOff(due: Due, gate: WindowGate, zoneOf: (due: DueRow) => string): boolean {
    if (isCopy(due)) return false
    const until = gate.closedUntil(zoneOf(due), this.#steady.now())
    if (until !== undefined) this.#outcomes.putOff(due, until)
    return until !== undefined
  }

  // ---- waiting -----------------------------------------------------------------------------------------------------

  /** No lane is open: wait for the next row, or end. */
  #idle(): void {
    if (this.#stopping) {
      if (this.isSettled) this.#whole.settled()
      else void this.#endLeaving()
      return
    }
    const now = this.#clock.monotonic()
    if (this.#jobs.waiting > 0 && now >= this.#restsUntil) {
      const { opensAt } = this.#throttle
      const closed = this.#throttle.closedFor(now)
      if (opensAt !== undefined) {
        if (this.#awaitWindow(opensAt)) return
      } else if (closed > SHORTEST_PAUSE_MS) {
        this.paused({ kind: 'quota', quota: this.#throttle.quotaLeft }, this.#in(closed))
        if (this.#stopForQuota()) return
      }
      const wait = Math.max(this.#breaker.msUntilRetry(now), this.#jobs.msUntilAllowed(now))
      const shut = opensAt === undefined ? 0 : opensAt.getTime() - this.#clock.now().getTime()
      const away = Math.max(this.#breaker.msUntilRetry(now), this.#throttle.closedFor(now), shut)
      if (away > LEFT_TO_OTHERS_MS) this.#rest(now + away)
      this.#later(wait, () => this.#goOn())
    } else if (this.#jobs.drained) {
      if (!this.#isSettled) void this.#awaitRetries()
    } else if (now < this.#restsUntil) this.#later(this.#restsUntil - now, () => this.#goOn())
  }

  /** True where a quota opens too late for this delivery, which ends. */
  #stopForQuota(): boolean {
    const { closedUntil, opensAt } = this.#throttle
    if (closedUntil === undefined) return false
    // What is used up outside the sending hours holds nothing back before they begin.
    const window = opensAt === undefined ? 0 : opensAt.getTime() - this.#clock.now().getTime()
    if (this.#throttle.closedFor(this.#clock.monotonic()) - window <= LONGEST_QUOTA_WAIT_MS) return false
    this.halt({ kind: 'quota', quota: this.#throttle.quotaLeft, until: closedUntil })
    return true
  }

  /** The sending hours begin later. True where that is too late for this delivery, which ends. */
  #awaitWindow(until: Date): boolean {
    const { patience = Number.POSITIVE_INFINITY } = this.#options.context
    this.paused(this.#hours, until)
    const waited = this.#clock.monotonic() - this.#started
    if (waited + until.getTime() - this.#clock.now().getTime() <= patience) return false
    this.halt({ kind: 'waiting', until })
    return true
  }

  get #hours(): PauseReason {
    return { kind: 'window', hours: this.account.settings.window?.text ?? '' }
  }

  /** What rows wait for that are due later. */
  get #waitsForRows(): PauseReason {
    return this.account.zoneOf === undefined || this.#whole.counts.retrying > 0 ? { kind: 'deferred' } : this.#hours
  }

  /** It cannot send for a while: others may have its rows. */
  #rest(until: number): void {
    const { shares } = this.#options
    if (shares === undefined) return
    this.#restsUntil = until
    this.#jobs.putBack()
    this.#leaveRows(shares, 'waiting')
  }

  /** The wait is over. */
  #goOn(): void {
    const { shares, account } = this.#options
    const rested = this.#restsUntil !== Number.NEGATIVE_INFINITY && this.#clock.monotonic() >= this.#restsUntil
    if (account.name !== undefined && rested) {
      this.#restsUntil = Number.NEGATIVE_INFINITY
      shares?.rejoin(account.name)
    }
    this.balance()
  }

  #leaveRows(shares: Shares, state: 'waiting' | 'stopped'): void {
    const { name } = this.account
    if (name === undefined) return
    shares.leave(name, this.#queue.leave(state === 'stopped'), state)
    void this.#whole.handOver(this)
  }

  /** What was in flight when it stopped is over: what of it is still to be sent is for the others too. */
  async #endLeaving(): Promise<void> {
    if (this.#isLeaving) return
    this.#isLeaving = true
    await this.#whole.handOver(this)
    this.#hasLeft = true
    this.#whole.settled()
  }

  /** All buffered rows are done: deferred ones may be due later. */
  async #awaitRetries(): Promise<void> {
    const { ledger, runId, patience, lateBy } = this.#options.context
    const { retryFor } = this.account.settings
    try {
      await this.#whole.journal.sync()
      if (this.#busy) return
      const due = await nextDue(ledger, runId, this.#scope())
      if (this.#busy) return
      const waited = this.#clock.monotonic() - this.#started
      const next = stepUntil(due, this.#steady.now(), { retryFor, patience, waited })
      if (next.kind !== 'wait') {
        this.#stopped = next.kind === 'halt' ? next.reason : undefined
        this.#setSettled(true)
        this.#whole.settled()
        return
      }
      if (next.ms > 0) this.paused(this.#waitsForRows, this.#in(next.ms))
      // Rows that were deferred one after the other come back together, over the same lanes.
      this.#later(next.ms > 0 ? next.ms + GATHER_MS : 5, () => {
        // The machine may have slept meanwhile.
        const late = lateRow(due, new Date(this.#steady.now().getTime() - GATHER_MS), lateBy)
        if (late !== undefined) {
          this.haltAll(late)
          return
        }
        this.#queue.rewind()
        this.#goOn()
      })
    } catch (error) {
      this.broken(error)
    }
  }

  /** Which rows it may have later. Those that a stopped account must send itself are nobody's. */
  #scope(): DueScope {
    const { shares, hasOwnRows, account, cursor } = this.#options
    if (hasOwnRows) return { account: account.name }
    if (shares === undefined || shares.remaining.length === shares.size) return {}
    return { after: cursor.lookedAt, copiesOf: shares.remaining }
  }

  /** While it is settled others count on nothing from it. */
  #setSettled(isSettled: boolean): void {
    if (this.#isSettled === isSettled) return
    this.#isSettled = isSettled
    if (!isSettled) this.#stopped = undefined
    const { shares, account } = this.#options
    if (account.name !== undefined) shares?.setOpen(account.name, !isSettled)
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
    return this.#stopping || this.#whole.stopping
  }

  changed(): void {
    this.#jobs.wake()
    this.balance()
  }

  paused(reason: PauseReason, until?: Date): void {
    const second = until === undefined ? '' : Math.round(until.getTime() / 1000)
    const pause = `${JSON.stringify(reason)} ${second}`
    if (pause === this.#pause) return
    this.#pause = pause
    this.#whole.paused(reason, until, this.account.name)
  }

  note(text: string): void {
    this.#whole.note(text)
  }

  /** No new message; what is in flight is finished, within the grace. */
  halt(reason: StopReason, error?: MailmergeError): void {
    if (this.#stopping) return
    if (error !== undefined) this.#error ??= error
    this.#stop(reason)
    this.#grace = setTimeout(() => this.cut(reason), this.account.settings.grace)
    this.changed()
  }

  haltAll(reason: StopReason, error?: MailmergeError): void {
    this.#whole.haltAll(reason, error)
  }

  broken(error: unknown): void {
    this.#whole.broken(error)
  }

  #stop(reason: StopReason): void {
    this.#stopping = true
    this.#stopped = reason
    this.#lanes.stopOpening()
    this.#jobs.putBack()
    const { shares } = this.#options
    if (shares === undefined || this.#whole.stopping) return
    this.note(`the account ${this.account.name} has stopped: ${stopWords(reason)}`)
    this.#leaveRows(shares, 'stopped')
  }
}
