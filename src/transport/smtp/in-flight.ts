/**
 * The messages under way on one connection: one, or one handed over and the one behind it. Owns what is told of each, once,
 * and that an answer is not believed before the replies behind it prove that it was nobody else's.
 */
import type { Feed, Job, Outcome, Reply } from '../transport.ts'
import type { Fitting } from './next-message.ts'
import { type Refusal, refused } from './refusal.ts'
import { Transaction } from './transaction.ts'

export class UnderWay<J extends Job> {
  readonly #feed: Feed<J>
  readonly #lmtp: boolean
  #open: Transaction<J>[] = []
  /** A message that was answered, while the answer has yet to prove that it was its own. */
  #held: { readonly job: J; readonly outcome: Outcome } | undefined
  #replyLeftOut = false
  #accepted = 0

  constructor(feed: Feed<J>, lmtp: boolean) {
    this.#feed = feed
    this.#lmtp = lmtp
  }

  /** The one whose turn it is to be answered. */
  get first(): Transaction<J> | undefined {
    return this.#open[0]
  }

  /** Messages that this connection took. */
  get accepted(): number {
    return this.#accepted
  }

  start({ job, dotted }: Fitting<J>): Transaction<J> {
    const transaction = new Transaction(job, { behind: this.#open.length > 0, dotted, lmtp: this.#lmtp })
    this.#open.push(transaction)
    return transaction
  }

  refuse(transaction: Transaction<J>, refusal: Refusal): void {
    this.#settle(transaction, refused(refusal))
  }

  /** Takes a reply to the end of a message; true when all that were asked for are here. */
  answerEnd(transaction: Transaction<J>, reply: Reply): boolean {
    const outcome = transaction.answerEnd(reply)
    if (outcome === undefined) return false
    transaction.state = 'done'
    this.#open.shift()
    if (outcome.kind === 'accepted') this.#accepted++
    this.#held = { job: transaction.job, outcome }
    // Nothing went out behind it, so that its answer can be nobody else's.
    if (this.#open.length === 0) this.confirm()
    return true
  }

  /**
   * Tells the outcome of the message before, once every reply to the envelope behind it came, each where it fits. Until then
   * a server that leaves out a reply could have us take the one to MAIL for the one to the message.
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

  /** An answer that is held may be the reply to something else. */
  leftOutReply(): void {
    this.#replyLeftOut = true
  }

  /**
   * The server says nothing more. Where one last reply to a group is missing, the missing one may be the first, whose place
   * the reply to MAIL then took.
   */
  fellSilent(): void {
    const { first } = this
    if (first?.behind && first.state === 'envelope' && first.envelope.lacksOneReply) this.#replyLeftOut = true
  }

  /** The connection is no more: tells what became of every message on it. */
  close(reason: string): void {
    this.confirm()
    for (const transaction of [...this.#open]) this.#settle(transaction, leftAs(transaction, reason))
  }

  #settle(transaction: Transaction<J>, outcome: Outcome): void {
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
