/**
 * One message on its way over one connection. Owns what was asked and answered for it, and what its answers come to;
 * writes nothing and expects nothing by itself.
 */
import type { Job, Outcome, RefusedCopy, Reply } from '../transport.ts'

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

export interface Refusal {
  readonly stage: 'mail' | 'rcpt' | 'data' | 'end-of-data'
  readonly reply: Reply
}

export class Transaction<J extends Job> {
  readonly job: J
  /** True when its envelope went out behind the content of the message before. */
  readonly behind: boolean
  /** True when its content needs dots put in. */
  readonly dotted: boolean
  state: TransactionState = 'envelope'
  /** Commands of its envelope that wait for a reply. */
  outstanding = 0
  mailAsked = false
  recipientsAsked = 0
  dataAsked = false
  mail: Reply | undefined
  /** In the order of the envelope. */
  readonly recipients: Reply[] = []
  data: Reply | undefined
  /** Replies to the end of data; LMTP gives one for each recipient that was taken (RFC 2033 section 4.2). */
  readonly ends: Reply[] = []

  constructor(job: J, behind: boolean, dotted: boolean) {
    this.job = job
    this.behind = behind
    this.dotted = dotted
  }

  /** Recipients that the server took. */
  get taken(): number {
    let count = 0
    for (const { code } of this.recipients) if (code < 300) count++
    return count
  }

  get allRecipientsAnswered(): boolean {
    return this.recipients.length === this.job.message.envelope.to.length
  }

  /** The first thing that speaks against the envelope: MAIL, the row's own address, or DATA. */
  get refusal(): Refusal | undefined {
    const { mail, data } = this
    if (mail !== undefined && mail.code >= 400) return { stage: 'mail', reply: mail }
    const [own] = this.recipients
    if (own !== undefined && own.code >= 400) return { stage: 'rcpt', reply: own }
    return data !== undefined && data.code >= 400 ? { stage: 'data', reply: data } : undefined
  }

  /** What the replies to the end of data say. A row counts by its own address, which is the first. */
  outcome(lmtp: boolean): Outcome | undefined {
    const [own] = this.ends
    if (own === undefined) return undefined
    if (own.code >= 300) return refused({ stage: 'end-of-data', reply: own })
    const copies = this.job.message.envelope.to.length === 1 ? [] : this.#refusedCopies(lmtp)
    return { kind: 'accepted', reply: own, ...(copies.length === 0 ? {} : { refused: copies }) }
  }

  #refusedCopies(lmtp: boolean): readonly RefusedCopy[] {
    const copies: RefusedCopy[] = []
    let answered = 0
    for (const [index, address] of this.job.message.envelope.to.entries()) {
      const reply = this.recipients[index]
      if (reply === undefined) continue
      if (reply.code >= 400) {
        copies.push({ address, reply })
        continue
      }
      const end = lmtp ? this.ends[answered++] : undefined
      if (index > 0 && end !== undefined && end.code >= 300) copies.push({ address, reply: end })
    }
    return copies
  }
}

export function refused({ stage, reply }: Refusal): Outcome {
  return { kind: reply.code >= 500 ? 'rejected' : 'deferred', stage, reply }
}
