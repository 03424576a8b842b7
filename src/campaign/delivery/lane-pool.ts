/**
 * The lanes of a delivery: opened as the lane count and the circuit breaker allow, and judged when they end. Owns which lanes
 * are open; what goes through them is the feed's.
 */
import { MailmergeError, TurnedAwayError, UnreachableError } from '../../errors.ts'
import { systemWords } from '../../fs/system-errors.ts'
import { speaksOfRate } from '../../replies/pace.ts'
import { accountStop } from '../../replies/sender-block-detector.ts'
import type { Feed, Lane, LaneEnd, Outcome, Transport } from '../../transport/transport.ts'
import type { CircuitBreaker } from './circuit-breaker.ts'
import type { DeliveryControl } from './delivery-control.ts'
import type { JobQueue, MergeJob } from './job-queue.ts'
import type { LaneCountController } from './lane-count.ts'
import type { Outcomes } from './outcomes.ts'
import { haltFor } from './sender-stop.ts'

/** Lanes in a row that broke without delivering anything. */
const BARREN_LANES = 6

export interface LanePoolOptions {
  readonly transport: Transport
  readonly jobs: JobQueue
  readonly outcomes: Outcomes
  readonly laneCount: LaneCountController
  readonly breaker: CircuitBreaker
  readonly control: DeliveryControl
  /** The server complained about the rate. */
  readonly throttled: (said: string) => void
  /** The server cannot be used; `error` is why the last try failed. */
  readonly outage: (reason: string, error?: MailmergeError) => void
}

export class LanePool {
  readonly #options: LanePoolOptions
  readonly #lanes = new Set<Lane>()
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

  /** Lanes that are still being opened are given up. */
  stopOpening(): void {
    this.#opens.abort()
  }

  /** Cuts every lane now. */
  abort(): void {
    for (const lane of this.#lanes) lane.abort()
  }

  async #open(): Promise<void> {
    const { transport, laneCount, control, jobs, outcomes } = this.#options
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
    this.#lanes.add(lane)
    laneCount.recordOpened()
    control.changed()
    const feed = new LaneFeed(number, jobs, outcomes, () => this.#served())
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
        const said = `${end.reply.code} ${end.reply.text}`
        outcomes.forgive(unsent)
        laneCount.recordThrottling(this.#lanes.size)
        const account = accountStop(end.reply)
        if (account !== undefined) haltFor(account, control)
        else if (speaksOfRate(end.reply)) throttled(said)
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

/** The feed of one lane. Counts what became of its messages. */
class LaneFeed implements Feed<MergeJob> {
  readonly #number: number
  readonly #jobs: JobQueue
  readonly #outcomes: Outcomes
  readonly #onServed: () => void
  #waitingSince = 0
  /** Messages that the server answered for. */
  served = 0
  /** Recipients whose message was given back untried. */
  readonly unsent: number[] = []

  constructor(number: number, jobs: JobQueue, outcomes: Outcomes, onServed: () => void) {
    this.#number = number
    this.#jobs = jobs
    this.#outcomes = outcomes
    this.#onServed = onServed
  }

  /** Milliseconds since it began to wait for a message. */
  get idleFor(): number {
    return performance.now() - this.#waitingSince
  }

  next(): MergeJob | undefined | Promise<MergeJob | undefined> {
    const job = this.#jobs.next(this.#number)
    if (job instanceof Promise) this.#waitingSince = performance.now()
    return job
  }

  begin(job: MergeJob): Promise<void> {
    return this.#outcomes.begin(job)
  }

  end(job: MergeJob, outcome: Outcome): void {
    if (outcome.kind === 'unsent') this.unsent.push(job.due.recipient)
    this.#outcomes.end(job, outcome)
    if (outcome.kind === 'unsent' || outcome.kind === 'in_doubt') return
    this.served++
    this.#onServed()
  }
}
