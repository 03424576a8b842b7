/**
 * Where lanes get their next message: limits first, then a row whose turn it is, then the message made of it. Owns the
 * messages made ahead, bounded in number and bytes; never sends and never records.
 */

import { NEVER_ALLOWED_HINT } from '../../config/units.ts'
import { DataError, MailmergeError, OutputError } from '../../errors.ts'
import type { DueRow } from '../../ledger/records.ts'
import { andThen, isPending, type MaybePromise } from '../../maybe-promise.ts'
import type { Message } from '../../message/message.ts'
import type { Job } from '../../transport/transport.ts'
import type { Clock } from '../clock.ts'
import type { DeliveryControl } from './delivery-control.ts'
import { LaneWaiters } from './lane-waiters.ts'
import { type Due, isCopy, rowOf } from './row-cursor.ts'
import type { RowQueue } from './row-queue.ts'
import type { Throttle } from './throttle.ts'

/** Lanes wait this long where messages have a pause between them: to log in for each would look worse. */
const LONGEST_IDLE_MS = 60_000
/** A longer wait than this closes the lanes: servers hang up on idle ones, and rows can wait without them. */
const IDLE_MS = 5_000
/** Bytes of messages made ahead, beyond which only one is made at a time. */
const AHEAD_BYTES = 16_000_000
/** A message that waited longer than this is made again, so that its date is close to the time it is sent. */
const FRESH_MS = 60_000

export interface MergeJob extends Job {
  readonly due: Due
  /** The moment of the message's Date. */
  readonly date: Date
  /** Row of the source, for transports that name by it. */
  readonly row: number
  readonly lane: number
  /** The attempt is recorded, or on its way to be. */
  began: boolean
}

/** Whose message it is, and the moment of its Date. */
interface Making {
  readonly due: Due
  readonly date: Date
}

interface Ready extends Making {
  readonly message: Message
  /** By the monotonic clock. */
  readonly madeAt: number
}

export interface JobQueueOptions {
  readonly queue: RowQueue
  readonly throttle: Throttle
  readonly prepare: (due: DueRow, date: Date) => MaybePromise<Message>
  readonly clock: Clock
  readonly control: DeliveryControl
  /** Lanes that may be open now: that many messages are worth making ahead. */
  readonly lanes: () => number
  /** The longest pause between two messages, in milliseconds. */
  readonly longestPause?: number | undefined
  /** Asked of each row before it is sent: true for one that must wait, which is put off. @throws what keeps that from being known. */
  readonly putsOff?: ((due: Due) => boolean) | undefined
}

export class JobQueue {
  readonly #options: JobQueueOptions
  readonly #waiters = new LaneWaiters()
  readonly #ready: Ready[] = []
  #readyBytes = 0
  /** Bytes of the message made last: the next one will not be very different. */
  #lastBytes = 0
  #making = 0
  #makesAhead = false
  #refilling = false
  #idleMs: number

  constructor(options: JobQueueOptions) {
    this.#options = options
    this.#idleMs = Math.max(IDLE_MS, Math.min(options.longestPause ?? 0, LONGEST_IDLE_MS))
  }

  /** Rows and messages that are not handed out yet. */
  get waiting(): number {
    return this.#options.queue.buffered + this.#ready.length + this.#making
  }

  /** Milliseconds that a lane may wait for its next message; one that would wait longer closes. */
  get idleMs(): number {
    return this.#idleMs
  }

  /** The server closed a connection that had waited this long: from now on none waits half of it. */
  shortenIdle(milliseconds: number): void {
    this.#idleMs = Math.min(this.#idleMs, milliseconds / 2)
  }

  /** Messages being made at this moment. */
  get making(): number {
    return this.#making
  }

  /** True when nothing is buffered and the ledger has no more rows that are due. */
  get drained(): boolean {
    return this.#ready.length === 0 && this.#making === 0 && this.#options.queue.drained
  }

  /** Messages that are made and wait for their turn. */
  get made(): number {
    return this.#ready.length
  }

