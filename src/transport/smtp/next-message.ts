/**
 * Where a connection gets its messages. Owns asking the feed, waiting for a message that is not ready, and rejecting one that
 * this server cannot take at all.
 */

import type { Reply } from '../../replies/reply.ts'
import { type ContentScan, scanContent } from '../line-endings.ts'
import type { Feed, Job } from '../transport.ts'

/** A message that may be sent to this server. */
export interface PulledMessage<J extends Job> {
  readonly job: J
  /** Its content needs dots put in. */
  readonly dotted: boolean
}

export interface MessagePullOptions<J extends Job> {
  readonly feed: Feed<J>
  /** Why a message must not be sent to this server. */
  readonly unfit: (job: J, scan: ContentScan) => Reply | undefined
  /** A wait is over: with a message, or without one. */
  readonly arrived: (message: PulledMessage<J> | undefined) => void
}

export class MessagePull<J extends Job> {
  readonly #options: MessagePullOptions<J>
  #state: 'open' | 'waiting' | 'drained' | 'closed' = 'open'
  #closeReason = ''

  constructor(options: MessagePullOptions<J>) {
    this.#options = options
  }

  /** A message is awaited; `arrived` is called when it is here. */
  get waiting(): boolean {
    return this.#state === 'waiting'
  }

  /** There will be no further message. */
  get drained(): boolean {
    return this.#state === 'drained'
  }

  /** The next message that is ready. */
  next(): PulledMessage<J> | undefined {
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
        const pulled = this.#accept(next)
        if (pulled !== undefined) return pulled
      }
    }
    return undefined
  }

  /** Asks for no more; a message that is still awaited goes back as unsent, with this reason. */
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
    arrived(job === undefined ? undefined : this.#accept(job))
  }

  /** Undefined when the message was rejected at once. */
  #accept(job: J): PulledMessage<J> | undefined {
    const { feed, unfit } = this.#options
    const scan = scanContent(job.message.chunks)
    const reply = unfit(job, scan)
    if (reply === undefined) return { job, dotted: scan === 'dots' }
    feed.end(job, { kind: 'rejected', stage: 'mail', reply })
    return undefined
  }
}
