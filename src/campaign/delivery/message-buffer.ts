/**
 * Where lanes get their next message: limits first, then a row whose turn it is, then the message made of it. Owns the
 * messages made ahead, bounded in number and in octets; never sends and never records.
 */
import { DataError, MailmergeError, OutputError } from '../../errors.ts'
import type { DueRow } from '../../ledger/ledger.ts'
import type { Message } from '../../message/message.ts'
import type { Job } from '../../transport/transport.ts'
import type { Clock } from '../clock.ts'
import type { DeliveryControl } from './delivery-control.ts'
import type { RowQueue } from './row-queue.ts'
import { NEVER_GOES_HINT } from './throttle/rate.ts'
import type { Throttle } from './throttle/throttle.ts'
import { Parking } from './waiters.ts'

/** A longer wait than this closes the lanes: servers hang up on idle ones, and rows can wait without them. */
export const IDLE_MS = 5_000
/** Octets of messages made ahead, beyond which only one is made at a time. */
const AHEAD_OCTETS = 16_000_000
/** A message that waited longer than this is made anew, so that its date is near the hour that it is sent at. */
const FRESH_MS = 60_000

export interface MergeJob extends Job {
  readonly due: DueRow
  /** Row of the source, for transports that name by it. */
  readonly row: number
  readonly lane: number
  /** The attempt is recorded, or on its way to be. */
  began: boolean
}

interface Ready {
  readonly due: DueRow
  readonly message: Message
  /** By the monotonic clock. */
  readonly madeAt: number
}

export interface JobSourceOptions {
  readonly queue: RowQueue
  readonly throttle: Throttle
  readonly prepare: (due: DueRow, date: Date) => Message | Promise<Message>
  readonly clock: Clock
  readonly control: DeliveryControl
  /** Lanes that may be open now: so many messages are worth making ahead. */
  readonly lanes: () => number
}

export class JobSource {
  readonly #options: JobSourceOptions
  readonly #parking = new Parking()
  readonly #ready: Ready[] = []
  #readyOctets = 0
  /** Octets of the message made last: the next one will not be very different. */
  #lastOctets = 0
  #making = 0
  #makesAhead = false
  #refilling = false

  constructor(options: JobSourceOptions) {
    this.#options = options
  }

  /** Rows and messages at hand. */
  get atHand(): number {
    return this.#options.queue.buffered + this.#ready.length + this.#making
  }

  /** Messages being made at this moment. */
  get making(): number {
    return this.#making
  }

  /** True when there is nothing at hand and the ledger has no more rows that are due. */
  get drained(): boolean {
    return this.#ready.length === 0 && this.#making === 0 && this.#options.queue.drained
  }

  /** Messages that are made and wait for their turn. */
  get made(): number {
    return this.#ready.length
  }

  /** Milliseconds until something at hand may go: a limit of all, or of every domain that has rows waiting. */
  wait(now: number): number {
    const { throttle, queue } = this.#options
    const [ready] = this.#ready
    if (ready !== undefined) return throttle.pausedFor(now, ready.message.envelope.to.length)
    return Math.max(throttle.pausedFor(now), queue.wait())
  }

