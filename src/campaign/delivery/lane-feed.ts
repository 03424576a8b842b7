/** The feed of one lane: what became of its messages, and how it is going. Sends nothing, and decides nothing about lanes. */
import { isPending, type MaybePromise } from '../../maybe-promise.ts'
import type { Feed, Outcome } from '../../transport/transport.ts'
import type { Clock } from '../clock.ts'
import type { JobQueue, MergeJob } from './job-queue.ts'
import type { Outcomes } from './outcomes.ts'
import { type LaneProgress, RateWindow } from './progress.ts'
import { idOf } from './row-cursor.ts'

export interface LaneFeedOptions {
  readonly jobs: JobQueue
  readonly outcomes: Outcomes
  readonly clock: Clock
  /** The server answered for a message. */
  readonly onServed: () => void
}

export class LaneFeed implements Feed<MergeJob> {
  readonly #number: number
  readonly #jobs: JobQueue
  readonly #outcomes: Outcomes
  readonly #onServed: () => void
  readonly #clock: Clock
  readonly #pace: RateWindow
  #waitingSince = 0
  /** Row of the message that was begun last. */
  #row: number | undefined
  /** Messages begun and not ended. */
  #open = 0
  /** When the last message was begun or ended. */
  #movedAt: number
  /** Messages that the server answered for. */
  served = 0
  /** Rows and copies, by `idOf`, whose message was given back untried. */
  readonly unsent: number[] = []

  constructor(number: number, { jobs, outcomes, clock, onServed }: LaneFeedOptions) {
    this.#number = number
    this.#jobs = jobs
    this.#outcomes = outcomes
    this.#onServed = onServed
    this.#clock = clock
    this.#pace = new RateWindow(clock)
    this.#movedAt = clock.monotonic()
  }

  /** How the lane is going. Looks back to the calls before, so call it at intervals. */
  progress(): Pick<LaneProgress, 'row' | 'quietMs' | 'rate'> {
    const quietMs = this.#clock.monotonic() - this.#movedAt
    return { row: this.#open === 0 ? undefined : this.#row, quietMs, rate: this.#pace.rate(this.served) }
  }

  /** Milliseconds since it began to wait for a message. */
  get idleFor(): number {
    return performance.now() - this.#waitingSince
  }

  next(): MaybePromise<MergeJob | undefined> {
    const job = this.#jobs.next(this.#number)
    if (isPending(job)) this.#waitingSince = performance.now()
    return job
  }

  begin(job: MergeJob): Promise<void> {
    this.#row = job.row
    this.#open++
    this.#movedAt = this.#clock.monotonic()
    return this.#outcomes.begin(job)
  }

  end(job: MergeJob, outcome: Outcome): void {
    if (job.began) this.#open--
    this.#movedAt = this.#clock.monotonic()
    this.#jobs.ended()
    if (outcome.kind === 'unsent') this.unsent.push(idOf(job.due))
    this.#outcomes.end(job, outcome)
    if (outcome.kind === 'unsent' || outcome.kind === 'in_doubt') return
    this.served++
    this.#onServed()
  }
}
