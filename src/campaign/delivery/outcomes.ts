/**
 * Turns the outcomes of jobs into records for the ledger, in one transaction for all lanes a turn of the event loop. Owns that
 * each outcome is recorded once and in order, and the rows whose connections keep breaking; `retry.ts` decides the state of a
 * row after an outcome.
 */
import type { DeliverySettings } from '../../config/settings.ts'
import type { Deliveries } from '../../ledger/ledger.ts'
import type { CopyUpdate, DueRow, LedgerEvent, ResultRow } from '../../ledger/records.ts'
import { type Reply, reasonOf } from '../../replies/reply.ts'
import { SenderBlockDetector } from '../../replies/sender-block-detector.ts'
import { skipWords } from '../../report/reasons.ts'
import type { Outcome } from '../../transport/transport.ts'
import type { Clock } from '../clock.ts'
import { type DeliveryControl, haltFor } from './delivery-control.ts'
import type { MergeJob } from './job-queue.ts'
import type { DeliveryCounts } from './progress.ts'
import { copyStatesAfter, type RowState, rowStateAfter } from './retry.ts'
import { type Due, idOf, isCopy } from './row-cursor.ts'
import type { Dropped, RowQueue } from './row-queue.ts'

/** A row whose connection breaks this often before it is handed over waits like a deferred one. */
const LOST_TRIES = 5
/** Rows whose lost connections are counted at once. */
const COUNTED_LOSSES = 10_000

export interface OutcomesOptions {
  readonly journal: Journal
  readonly queue: RowQueue
  readonly counts: DeliveryCounts
  readonly settings: DeliverySettings
  /** Recorded with each attempt, where there are several. */
  readonly account?: string | undefined
  /** The wall clock, for records. */
  readonly clock: Clock
  /** The monotonic one, for waits. */
  readonly steady: Clock
  readonly control: DeliveryControl
  /** A message was accepted. */
  readonly accepted: () => void
  /** The server complained about the rate. */
  readonly throttled: (reply: Reply) => void
  readonly onSettled?: ((row: ResultRow, due: DueRow) => void) | undefined
}

export class Outcomes {
  readonly #options: OutcomesOptions
  readonly #senderBlocks = new SenderBlockDetector()
  readonly #lost = new Map<number, number>()

  constructor(options: OutcomesOptions) {
    this.#options = options
  }

  /** Resolves when the attempt is durable; rejects when the ledger is broken, and then nothing more is sent. */
  async begin(job: MergeJob): Promise<void> {
    const { journal, clock, control, account } = this.#options
    const { due, lane, message } = job
    const at = clock.now()
    job.began = true
    journal.add(
      isCopy(due)
        ? { kind: 'copy-started', copy: due.copy, at }
        : { kind: 'attempt-started', recipient: due.recipient, lane, at, messageId: message.id, account },
    )
    try {
      await journal.sync()
    } catch (error) {
      control.broken(error)
      throw error
    }
  }

  end(job: MergeJob, outcome: Outcome): void {
    if (outcome.kind === 'unsent') {
      this.#unsent(job, outcome.reason)
      return
    }
    this.#lost.delete(idOf(job.due))
    const { steady, settings } = this.#options
    if ((outcome.kind === 'rejected' || outcome.kind === 'deferred') && this.#blamesOthers(job, outcome)) return
    if (outcome.kind === 'accepted') {
      this.#senderBlocks.accepted()
      this.#options.accepted()
    }
    this.#record(job, rowStateAfter(job.due, outcome, settings, steady.now(), steady.random))
  }

  /** Those that must no longer be written to. */
  dropped(dropped: readonly Dropped[]): void {
    for (const { due, skip } of dropped) this.#write(due, { status: 'skipped', reason: '', skip })
  }

  /** A row that is not sent before then, because of its sending hours. It was not tried. */
  putOff(due: DueRow, until: Date): void {
    const { journal, queue } = this.#options
    queue.finished(due)
    journal.add({ kind: 'row-put-off', recipient: due.recipient, dueAt: until }, () => queue.recorded(due))
  }

  /** These were not tried because the server wanted no more on that connection, for no fault of theirs. */
  forgive(ids: readonly number[]): void {
    for (const id of ids) {
      const tries = (this.#lost.get(id) ?? 0) - 1
      if (tries > 0) this.#lost.set(id, tries)
      else this.#lost.delete(id)
    }
  }

  /** A refusal that is not about the row leaves it due. True when the row was recorded here. */
  #blamesOthers(job: MergeJob, outcome: Extract<Outcome, { kind: 'rejected' | 'deferred' }>): boolean {
    const { control, queue, settings, steady } = this.#options
    const { reply, stage } = outcome
    const { from: sender, to } = job.message.envelope
    const { blames, stop } = this.#senderBlocks.refused(reply, stage, { sender, recipient: to[0] ?? '' })
    if (blames !== 'row') {
      const reason = blames === 'pace' ? 'server asked to slow down' : reasonOf(reply, stage)
      if (blames === 'pace') this.#options.throttled(reply)
      const copies = copyStatesAfter(outcome.copies, settings, steady.now(), steady.random)
      this.#record(job, { status: 'deferred', reason, reply, dueAt: steady.now(), copies })
      if (blames === 'pace') queue.rewind()
    }
    if (stop !== undefined) haltFor(stop, control)
    return blames !== 'row'
  }

  #unsent(job: MergeJob, reason: string): void {
    const { queue, control, steady, settings } = this.#options
    const { due } = job
    const id = idOf(due)
    const tries = (this.#lost.get(id) ?? 0) + 1
    if (tries >= LOST_TRIES && !control.stopping) {
      this.#lost.delete(id)
      const deferred = { kind: 'deferred', stage: 'data', reply: { code: 450, text: reason } } as const
      const { status, dueAt } = rowStateAfter(due, deferred, settings, steady.now(), steady.random)
      this.#record(job, { status, reason: `connection lost each time: ${reason}`, dueAt })
      return
    }
    this.#lost.set(id, tries)
    if (this.#lost.size > COUNTED_LOSSES) this.#lost.clear()
    if (job.began) {
      // The start was recorded, so its end must be too: else a crash would leave doubt where there is none.
      this.#record(job, { status: 'deferred', reason, dueAt: steady.now() })
      queue.rewind()
    } else {
      queue.giveBack(due)
      // It may come back after its lane has ended.
      setImmediate(() => control.changed())
    }
  }

  #record(job: MergeJob, state: RowState): void {
    const { queue, control } = this.#options
    this.#write(job.due, state, job)
    queue.finished(job.due)
    // Another row may have waited for this one's domain.
    if (queue.heldBack) control.changed()
  }

  /** `job` is there for an attempt. */
  #write(due: Due, state: RowState, job?: MergeJob): void {
    const { journal, queue, clock } = this.#options
    if (!isCopy(due)) return this.#writeRow(due, state, job)
    journal.add({ kind: 'copy-updated', copy: due.copy, at: clock.now(), ...copyUpdateOf(state) }, () =>
      queue.recorded(due),
    )
  }

