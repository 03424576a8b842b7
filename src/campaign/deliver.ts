/**
 * Brings the due rows of a run to a transport, lane by lane, and every outcome to the ledger. Owns lanes, retries,
 * breakers and stopping; knows neither SMTP nor SQL, and reads the ledger only, never the source.
 */
import type { DeliverySettings } from '../config/settings.ts'
import { MailmergeError, OutputError, UnreachableError } from '../errors.ts'
import type { DueRow, Ledger, ResultRow, StatusCounts } from '../ledger/ledger.ts'
import type { Message } from '../message/message.ts'
import type { Feed, Job, Lane, LaneEnd, Outcome, Transport } from '../transport/transport.ts'
import { reconnectGap } from './backoff.ts'
import type { Clock } from './clock.ts'
import { Journal } from './journal.ts'
import { LaneGovernor } from './lane-governor.ts'
import { quotasOf } from './rate.ts'
import { RowQueue } from './row-queue.ts'
import { type Settlement, settlementOf } from './settle.ts'
import { Tally } from './tally.ts'
import { Throttle } from './throttle.ts'
import { blamesSender, isThrottling } from './verdict.ts'

export interface DeliverOptions {
  readonly ledger: Ledger
  readonly runId: string
  readonly transport: Transport
  /** Rows become messages here: pure for the same row and moment. */
  readonly prepare: (due: DueRow, date: Date) => Message | Promise<Message>
  readonly settings: DeliverySettings
  /** Quotas are shared by all that send through the same account. */
  readonly account: string
  /** Suppression group of the campaign. */
  readonly group: string
  readonly counts: StatusCounts
  readonly clock: Clock
  /** First request to stop: finish what is in flight. */
  readonly stop?: AbortSignal
  /** Second request: cut everything now. */
  readonly abort?: AbortSignal
  readonly onSettled?: (row: ResultRow) => void
  readonly onPaused?: (reason: string, until?: Date) => void
  readonly onProgress?: (state: { counts: StatusCounts; lanes: number; rate: number; secondsLeft?: number }) => void
}

/** How a delivery ended. `stopped` can be gone on with; `error` is set when something broke. */
export interface DeliveryEnd {
  readonly counts: StatusCounts
  /** Why it ended before the last row, in words. */
  readonly stopped?: string
  readonly error?: MailmergeError
  /** Messages accepted by this delivery. */
  readonly sent: number
  readonly seconds: number
}

/** A longer wait than this closes the lanes: servers hang up on idle ones, and rows can wait without them. */
const IDLE_MS = 5_000
/** A server away for this long ends the run; it can be resumed. */
const OUTAGE_MS = 30 * 60_000
/** A quota that opens later than this ends the run; it can be resumed. */
const LONGEST_QUOTA_WAIT_MS = 60 * 60_000
/** Refused senders in a row, and permanent policy refusals in a row, that say the server rejects us. */
const SENDER_REFUSALS = 3
const POLICY_REFUSALS = 100
/** A row whose connection breaks this often before it is handed over waits like a deferred one. */
const LOST_TRIES = 5
/** Lanes in a row that broke the protocol without delivering anything. */
const BARREN_LANES = 6

interface MergeJob extends Job {
  readonly due: DueRow
  /** Row of the source, for transports that name by it. */
  readonly row: number
  readonly lane: number
  began: boolean
}

/** Delivers until no row of the run is left to send, or something says stop. Never rejects for what servers do. */
export function deliver(options: DeliverOptions): Promise<DeliveryEnd> {
  return new Delivery(options).run()
}

class Delivery {
  readonly #options: DeliverOptions
  readonly #clock: Clock
  readonly #journal: Journal
  readonly #queue: RowQueue
  readonly #governor: LaneGovernor
  readonly #throttle: Throttle
  readonly #tally: Tally
  readonly #lanes = new Set<Lane>()
  readonly #prepared: MergeJob[] = []
  readonly #lostTries = new Map<number, number>()
  #preparing = 0
  #prefetch = false
  readonly #opens = new AbortController()
  #opening = 0
  #laneNumber = 0
  #parked: (() => void)[] = []
  #wake: NodeJS.Timeout | undefined
  #retryTimer: NodeJS.Timeout | undefined
  #stopping = false
  #stopped: string | undefined
  #error: MailmergeError | undefined
  #everOpened = false
  #connectFailures = 0
  #barren = 0
  #outageSince: number | undefined
  #openNotBefore = 0
  #senderRefusals = 0
  #policyRefusals = 0
  #finish: () => void = () => {}

