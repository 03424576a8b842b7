/**
 * One message on its way over one connection. Owns its states and what the replies to its end come to; the replies before
 * that are in `envelope-exchange.ts`. Writes nothing and expects nothing by itself.
 */
import type { Job, Outcome, RefusedCopy, Reply } from '../transport.ts'
import { EnvelopeExchange } from './envelope.ts'
import { refused } from './refusal.ts'

/** The states of a message, in their order. A message leaves the first three as unsent or refused, never in doubt. */
export type TransactionState =
  /** MAIL, RCPT, DATA under way. */
  | 'envelope'
  /** 354 came; its start is being made durable. */
  | 'ready'
  /** Octets of it are being written, but not the last. */
  | 'content'
  /** Its last octets and the final dot were given to the kernel: only a reply tells what became of it. */
  | 'handed over'
  /** Answered, refused or given up. */
  | 'done'

export interface TransactionOptions {
  /** Its envelope goes out behind the content of the message before. */
  readonly behind: boolean
  /** Its content needs dots put in. */
  readonly dotted: boolean
  readonly lmtp: boolean
}

export class Transaction<J extends Job> {
  readonly job: J
  readonly behind: boolean
  readonly dotted: boolean
  readonly envelope: EnvelopeExchange
  state: TransactionState = 'envelope'
  readonly #lmtp: boolean
  readonly #ends: Reply[] = []

  constructor(job: J, { behind, dotted, lmtp }: TransactionOptions) {
    this.job = job
    this.behind = behind
    this.dotted = dotted
    this.envelope = new EnvelopeExchange(job.message)
    this.#lmtp = lmtp
  }

  /** Replies that its end of data asks for: LMTP gives one for each recipient that was taken (RFC 2033 section 4.2). */
  get endsAsked(): number {
    return this.#lmtp ? this.envelope.taken : 1
  }

  /** Takes a reply to the end of data; gives the outcome when it was the last one. Behind 421 comes no other. */
  answerEnd(reply: Reply): Outcome | undefined {
    this.#ends.push(reply)
    return reply.code === 421 || this.#ends.length >= this.endsAsked ? this.outcome : undefined
  }

  /** What the replies to the end of data say, once the first is here. A row counts by its own address, which is the first. */
  get outcome(): Outcome | undefined {
    const [own] = this.#ends
    if (own === undefined) return undefined
    if (own.code >= 300) return refused({ stage: 'end-of-data', reply: own })
    const copies = this.job.message.envelope.to.length === 1 ? [] : this.#refusedCopies()
    return { kind: 'accepted', reply: own, ...(copies.length === 0 ? {} : { refused: copies }) }
  }

  #refusedCopies(): readonly RefusedCopy[] {
    const copies: RefusedCopy[] = []
    const { recipients } = this.envelope
    let answered = 0
    for (const [index, address] of this.job.message.envelope.to.entries()) {
      const reply = recipients[index]
      if (reply === undefined) continue
      if (reply.code >= 400) {
        copies.push({ address, reply })
        continue
      }
      const end = this.#lmtp ? this.#ends[answered++] : undefined
      if (index > 0 && end !== undefined && end.code >= 300) copies.push({ address, reply: end })
    }
    return copies
  }
}
