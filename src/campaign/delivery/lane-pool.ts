/**
 * The lanes of a delivery: how many there may be, opened as the lane count and the circuit breaker allow, and judged when they
 * end. Owns which lanes are open; what goes through them is the feed's.
 */

import { MailmergeError, TurnedAwayError, UnreachableError } from '../../errors.ts'
import { systemWords } from '../../fs/system-errors.ts'
import { answerWords, type Reply, speaksOfRate } from '../../replies/reply.ts'
import { accountStop } from '../../replies/sender-block-detector.ts'
import type { Lane, LaneEnd, Transport } from '../../transport/transport.ts'
import type { Clock } from '../clock.ts'
import { type DeliveryControl, haltFor } from './delivery-control.ts'
import type { JobQueue } from './job-queue.ts'
import { LaneFeed } from './lane-feed.ts'
import type { Outcomes } from './outcomes.ts'
import type { LaneProgress } from './progress.ts'
import { reconnectGap } from './retry.ts'

/** Lanes in a row that broke without delivering anything. */
const BARREN_LANES = 6

export interface LanePoolOptions {
  readonly transport: Transport
  readonly jobs: JobQueue
  readonly outcomes: Outcomes
  readonly laneCount: LaneCountController
  readonly breaker: CircuitBreaker
  readonly control: DeliveryControl
  readonly clock: Clock
  /** The server complained about the rate. */
  readonly throttled: (reply: Reply) => void
  /** The server cannot be used; `error` is why the last try failed. */
  readonly outage: (reason: string, error?: MailmergeError) => void
}

export class LanePool {
  readonly #options: LanePoolOptions
  readonly #lanes = new Map<Lane, { readonly place: number; readonly feed: LaneFeed }>()
  readonly #opens = new AbortController()
  #opening = 0
  #number = 0
  #everOpened = false
  #barren = 0

  constructor(options: LanePoolOptions) {
    this.#options = options
  }

  /** Lanes at work. */
  get size(): number {
    return this.#lanes.size
  }

  /** True when no lane is open, nor about to be. */
  get empty(): boolean {
    return this.#lanes.size === 0 && this.#opening === 0
  }

  /** Opens lanes for this many messages, those in flight included, up to the number allowed. */
  openFor(messages: number): void {
    const { laneCount, breaker } = this.#options
    const wanted = Math.min(breaker.tripped ? 1 : laneCount.target, messages)
    while (this.#lanes.size + this.#opening < wanted) {
      this.#opening++
      void this.#open()
    }
  }