  constructor(options: DeliverOptions) {
    this.#options = options
    this.#clock = options.clock
    this.#journal = new Journal(options.ledger)
    this.#tally = new Tally(options.counts, options.clock)
    this.#governor = new LaneGovernor(
      Math.min(options.settings.concurrency, options.transport.maxLanes ?? Number.POSITIVE_INFINITY),
      options.clock,
    )
    this.#throttle = new Throttle({
      ledger: options.ledger,
      limits: options.settings.rates,
      quotas: quotasOf(options.settings.rates, options.account),
      clock: options.clock,
    })
    this.#queue = new RowQueue({
      ledger: options.ledger,
      runId: options.runId,
      clock: options.clock,
      group: options.group,
      ...(options.settings.perDomain === undefined ? {} : { domains: options.settings.perDomain }),
      suppressed: (rows) => {
        for (const { row, why } of rows) this.#settle(row, 0, { status: 'skipped', reason: why }, false)
      },
    })
  }

  async run(): Promise<DeliveryEnd> {
    const { stop, abort } = this.#options
    const started = this.#clock.monotonic()
    const onStop = (): void => this.#halt('interrupted')
    const onAbort = (): void => this.#cut('interrupted')
    stop?.addEventListener('abort', onStop, { once: true })
    abort?.addEventListener('abort', onAbort, { once: true })
    const watch = setInterval(() => this.#watch(), 250)
    try {
      await new Promise<void>((resolve) => {
        this.#finish = resolve
        if (abort?.aborted) onAbort()
        else if (stop?.aborted) onStop()
        this.#balance()
      })
      await this.#journal.sync().catch((error: unknown) => this.#broken(error))
    } finally {
      clearInterval(watch)
      clearTimeout(this.#wake)
      clearTimeout(this.#retryTimer)
      stop?.removeEventListener('abort', onStop)
      abort?.removeEventListener('abort', onAbort)
    }
    return {
      counts: this.#tally.counts,
      sent: this.#tally.sent,
      seconds: (this.#clock.monotonic() - started) / 1000,
      ...(this.#stopped === undefined ? {} : { stopped: this.#stopped }),
      ...(this.#error === undefined ? {} : { error: this.#error }),
    }
  }

  // ---- lanes -------------------------------------------------------------------------------------------------------

  /** Opens lanes while there is work for them, and notices the end. Called whenever something changed. */
  #balance(): void {
    if (!this.#stopping) {
      void this.#refill()
      const work = this.#queue.buffered + this.#prepared.length + this.#preparing
      const now = this.#clock.monotonic()
      if (work > 0 && now >= this.#openNotBefore && this.#throttle.pausedFor(now) <= IDLE_MS) {
        const wanted = Math.min(this.#governor.target, this.#lanes.size + work)
        while (this.#lanes.size + this.#opening < wanted) {
          this.#opening++
          void this.#openLane()
        }
      }
    }
    if (this.#lanes.size === 0 && this.#opening === 0 && this.#preparing === 0) this.#idle()
  }

  /** No lane is open: wait for what is to come, or end. */
  #idle(): void {
    if (this.#stopping) {
      this.#finish()
      return
    }
    const now = this.#clock.monotonic()
    const wait = Math.max(this.#openNotBefore - now, this.#throttle.pausedFor(now))
    if (this.#queue.buffered + this.#prepared.length > 0) this.#later(Math.max(wait, 1))
    else if (this.#queue.drained) void this.#awaitRetries()
  }

  #later(milliseconds: number): void {
    clearTimeout(this.#retryTimer)
    this.#retryTimer = setTimeout(() => this.#balance(), Math.min(milliseconds, 2_147_483_000))
  }

  /** All rows at hand are done: deferred ones may be due later. */
  async #awaitRetries(): Promise<void> {
    try {
      await this.#journal.sync()
      if (this.#stopping || this.#lanes.size > 0 || !this.#queue.drained || this.#queue.outstanding > 0) return
      const next = await this.#options.ledger.nextDue(this.#options.runId)
      if (next === undefined) {
        this.#stopping = true
        this.#finish()
        return
      }
      const wait = next.getTime() - this.#clock.now().getTime()
      if (wait > 0 && this.#options.settings.retryFor === 0) {
        this.#halt('some rows are deferred')
        return
      }
      if (wait > 0) this.#options.onPaused?.('waiting to try deferred rows again', next)
      clearTimeout(this.#retryTimer)
      this.#retryTimer = setTimeout(
        () => {
          this.#queue.rewind()
          this.#balance()
        },
        Math.min(Math.max(wait, 5), 60_000),
      )
    } catch (error) {
      this.#broken(error)
    }
  }

  async #refill(): Promise<void> {
    const filling = this.#queue.fill()
    if (filling === undefined) return
    try {
      await filling
    } catch (error) {
      this.#broken(error)
      return
    }
    this.#unpark()
    this.#balance()
  }

  async #openLane(): Promise<void> {
    const number = ++this.#laneNumber
    let lane: Lane
    try {
      lane = await this.#options.transport.open(this.#opens.signal)
    } catch (error) {
      this.#opening--
      this.#openFailed(error)
      this.#balance()
      return
    }
    this.#opening--
    this.#everOpened = true
    this.#connectFailures = 0
    this.#outageSince = undefined
    this.#lanes.add(lane)
    this.#governor.opened()
    this.#balance()
    const sentBefore = this.#tally.sent
    let end: LaneEnd
    try {
      end = await lane.run(this.#feed(number))
    } catch (error) {
      end = { kind: 'lost', reason: error instanceof Error ? error.message : String(error) }
    }
    this.#lanes.delete(lane)
    this.#laneEnded(end, this.#tally.sent > sentBefore)
    this.#balance()
  }

  #openFailed(error: unknown): void {
    const known =
      error instanceof MailmergeError ? error : new UnreachableError('the server cannot be reached', { cause: error })
    if (this.#stopping) return
    const temporary = known instanceof UnreachableError
    if (!temporary || !this.#everOpened) {
      this.#error = known
      this.#halt(known.message)
      return
    }
    if (this.#lanes.size > 0) {
      this.#governor.pushedBack(this.#lanes.size)
      return
    }
    this.#outage(known.message, known)
  }

  /** The server is away: wait with growing gaps, and give up resumably after a long while. */
  #outage(reason: string, error?: MailmergeError): void {
    const now = this.#clock.monotonic()
    this.#outageSince ??= now
    if (now - this.#outageSince > OUTAGE_MS) {
      if (error !== undefined) this.#error = error
      this.#halt(`the server was away for too long: ${reason}`)
      return
    }
    const gap = reconnectGap(++this.#connectFailures, this.#clock.random)
    this.#openNotBefore = now + gap
    this.#options.onPaused?.(reason, new Date(this.#clock.now().getTime() + gap))
    this.#later(gap)
  }

  #laneEnded(end: LaneEnd, delivered: boolean): void {
    if (delivered) this.#barren = 0
    switch (end.kind) {
      case 'drained':
      case 'limit':
        return
      case 'throttled':
        this.#governor.pushedBack(this.#lanes.size)
        if (!delivered && this.#lanes.size === 0)
          this.#outage(`the server asks for less: ${end.reply.code} ${end.reply.text}`)
        return
      case 'lost':
      case 'protocol':
        // A lane or two may break on any day; when none gets anywhere the server is as good as away.
        if (!delivered && ++this.#barren >= BARREN_LANES && this.#lanes.size === 0) this.#outage(end.reason)
    }
  }

  // ---- the feed of one lane ----------------------------------------------------------------------------------------

  #feed(lane: number): Feed<MergeJob> {
    return {
      next: () => this.#next(lane),
      begin: (job) => this.#begin(job),
      end: (job, outcome) => this.#end(job, outcome),
    }
  }

  #next(lane: number): MergeJob | undefined | Promise<MergeJob | undefined> {
    if (this.#stopping || this.#journal.failure !== undefined) return undefined
    const now = this.#clock.monotonic()
    const wait = this.#throttle.wait(now)
    if (wait > 0) return wait > IDLE_MS ? undefined : this.#park(lane, wait)
    const ready = this.#prepared.shift()
    if (ready !== undefined) {
      this.#throttle.take(now)
      this.#topUp()
      return { ...ready, lane }
    }
    const row = this.#queue.take()
    if (row === undefined || typeof row === 'number') {
      if (row !== undefined) return row > IDLE_MS ? undefined : this.#park(lane, row)
      if (this.#preparing > 0 || !this.#queue.drained) {
        void this.#refill()
        return this.#park(lane)
      }
      return undefined
    }
    void this.#refill()
    let message: Message | Promise<Message>
    try {
      message = this.#options.prepare(row, row.firstAttemptAt ?? this.#clock.now())
    } catch (error) {
      this.#unpreparable(row, error)
      return undefined
    }
    if (!(message instanceof Promise)) {
      this.#throttle.take(now)
      return { message, due: row, row: row.row, lane, began: false }
    }
    // Messages that take time (signing, reading files) are made ahead, so that no lane waits for them.
    this.#prefetch = true
    this.#await(row, message)
    this.#topUp()
    return this.#park(lane)
  }

  #topUp(): void {
    if (!this.#prefetch || this.#stopping) return
    while (this.#prepared.length + this.#preparing < 2 * this.#governor.target + 2) {
      const row = this.#queue.take()
      if (row === undefined || typeof row === 'number') return
      try {
        this.#await(row, Promise.resolve(this.#options.prepare(row, row.firstAttemptAt ?? this.#clock.now())))
      } catch (error) {
        this.#unpreparable(row, error)
        return
      }
    }
  }

  #await(row: DueRow, promise: Promise<Message>): void {
    this.#preparing++
    promise.then(
      (message) => {
        this.#preparing--
        this.#prepared.push({ message, due: row, row: row.row, lane: 0, began: false })
        this.#unpark()
        this.#balance()
      },
      (error: unknown) => {
        this.#preparing--
        this.#unpreparable(row, error)
      },
    )
  }

  /** A planned row cannot be made any more: something changed since planning, and nobody may guess what to send. */
  #unpreparable(row: DueRow, error: unknown): void {
    this.#queue.giveBack(row)
    this.#error ??=
      error instanceof MailmergeError ? error : new OutputError(`row ${row.row} cannot be composed`, { cause: error })
    this.#halt(this.#error.message)
    this.#balance()
  }

  /** A promise for the next job, for a lane that finds nothing at the moment. */
  #park(lane: number, milliseconds?: number): Promise<MergeJob | undefined> {
    return new Promise((resolve) => {
      this.#parked.push(() => resolve(this.#next(lane)))
      if (milliseconds !== undefined) {
        clearTimeout(this.#wake)
        this.#wake = setTimeout(() => this.#unpark(), Math.max(1, milliseconds))
      }
    })
  }

  #unpark(): void {
    const parked = this.#parked
    this.#parked = []
    for (const wake of parked) wake()
  }

  #begin(job: MergeJob): Promise<void> {
    job.began = true
    this.#journal.add({
      kind: 'began',
      recipient: job.due.recipient,
      lane: job.lane,
      at: this.#clock.now(),
      messageId: job.message.id,
    })
    return this.#journal.sync().catch((error: unknown) => {
      this.#broken(error)
      throw error
    })
  }

  #end(job: MergeJob, outcome: Outcome): void {
    const { due } = job
    const now = this.#clock.now()
    if (outcome.kind === 'unsent') {
      this.#unsent(job, outcome.reason, now)
      return
    }
    this.#lostTries.delete(due.recipient)
    if (outcome.kind === 'deferred' && isThrottling(outcome.reply)) {
      this.#throttle.pushedBack(this.#clock.monotonic())
      this.#governor.pushedBack(this.#lanes.size)
      this.#options.onPaused?.(`the server asks for less: ${outcome.reply.code} ${outcome.reply.text}`)
      this.#settle(
        due,
        job.lane,
        { status: 'deferred', reason: 'server asked to slow down', reply: outcome.reply, dueAt: now },
        true,
        job,
      )
      this.#queue.rewind()
      return
    }
    if (outcome.kind === 'rejected' && this.#refused(job, outcome, now)) return
    if (outcome.kind === 'accepted') {
      this.#senderRefusals = 0
      this.#policyRefusals = 0
      this.#governor.succeeded()
      this.#throttle.succeeded()
    }
    this.#settle(due, job.lane, settlementOf(due, outcome, this.#options.settings, now, this.#clock.random), true, job)
  }

  /** Watches for refusals that no list explains. True when the row was settled here. */
  #refused(job: MergeJob, outcome: Extract<Outcome, { kind: 'rejected' }>, now: Date): boolean {
    const { reply, stage } = outcome
    if (!blamesSender(reply, stage)) {
      this.#policyRefusals = 0
      return false
    }
    if (++this.#policyRefusals >= POLICY_REFUSALS) {
      this.#halt(
        `the server refused ${POLICY_REFUSALS} messages in a row for what we are, not for whom they went to: ${reply.code} ${reply.text}`,
      )
    }
    // A refused sender is refused for every row. Until the server has taken one it is no fault of the row.
    if (stage !== 'mail' || this.#tally.sent > 0) return false
    this.#settle(job.due, job.lane, { status: 'deferred', reason: 'sender refused', reply, dueAt: now }, true, job)
    if (++this.#senderRefusals >= SENDER_REFUSALS)
      this.#halt(`the server refuses the sender: ${reply.code} ${reply.text}`)
    else this.#queue.rewind()
    return true
  }

  #unsent(job: MergeJob, reason: string, now: Date): void {
    const { due } = job
    const tries = (this.#lostTries.get(due.recipient) ?? 0) + 1
    const poison = tries >= LOST_TRIES && !this.#stopping
    if (poison) {
      this.#lostTries.delete(due.recipient)
      const reply = { code: 450, text: reason }
      const settlement = settlementOf(
        due,
        { kind: 'deferred', stage: 'data', reply },
        this.#options.settings,
        now,
        this.#clock.random,
      )
      const { reply: _, ...rest } = settlement
      this.#settle(due, job.lane, { ...rest, reason: `connection lost each time: ${reason}` }, true, job)
      return
    }
    this.#lostTries.set(due.recipient, tries)
    if (this.#lostTries.size > 10_000) this.#lostTries.clear()
    if (!job.began) {
      this.#queue.giveBack(due)
      // It may come back when its lane is long gone.
      setImmediate(() => this.#balance())
      return
    }
    // The start was recorded, so its end must be too: else a crash would leave doubt where there is none.
    this.#settle(due, job.lane, { status: 'deferred', reason, dueAt: now }, true, job)
    this.#queue.rewind()
  }

  #settle(due: DueRow, lane: number, settlement: Settlement, attempted: boolean, job?: MergeJob): void {
    const at = this.#clock.now()
    const { status, reason, reply, dueAt } = settlement
    const facts = {
      ...(reason === '' ? {} : { reason }),
      ...(reply === undefined ? {} : { smtpCode: reply.code, response: reply.text }),
      ...(reply?.enhanced === undefined ? {} : { enhancedCode: reply.enhanced }),
      ...(job === undefined ? {} : { messageId: job.message.id }),
    }
    this.#journal.add(
      {
        kind: 'settled',
        recipient: due.recipient,
        lane,
        at,
        status,
        attempted,
        ...facts,
        ...(dueAt === undefined ? {} : { dueAt }),
      },
      () => this.#queue.recorded(due),
    )
    this.#tally.settled(status)
    if (job !== undefined) this.#queue.finished(due)
    if (this.#options.onSettled !== undefined) {
      const firstAttemptAt = due.firstAttemptAt ?? (attempted ? at : undefined)
      this.#options.onSettled({
        row: due.row,
        key: due.key,
        address: due.address,
        status,
        ...facts,
        reason,
        attempts: due.attempts + (attempted ? 1 : 0),
        ...(firstAttemptAt === undefined ? {} : { firstAttemptAt }),
        ...(due.variant === undefined ? {} : { variant: due.variant }),
        ...(status === 'deferred' ? {} : { finishedAt: at }),
      })
    }
  }

  // ---- stopping ----------------------------------------------------------------------------------------------------

  /** No new message; what is in flight is finished, within the grace. */
  #halt(reason: string): void {
    if (this.#stopping) return
    this.#stopping = true
    this.#stopped = reason
    this.#opens.abort()
    this.#unprepare()
    this.#unpark()
    this.#retryTimer = setTimeout(() => this.#cut(reason), this.#options.settings.grace)
    this.#balance()
  }

  /** Messages made ahead become rows again. */
  #unprepare(): void {
    for (const { due } of this.#prepared.splice(0)) this.#queue.giveBack(due)
  }

  /** Cuts every lane now. */
  #cut(reason: string): void {
    if (!this.#stopping) {
      this.#stopping = true
      this.#stopped = reason
      this.#opens.abort()
    }
    this.#unpark()
    for (const lane of this.#lanes) lane.abort()
    this.#balance()
  }

  /** The ledger cannot be trusted any more: nothing further is said to any server. */
  #broken(error: unknown): void {
    this.#error =
      error instanceof MailmergeError ? error : new OutputError('the ledger cannot be written', { cause: error })
    this.#cut(this.#error.message)
  }

  /** Four times a second: suppressions of other processes, quota, progress. */
  #watch(): void {
    if (!this.#stopping) {
      this.#queue.recheck(() => this.#unprepare()).catch((error: unknown) => this.#broken(error))
      const closed = this.#throttle.closedUntil
      if (closed !== undefined && closed.getTime() - this.#clock.now().getTime() > LONGEST_QUOTA_WAIT_MS) {
        this.#halt(`the quota is used up until ${closed.toISOString()}`)
      }
    }
    this.#options.onProgress?.({ ...this.#tally.progress(), lanes: this.#lanes.size })
  }
}