  /** Milliseconds until the next message may go: a limit of all, or of every domain that has rows waiting. */
  msUntilAllowed(now: number): number {
    const { throttle, queue } = this.#options
    const [ready] = this.#ready
    if (ready !== undefined) return throttle.pausedFor(now, ready.message.envelope.to.length)
    return Math.max(throttle.pausedFor(now), queue.msUntilAllowed())
  }

  /** The next job for a lane; `undefined` when there is none, or none for long enough that the lane should close. */
  next(lane: number): MaybePromise<MergeJob | undefined> {
    const { throttle, clock, control } = this.#options
    if (control.stopping) return undefined
    const now = clock.monotonic()
    const ready = this.#ready[0]
    if (ready === undefined) {
      const wait = throttle.pausedFor(now)
      return wait > 0 ? this.#later(lane, wait) : this.#nextRow(lane, now)
    }
    const { message, madeAt } = ready
    if (now - madeAt > FRESH_MS) {
      const wait = throttle.pausedFor(now, message.envelope.to.length)
      if (wait > 0) return this.#later(lane, wait)
      if (this.#making > 0) return this.#wait(lane)
      this.#release(ready)
      return this.#make(ready.due, lane, now)
    }
    const wait = throttle.msUntilAllowed(now, message.envelope.to.length)
    if (wait > 0) return this.#later(lane, wait)
    this.#release(ready)
    if (this.#isPutOff(ready.due)) return this.next(lane)
    this.#makeAhead()
    return this.#handOut(ready, message, lane, now)
  }

  /** The server answered for a message that was handed out, or it came back. */
  ended(): void {
    const { throttle, clock } = this.#options
    throttle.recordEnd(clock.monotonic())
  }

  /** Fetches more rows when few are left. Cheap to call often. */
  async refill(): Promise<void> {
    const { queue, control } = this.#options
    if (this.#refilling) return
    const filling = queue.fill()
    if (filling === undefined) return
    this.#refilling = true
    try {
      await filling
    } catch (error) {
      control.broken(error)
      return
    } finally {
      this.#refilling = false
    }
    this.wake()
    control.changed()
  }

  /** Lanes that found nothing try again. */
  wake(): void {
    this.#waiters.wakeAll()
  }

  /** Messages made ahead become rows again. */
  putBack(): void {
    this.#readyBytes = 0
    for (const { due } of this.#ready.splice(0)) this.#options.queue.giveBack(due)
  }

  /** The next row for a lane, as its message. */
  #nextRow(lane: number, now: number): MaybePromise<MergeJob | undefined> {
    if (this.#making > 0 && this.#full) return this.#wait(lane)
    const due = this.#nextDue()
    if (typeof due === 'number') return this.#later(lane, due)
    if (due === undefined) {
      if (this.#ready.length === 0 && this.#making === 0 && this.#options.queue.isOut) return undefined
      void this.refill()
      return this.#wait(lane)
    }
    void this.refill()
    return this.#make(due, lane, now)
  }

  /** The next row that need not wait; as `RowQueue.next` has it. */
  #nextDue(): Due | number | undefined {
    for (;;) {
      const due = this.#options.queue.next()
      if (due === undefined || typeof due === 'number' || !this.#isPutOff(due)) return due
    }
  }

  /** True for a row that is not sent now: it must wait, or whether it must cannot be known. */
  #isPutOff(due: Due): boolean {
    try {
      return this.#options.putsOff?.(due) ?? false
    } catch (error) {
      this.#cannotPrepare(due, error)
      return true
    }
  }

  #make(due: Due, lane: number, now: number): MaybePromise<MergeJob | undefined> {
    const { throttle } = this.#options
    try {
      const making = this.#begin(due)
      const message = this.#prepare(making)
      if (!isPending(message)) {
        const recipients = message.envelope.to.length
        // A message to one recipient is known not to be paused here.
        const wait = recipients === 1 ? throttle.msUntilReserved(now) : throttle.msUntilAllowed(now, recipients)
        if (wait === 0) return this.#handOut(making, message, lane, now)
        // The limits do not allow this many recipients yet: this message is the next one.
        this.#hold(making, message, 'first')
        return this.#later(lane, wait)
      }
      // Messages that take time (signing, reading files) are made ahead, so that no lane waits for them.
      this.#makesAhead = true
      this.#await(making, message, 'first')
      this.#makeAhead()
      return this.#wait(lane)
    } catch (error) {
      this.#cannotPrepare(due, error)
      return undefined
    }
  }

  /** A message that is tried again, or goes to a copy later, keeps its Date. */
  #begin(due: Due): Making {
    return { due, date: (isCopy(due) ? due.sentAt : due.firstAttemptAt) ?? this.#options.clock.now() }
  }

  /** @throws what kept it from being made. */
  #prepare({ due, date }: Making): MaybePromise<Message> {
    const message = this.#options.prepare(rowOf(due), date)
    return andThen(message, (made) => this.#sendable(due, made))
  }

  /** @throws DataError for a message that no wait would allow: limits changed since the run was planned. */
  #sendable(due: Due, message: Message): Message {
    const only = isCopy(due) ? [due.address] : due.goesAlone ? message.envelope.to.slice(0, 1) : undefined
    if (only !== undefined) return { ...message, envelope: { ...message.envelope, to: only } }
    const never = this.#options.throttle.whyNeverAllowed(message.envelope.to.length)
    if (never !== undefined) throw new DataError(`row ${due.row}: ${never}`, { hint: NEVER_ALLOWED_HINT })
    return message
  }

  /** Keeps a message for when its turn comes. */
  #hold({ due, date }: Making, message: Message, place: 'first' | 'last'): void {
    const ready = { due, date, message, madeAt: this.#options.clock.monotonic() }
    if (place === 'first') this.#ready.unshift(ready)
    else this.#ready.push(ready)
    this.#readyBytes += message.size
  }

  #release({ message }: Ready): void {
    this.#ready.shift()
    this.#readyBytes -= message.size
  }

  #handOut({ due, date }: Making, message: Message, lane: number, now: number): MergeJob {
    this.#options.throttle.grant(now, message.envelope.to.length)
    return { message, due, date, row: rowOf(due).row, lane, began: false }
  }