  /** Each lane at work, by its place. Looks back to the calls before, so call it at intervals. */
  progress(): readonly LaneProgress[] {
    return [...this.#lanes]
      .map(([{ encryption }, { place, feed }]) => ({ place, encryption, ...feed.progress() }))
      .sort((a, b) => a.place - b.place)
  }

  /** Lanes that are still being opened are given up. */
  stopOpening(): void {
    this.#opens.abort()
  }

  /** Cuts every lane now. */
  abort(): void {
    for (const lane of this.#lanes.keys()) lane.abort()
  }

  /** The place of a lane that ended is the next one's. */
  #freePlace(): number {
    const taken = new Set([...this.#lanes.values()].map(({ place }) => place))
    let place = 1
    while (taken.has(place)) place++
    return place
  }

  async #open(): Promise<void> {
    const { transport, laneCount, control, jobs, outcomes, clock } = this.#options
    const number = ++this.#number
    let lane: Lane
    try {
      lane = await transport.open(this.#opens.signal)
    } catch (error) {
      this.#opening--
      this.#failed(error)
      control.changed()
      return
    }
    this.#opening--
    this.#everOpened = true
    const feed = new LaneFeed(number, { jobs, outcomes, clock, onServed: () => this.#served() })
    this.#lanes.set(lane, { place: this.#freePlace(), feed })
    laneCount.recordOpened()
    control.changed()
    let end: LaneEnd
    try {
      end = await lane.run(feed)
    } catch (error) {
      end = { kind: 'lost', reason: systemWords(error) }
    }
    this.#lanes.delete(lane)
    this.#ended(end, feed)
    control.changed()
  }

  /** The first connection of a run that fails is a wrong host or a wrong password; later ones are a bad day. */
  #failed(error: unknown): void {
    const { control, laneCount, outage } = this.#options
    if (control.stopping) return
    const known =
      error instanceof MailmergeError ? error : new UnreachableError('the server cannot be reached', { cause: error })
    const passing = known instanceof UnreachableError && (this.#everOpened || known instanceof TurnedAwayError)
    if (!passing) control.halt({ kind: 'error', said: known.message }, known)
    else if (this.#lanes.size === 0) outage(known.message, known)
    else {
      laneCount.recordThrottling(this.#lanes.size)
      control.note(`continuing with fewer connections: ${known.message}`)
    }
  }

  /** The server answered for a message. */
  #served(): void {
    const { breaker, control } = this.#options
    this.#barren = 0
    if (!breaker.tripped) return
    breaker.recordSuccess()
    control.changed()
  }

  #ended(end: LaneEnd, { served, unsent, idleFor }: LaneFeed): void {
    const { jobs, laneCount, control, outcomes, outage, throttled } = this.#options
    switch (end.kind) {
      case 'drained':
        return
      case 'limit':
        outcomes.forgive(unsent)
        return
      case 'idle':
        outcomes.forgive(unsent)
        jobs.shortenIdle(idleFor)
        return
      case 'throttled': {
        const said = answerWords(end.reply)
        outcomes.forgive(unsent)
        laneCount.recordThrottling(this.#lanes.size)
        const account = accountStop(end.reply)
        if (account !== undefined) haltFor(account, control)
        else if (speaksOfRate(end.reply)) throttled(end.reply)
        else if (served === 0 && this.empty) outage(`the server asks for less: ${said}`)
        return
      }
      case 'lost':
      case 'protocol':
        // A lane or two may break on any day; when none gets anywhere the server is as good as away.
        if (served === 0 && ++this.#barren >= BARREN_LANES && this.empty) outage(end.reason)
    }
  }
}

const FIRST_TARGET = 2
/** After a server asked for less, no new lane for this long; doubled each time it asks again, up to the longest. */
const HOLD_MS = 15_000
const LONGEST_HOLD_MS = 600_000

/**
 * How many lanes a run may have at this moment: one more for each success until the server first asks for less, as TCP starts
 * (RFC 5681 section 3.1); from then on one more after as many successes as there are lanes, and fewer when the server says so
 * (the 1/N feedback that Postfix's scheduler uses by default).
 */
export class LaneCountController {
  readonly #max: number
  readonly #clock: Clock
  #target = 1
  #credit = 0
  #holdUntil = Number.NEGATIVE_INFINITY
  #hold = HOLD_MS

  constructor(max: number, clock: Clock) {
    this.#max = Math.max(1, max)
    this.#clock = clock
  }

  /** Lanes that may be open now. */
  get target(): number {
    return this.#target
  }

  /** Lanes that may be open where the server asks for nothing less. */
  get most(): number {
    return this.#max
  }

  /** The server asked for fewer than there were, and there may not be all again yet. */
  get isHeldBack(): boolean {
    return this.#holdUntil !== Number.NEGATIVE_INFINITY && this.#target < this.#max
  }

  /** The first lane got through greeting and login: the account works, others may follow. */
  recordOpened(): void {
    if (this.#target === 1 && this.#clock.monotonic() >= this.#holdUntil)
      this.#target = Math.min(FIRST_TARGET, this.#max)
  }

  /** A message was accepted. True when there may be one lane more for it. */
  recordSuccess(): boolean {
    if (this.#target >= this.#max) return false
    this.#credit += this.#holdUntil === Number.NEGATIVE_INFINITY ? 1 : 1 / this.#target
    if (this.#credit < 1 || this.#clock.monotonic() < this.#holdUntil) return false
    this.#credit = 0
    this.#target++
    return true
  }

  /** The server asked for less, or refused a further connection while `live` others worked. */
  recordThrottling(live: number): void {
    const now = this.#clock.monotonic()
    // Several lanes get the same answer at once: it counts once.
    if (now >= this.#holdUntil) {
      this.#hold = this.#holdUntil === Number.NEGATIVE_INFINITY ? HOLD_MS : Math.min(LONGEST_HOLD_MS, this.#hold * 2)
      this.#holdUntil = now + this.#hold
    }
    this.#credit = 0
    this.#target = Math.max(1, Math.min(this.#target - 1, live))
  }
}

/** A failure this long after the one before begins a new outage. */
const FORGOTTEN_MS = 10 * 60_000

/**
 * A server that is away: when it may be tried again, with growing gaps, and when to give up. Only an answer to a message counts
 * as the server's return: one that greets and hangs up is still away.
 */
export class CircuitBreaker {
  readonly #clock: Clock
  readonly #longest: number
  #failures = 0
  #since = 0
  #last = Number.NEGATIVE_INFINITY
  #closedUntil = Number.NEGATIVE_INFINITY

  /** `longest` is how many milliseconds a server may be away. */
  constructor(clock: Clock, longest: number) {
    this.#clock = clock
    this.#longest = longest
  }

  /** True until the server answers for a message again: it is tried with one lane at a time. */
  get tripped(): boolean {
    return this.#failures > 0
  }

  /** Milliseconds until the server may be tried again. */
  msUntilRetry(now: number): number {
    return Math.max(0, this.#closedUntil - now)
  }

  /** The server answered for a message. */
  recordSuccess(): void {
    this.#failures = 0
  }

  /** The server could not be used. Returns the milliseconds until the next try, or undefined when it was away for too long. */
  recordFailure(): number | undefined {
    const now = this.#clock.monotonic()
    if (this.#failures === 0 || now - this.#last > FORGOTTEN_MS) {
      this.#failures = 0
      this.#since = now
    }
    this.#last = now
    if (now - this.#since > this.#longest) return undefined
    const gap = reconnectGap(++this.#failures, this.#clock.random)
    this.#closedUntil = now + gap
    return gap
  }
}