  /** The next job for a lane; `undefined` when there is none, or none for so long that the lane should close. */
  next(lane: number): MergeJob | undefined | Promise<MergeJob | undefined> {
    const { throttle, clock, control } = this.#options
    if (control.stopping) return undefined
    const now = clock.monotonic()
    const ready = this.#ready[0]
    if (ready === undefined) {
      const wait = throttle.pausedFor(now)
      return wait > 0 ? this.#later(lane, wait) : this.#take(lane, now)
    }
    const { due, message, madeAt } = ready
    if (now - madeAt > FRESH_MS) {
      const wait = throttle.pausedFor(now, message.envelope.to.length)
      if (wait > 0) return this.#later(lane, wait)
      if (this.#making > 0) return this.#park(lane)
      this.#release(ready)
      return this.#make(due, lane, now)
    }
    const wait = throttle.wait(now, message.envelope.to.length)
    if (wait > 0) return this.#later(lane, wait)
    this.#release(ready)
    this.#makeAhead()
    return this.#handOut(due, message, lane, now)
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

  /** Lanes that found nothing look again. */
  wake(): void {
    this.#parking.wake()
  }

  /** Messages made ahead become rows again. */
  putBack(): void {
    this.#readyOctets = 0
    for (const { due } of this.#ready.splice(0)) this.#options.queue.giveBack(due)
  }

  /** The next row for a lane, as its message. */
  #take(lane: number, now: number): MergeJob | undefined | Promise<MergeJob | undefined> {
    const { queue } = this.#options
    if (this.#making > 0 && this.#full) return this.#park(lane)
    const due = queue.take()
    if (typeof due === 'number') return this.#later(lane, due)
    if (due === undefined) {
      if (this.drained) return undefined
      void this.refill()
      return this.#park(lane)
    }
    void this.refill()
    return this.#make(due, lane, now)
  }

  #make(due: DueRow, lane: number, now: number): MergeJob | undefined | Promise<MergeJob | undefined> {
    const { throttle } = this.#options
    try {
      const message = this.#prepare(due)
      if (!(message instanceof Promise)) {
        const recipients = message.envelope.to.length
        // That nothing pauses a message to one is known here.
        const wait = recipients === 1 ? throttle.reserved(now) : throttle.wait(now, recipients)
        if (wait === 0) return this.#handOut(due, message, lane, now)
        // The limits do not let so many go yet: it is the next one.
        this.#hold(due, message, 'first')
        return this.#later(lane, wait)
      }
      // Messages that take time (signing, reading files) are made ahead, so that no lane waits for them.
      this.#makesAhead = true
      this.#await(due, message, 'first')
      this.#makeAhead()
      return this.#park(lane)
    } catch (error) {
      this.#unpreparable(due, error)
      return undefined
    }
  }

  /** @throws what kept it from being made. */
  #prepare(due: DueRow): Message | Promise<Message> {
    const { clock, prepare } = this.#options
    const message = prepare(due, due.firstAttemptAt ?? clock.now())
    return message instanceof Promise ? message.then((made) => this.#sendable(due, made)) : this.#sendable(due, message)
  }

  /** @throws DataError for a message that no waiting would let go: limits changed since the run was planned. */
  #sendable({ row }: DueRow, message: Message): Message {
    const never = this.#options.throttle.neverGoes(message.envelope.to.length)
    if (never !== undefined) throw new DataError(`row ${row}: ${never}`, { hint: NEVER_GOES_HINT })
    return message
  }

  /** Keeps a message for when its turn comes. */
  #hold(due: DueRow, message: Message, place: 'first' | 'last'): void {
    const ready = { due, message, madeAt: this.#options.clock.monotonic() }
    if (place === 'first') this.#ready.unshift(ready)
    else this.#ready.push(ready)
    this.#readyOctets += message.size
  }

  #release({ message }: Ready): void {
    this.#ready.shift()
    this.#readyOctets -= message.size
  }

  #handOut(due: DueRow, message: Message, lane: number, now: number): MergeJob {
    this.#options.throttle.take(now, message.envelope.to.length)
    return { message, due, row: due.row, lane, began: false }
  }

  #later(lane: number, milliseconds: number): undefined | Promise<MergeJob | undefined> {
    return milliseconds > IDLE_MS ? undefined : this.#park(lane, milliseconds)
  }

  /** A promise for the next job, for a lane that finds nothing at the moment. */
  #park(lane: number, milliseconds?: number): Promise<MergeJob | undefined> {
    return this.#parking.park(() => this.next(lane), milliseconds)
  }

  /** So much is made, or being made, that one more would be too much to hold. */
  get #full(): boolean {
    // How large they are is known when the first one is made.
    if (this.#lastOctets === 0) return this.#making > 0
    const octets = this.#readyOctets + this.#making * this.#lastOctets
    return octets > 0 && octets + this.#lastOctets > AHEAD_OCTETS
  }

  #makeAhead(): void {
    const { queue, control, lanes } = this.#options
    if (!this.#makesAhead) return
    while (!control.stopping && this.#ready.length + this.#making < 2 * lanes() + 2) {
      if (this.#full) return
      const due = queue.take()
      if (due === undefined || typeof due === 'number') return
      try {
        this.#await(due, Promise.resolve(this.#prepare(due)), 'last')
      } catch (error) {
        this.#unpreparable(due, error)
        return
      }
    }
  }

  #await(due: DueRow, promise: Promise<Message>, place: 'first' | 'last'): void {
    const { queue, control } = this.#options
    this.#making++
    promise.then(
      (message) => {
        this.#making--
        if (control.stopping) queue.giveBack(due)
        else {
          this.#hold(due, message, place)
          this.#lastOctets = message.size
        }
        this.wake()
        control.changed()
      },
      (error: unknown) => {
        this.#making--
        this.#unpreparable(due, error)
      },
    )
  }

  /** A planned row cannot be made any more: something changed since planning, and nobody may guess what to send. */
  #unpreparable(due: DueRow, error: unknown): void {
    const { queue, control } = this.#options
    queue.giveBack(due)
    const known =
      error instanceof MailmergeError ? error : new OutputError(`row ${due.row} cannot be composed`, { cause: error })
    control.halt({ kind: 'error', said: known.message }, known)
    control.changed()
  }
}