  #later(lane: number, milliseconds: number): undefined | Promise<MergeJob | undefined> {
    return milliseconds > this.#idleMs ? undefined : this.#wait(lane, milliseconds)
  }

  /** A promise for the next job, for a lane that finds nothing at the moment. */
  #wait(lane: number, milliseconds?: number): Promise<MergeJob | undefined> {
    return this.#waiters.wait(() => this.next(lane), milliseconds)
  }

  /** One more message would be more than may be held in memory. */
  get #full(): boolean {
    // How large they are is known when the first one is made.
    if (this.#lastBytes === 0) return this.#making > 0
    const bytes = this.#readyBytes + this.#making * this.#lastBytes
    return bytes > 0 && bytes + this.#lastBytes > AHEAD_BYTES
  }

  #makeAhead(): void {
    const { control, lanes } = this.#options
    if (!this.#makesAhead) return
    while (!control.stopping && this.#ready.length + this.#making < 2 * lanes() + 2) {
      if (this.#full) return
      const due = this.#nextDue()
      if (due === undefined || typeof due === 'number') return
      try {
        const making = this.#begin(due)
        this.#await(making, Promise.resolve(this.#prepare(making)), 'last')
      } catch (error) {
        this.#cannotPrepare(due, error)
        return
      }
    }
  }

  #await(making: Making, promise: Promise<Message>, place: 'first' | 'last'): void {
    const { queue, control } = this.#options
    this.#making++
    promise.then(
      (message) => {
        this.#making--
        if (control.stopping) queue.giveBack(making.due)
        else {
          this.#hold(making, message, place)
          this.#lastBytes = message.size
        }
        this.wake()
        control.changed()
      },
      (error: unknown) => {
        this.#making--
        this.#cannotPrepare(making.due, error)
      },
    )
  }

  /** A planned row cannot be composed any more: something changed since planning, and what to send must not be guessed. */
  #cannotPrepare(due: Due, error: unknown): void {
    const { queue, control } = this.#options
    queue.giveBack(due)
    const known =
      error instanceof MailmergeError
        ? error
        : new OutputError(`row ${rowOf(due).row} cannot be composed`, { cause: error })
    control.haltAll({ kind: 'error', said: known.message }, known)
    control.changed()
  }
}