  #writeRow(due: DueRow, state: RowState, job: MergeJob | undefined): void {
    const { journal, queue, counts, clock, onSettled } = this.#options
    const { status, reason, skip, reply, dueAt } = state
    const at = clock.now()
    const attempted = job !== undefined
    const account = attempted ? this.#options.account : undefined
    const messageId = job?.message.id
    const copies = state.copies?.map((copy) => ({ address: copy.address, ...copyUpdateOf(copy) }))
    const facts = {
      skip,
      smtpCode: reply?.service === undefined ? reply?.code : undefined,
      response: reply?.text,
      enhancedCode: reply?.enhanced,
      messageId,
      copies,
    }
    const { recipient } = due
    const { lane = 0, date } = job ?? {}
    const update = { recipient, lane, account, at, status, reason, attempted, dueAt, date, ...facts }
    journal.add({ kind: 'row-updated', ...update }, () => queue.recorded(due))
    counts.recordState(status, due.attempts > 0, due.rows)
    if (onSettled === undefined) return
    const firstAttemptAt = due.firstAttemptAt ?? (attempted ? at : undefined)
    onSettled(
      {
        row: due.row,
        key: due.key,
        address: due.address,
        status,
        ...facts,
        copies: copies?.filter((copy) => copy.status !== 'sent'),
        reason,
        attempts: due.attempts + (attempted ? 1 : 0),
        firstAttemptAt,
        variant: due.variant,
        account: account ?? due.account,
        finishedAt: status === 'deferred' ? undefined : at,
      },
      due,
    )
  }
}

const COPY_STATUS = {
  sent: 'sent',
  failed: 'refused',
  skipped: 'refused',
  deferred: 'deferred',
  in_doubt: 'in_doubt',
} as const

/** What happened to a copy, as the ledger keeps it. */
function copyUpdateOf({ status, reason, skip, reply, dueAt }: RowState): CopyUpdate {
  return {
    status: COPY_STATUS[status],
    reason: skip === undefined ? reason : skipWords(skip),
    smtpCode: reply?.service === undefined ? reply?.code : undefined,
    response: reply?.text,
    enhancedCode: reply?.enhanced,
    dueAt,
  }
}

interface Waiter {
  resolve(): void
  reject(error: unknown): void
}

/**
 * Group commit: gathers the events of all lanes of one turn of the event loop and records it in one transaction. Never looks at
 * what the events mean.
 */
export class Journal {
  readonly #deliveries: Deliveries
  #events: LedgerEvent[] = []
  #durable: (() => void)[] = []
  #waiters: Waiter[] = []
  #scheduled = false
  #recording: Promise<void> | undefined
  #failure: unknown

  constructor(deliveries: Deliveries) {
    this.#deliveries = deliveries
  }

  /** The error that broke the ledger, if any: from then on nothing is recorded, so nothing may be sent. */
  get failure(): unknown {
    return this.#failure
  }

  /** Adds an event. It is durable when a `sync` called now or later resolves, and `onDurable` is called before that. */
  add(event: LedgerEvent, onDurable?: () => void): void {
    this.#events.push(event)
    if (onDurable !== undefined) this.#durable.push(onDurable)
    this.#schedule()
  }

  /** Resolves when everything added so far is durable; rejects when the ledger is broken. */
  sync(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#events.length === 0 && this.#recording === undefined) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject })
      this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#scheduled || this.#recording !== undefined) return
    this.#scheduled = true
    // After the poll phase: every socket that had something to say in this turn has said it.
    setImmediate(() => {
      this.#scheduled = false
      this.#recording = this.#record().finally(() => {
        this.#recording = undefined
        if (this.#events.length > 0 || this.#waiters.length > 0) this.#schedule()
      })
    })
  }

  async #record(): Promise<void> {
    const events = this.#events
    const durable = this.#durable
    const waiters = this.#waiters
    this.#events = []
    this.#durable = []
    this.#waiters = []
    try {
      if (this.#failure !== undefined) throw this.#failure
      if (events.length > 0) await this.#deliveries.record(events)
      for (const call of durable) call()
      for (const waiter of waiters) waiter.resolve()
    } catch (error) {
      this.#failure ??= error
      for (const waiter of waiters) waiter.reject(this.#failure)
    }
  }
}
