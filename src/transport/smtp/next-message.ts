/**
 * Where a connection gets its messages. Owns asking the feed, waiting for one that is not at hand, and that a message which
 * this server cannot take at all never reaches it.
 */
import type { Feed, Job, Reply } from '../transport.ts'
import { type Look, lookAt } from './content.ts'
import { refused } from './refusal.ts'

/** A message that may be put to this server. */
export interface Fitting<J extends Job> {
  readonly job: J
  /** Its content needs dots put in. */
  readonly dotted: boolean
}

export interface IntakeOptions<J extends Job> {
  readonly feed: Feed<J>
  /** Why a message must not be put to this server. */
  readonly unfit: (job: J, look: Look) => Reply | undefined
  /** A wait is over: with a message, or without one. */
  readonly arrived: (fitting: Fitting<J> | undefined) => void
}

export class Intake<J extends Job> {
  readonly #options: IntakeOptions<J>
  #state: 'open' | 'waiting' | 'drained' | 'closed' = 'open'
  #closeReason = ''

  constructor(options: IntakeOptions<J>) {
    this.#options = options
  }

  /** A message is on its way, and will be told by `arrived`. */
  get waiting(): boolean {
    return this.#state === 'waiting'
  }

  /** There will be no further message. */
  get drained(): boolean {
    return this.#state === 'drained'
  }

  /** The next message that is at hand. */
  take(): Fitting<J> | undefined {
    while (this.#state === 'open') {
      const next = this.#options.feed.next()
      if (next === undefined) this.#state = 'drained'
      else if (next instanceof Promise) {
        this.#state = 'waiting'
        next.then(
          (job) => this.#arrived(job),
          () => this.#arrived(undefined),
        )
      } else {
        const fitting = this.#fit(next)
        if (fitting !== undefined) return fitting
      }
    }
    return undefined
  }

  /** Takes no more; a message that is still waited for goes back as unsent, with this reason. */
  close(reason: string): void {
    this.#state = 'closed'
    this.#closeReason = reason
  }

  #arrived(job: J | undefined): void {
    const { feed, arrived } = this.#options
    if (this.#state === 'closed') {
      if (job !== undefined) feed.end(job, { kind: 'unsent', reason: this.#closeReason })
      return
    }
    this.#state = job === undefined ? 'drained' : 'open'
    arrived(job === undefined ? undefined : this.#fit(job))
  }

  /** Undefined when the message was refused at once. */
  #fit(job: J): Fitting<J> | undefined {
    const { feed, unfit } = this.#options
    const look = lookAt(job.message.chunks)
    const reply = unfit(job, look)
    if (reply === undefined) return { job, dotted: look === 'dots' }
    feed.end(job, refused({ stage: 'mail', reply }))
    return undefined
  }
}
