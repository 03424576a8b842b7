/**
 * The messages of one connection: got from the feed, in flight (one, or one handed over and the one behind it), and answered.
 * Owns the states of a message, what the replies to its end mean, and that each outcome is reported once, and not before the
 * replies behind it prove that an answer belongs to no other message. The replies before the end of data are in `envelope.ts`.
 */
import { isPending } from '../../maybe-promise.ts'
import type { Reply } from '../../replies/reply.ts'
import { type ContentScan, scanContent } from '../line-endings.ts'
import type { CopyOutcome, Feed, Job, Outcome } from '../transport.ts'
import { EnvelopeState, type Rejection } from './envelope.ts'

/** The states of a message, in order. From the first three it ends as unsent or rejected, never in doubt. */
export type TransactionState =
  /** MAIL, RCPT and DATA are being answered. */
  | 'envelope'
  /** 354 came; its start is being made durable. */
  | 'ready'
  /** Bytes of it are being written, but not the last. */
  | 'content'
  /** Its last bytes and the final dot were given to the kernel: only a reply can show what became of it. */
  | 'handed over'
  /** Answered, rejected or given up. */
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
  readonly envelope: EnvelopeState
  state: TransactionState = 'envelope'
  readonly #lmtp: boolean
  readonly #ends: Reply[] = []

  constructor(job: J, { behind, dotted, lmtp }: TransactionOptions) {
    this.job = job
    this.behind = behind
    this.dotted = dotted
    this.envelope = new EnvelopeState(job.message)
    this.#lmtp = lmtp
  }

  /** Replies that its end of data asks for: LMTP gives one for each recipient that was taken (RFC 2033 section 4.2). */
  get endsAsked(): number {
    return this.#lmtp ? this.envelope.taken : 1
  }

  /** Adds a reply to the end of data; returns the outcome when it was the last one. After 421 no other follows. */
  addEndReply(reply: Reply): Outcome | undefined {
    this.#ends.push(reply)
    return reply.code === 421 || this.#ends.length >= this.endsAsked ? this.outcome : undefined
  }

  /** The outcome by the replies to the end of data, once the first is here. A row counts by its own address, the first. */
  get outcome(): Outcome | undefined {
    const [own] = this.#ends
    if (own === undefined) return undefined
    const copies = this.job.message.envelope.to.length === 1 ? [] : this.#copiesApart(own)
    const apart = copies.length === 0 ? undefined : copies
    if (own.code >= 300) return { ...rejectionOutcome({ stage: 'end-of-data', reply: own }), copies: apart }
    return { kind: 'accepted', reply: own, copies: apart }
  }

  /**
   * The copies for which the row's state does not hold: those that did not go with it, and all of them where the row did not go
   * and one of them did, so that it does not go twice.
   */
  #copiesApart(own: Reply): readonly CopyOutcome[] {
    const { recipients } = this.envelope
    const last = this.#ends.at(-1)
    let answered = 0
    const [, ...copies] = this.job.message.envelope.to.map((address, index): CopyOutcome => {
      const reply = recipients[index] ?? BEYOND_LIMIT
      if (reply.code >= 400) return { address, reply }
      if (!this.#lmtp) return { address, reply: own }
      // After 421 the server answers nobody, and that is its answer to the rest.
      return { address, reply: this.#ends[answered++] ?? (last?.code === 421 ? last : undefined) }
    })
    const went = ({ reply }: CopyOutcome): boolean => reply !== undefined && reply.code < 300
    if (own.code < 300) return copies.filter((copy) => !went(copy))
    return copies.some((copy) => copy.reply === undefined || went(copy)) ? copies : []
  }
}

/** As a server says it that does not announce its limit. */
const BEYOND_LIMIT: Reply = { code: 452, enhanced: '4.5.3', text: 'too many recipients for one message to this server' }

function rejectionOutcome({ stage, reply }: Rejection): Extract<Outcome, { kind: 'rejected' | 'deferred' }> {
  return { kind: reply.code >= 500 ? 'rejected' : 'deferred', stage, reply }
}

export class InFlight<J extends Job> {
  readonly #feed: Feed<J>
  readonly #lmtp: boolean
  #open: Transaction<J>[] = []
  /** A message that was answered, while it is not yet proven that the answer was its own. */
  #held: { readonly job: J; readonly outcome: Outcome } | undefined
  #replyLeftOut = false
  #accepted = 0

  constructor(feed: Feed<J>, lmtp: boolean) {
    this.#feed = feed
    this.#lmtp = lmtp
  }

  /** The one that will be answered next. */
  get first(): Transaction<J> | undefined {
    return this.#open[0]
  }

  /** Messages accepted on this connection. */
  get accepted(): number {
    return this.#accepted
  }

  start({ job, dotted }: PulledMessage<J>): Transaction<J> {
    const transaction = new Transaction(job, { behind: this.#open.length > 0, dotted, lmtp: this.#lmtp })
    this.#open.push(transaction)
    return transaction
  }

  reject(transaction: Transaction<J>, rejection: Rejection): void {
    this.#end(transaction, rejectionOutcome(rejection))
  }

  /** Adds a reply to the end of a message; true when all expected ones are here. */
  addEndReply(transaction: Transaction<J>, reply: Reply): boolean {
    const outcome = transaction.addEndReply(reply)
    if (outcome === undefined) return false
    transaction.state = 'done'
    this.#open.shift()
    if (outcome.kind === 'accepted') this.#accepted++
    this.#held = { job: transaction.job, outcome }
    // Nothing was written behind it, so the answer can belong to no other message.
    if (this.#open.length === 0) this.confirm()
    return true
  }

  /**
   * Reports the outcome of the message before, once every reply to the envelope behind it has come, each where it fits. Until
   * then a server that left out a reply could make the reply to MAIL look like the one to the message.
   */
  confirm(): Outcome | undefined {
    const held = this.#held
    if (held === undefined) return undefined
    this.#held = undefined
    const outcome: Outcome = this.#replyLeftOut
      ? { kind: 'in_doubt', reason: 'handed over, and then the server left out a reply' }
      : held.outcome
    this.#feed.end(held.job, outcome)
    return outcome
  }

  /** The answer that is held back may be the reply to something else. */
  leftOutReply(): void {
    this.#replyLeftOut = true
  }

  /**
   * The server sends nothing more. Where one last reply to a group is missing, the missing one may be the first, and the
   * reply to MAIL took its place.
   */
  fellSilent(): void {
    const { first } = this
    if (first?.behind && first.state === 'envelope' && first.envelope.lacksOneReply) this.#replyLeftOut = true
  }

  /** The connection is closed: reports the outcome of every message on it. */
  close(reason: string): void {
    this.confirm()
    for (const transaction of [...this.#open]) this.#end(transaction, leftAs(transaction, reason))
  }

  #end(transaction: Transaction<J>, outcome: Outcome): void {
    transaction.state = 'done'
    this.#open = this.#open.filter((other) => other !== transaction)
    this.#feed.end(transaction.job, outcome)
  }
}

function leftAs<J extends Job>(transaction: Transaction<J>, reason: string): Outcome {
  if (transaction.state !== 'handed over') return { kind: 'unsent', reason }
  // LMTP may have said what became of the row's own copy before the line broke.
  const known = transaction.outcome
  return known ?? { kind: 'in_doubt', reason: `handed over, but the answer never came: ${reason}` }
}

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

/**
 * Where a connection gets its messages: asks the feed, waits for one that is not ready, rejects one that this server cannot take
 * at all.
 */
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
      else if (isPending(next)) {
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
