/**
 * A lane for transports that take one message at a time and then say what became of it. Owns the order that the seam asks
 * for: nothing is handed over before its start is durable, and every job that was taken ends exactly once.
 */
import type { Message } from '../message/message.ts'
import { scanContent } from './line-endings.ts'
import type { Feed, Job, Lane, LaneEnd, Outcome } from './transport.ts'

/** What became of one message, and why the lane goes no further where it does not. */
export interface Handed {
  readonly outcome: Outcome
  readonly lost?: string
}

/**
 * Hands one message over. Called one at a time; `signal` says that nobody waits any longer.
 * @throws nothing: a failure is an outcome.
 */
export type HandOver<J extends Job = Job> = (message: Message, job: J, signal: AbortSignal) => Promise<Handed>

/** A lane that hands over one message after the other. A job cut off while it is handed over is in doubt. */
export function oneByOne(handOver: HandOver): Lane {
  const cut = new AbortController()
  /** Ends the waiting for the message under way: one that would outlive it would pile up over a million of them. */
  let giveUp = (): void => {}

  /** What became of it; undefined when nobody waits any longer. */
  function handed(job: Job): Promise<Handed | undefined> {
    return new Promise((resolve, reject) => {
      giveUp = () => resolve(undefined)
      handOver(job.message, job, cut.signal).then(resolve, reject)
    })
  }

  async function run<J extends Job>(feed: Feed<J>): Promise<LaneEnd> {
    for (;;) {
      const job = cut.signal.aborted ? undefined : await feed.next()
      if (job === undefined) return { kind: 'drained' }
      const unsent = (reason: string): LaneEnd => {
        feed.end(job, { kind: 'unsent', reason })
        return { kind: 'lost', reason }
      }
      if (cut.signal.aborted) return unsent('the run was stopped')
      const fault = impurity(job.message)
      if (fault !== undefined) {
        feed.end(job, fault)
        continue
      }
      try {
        await feed.begin(job)
      } catch {
        return unsent('the attempt could not be recorded')
      }
      if (cut.signal.aborted) return unsent('the run was stopped')
      const end = await handed(job)
      if (end === undefined) {
        feed.end(job, { kind: 'in_doubt', reason: 'handed over, and stopped before the answer' })
        return { kind: 'lost', reason: 'the run was stopped' }
      }
      feed.end(job, end.outcome)
      if (end.lost !== undefined) return { kind: 'lost', reason: end.lost }
    }
  }

  return {
    run,
    abort() {
      cut.abort()
      giveUp()
    },
  }
}

/** The composer makes no such message; this is the last fence, as it is for SMTP. */
function impurity({ chunks }: Message): Outcome | undefined {
  if (scanContent(chunks) !== 'impure') return undefined
  const text = 'the composed message has a bare line break or a NUL in it, which must not go anywhere'
  return { kind: 'rejected', stage: 'data', reply: { code: 554, enhanced: '5.6.0', text } }
}
