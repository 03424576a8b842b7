/**
 * One authenticated connection working through messages (RFC 5321, pipelined as RFC 2920 allows). Owns the order of things
 * and the rule that decides everything: content is written only when this very message's sender, recipient and DATA were
 * accepted on this connection, and from the moment its final dot is given to the kernel it is in doubt until a reply that can
 * be nobody else's says what became of it.
 *
 * Each part of it is kept by one module. `intake.ts`: messages from the feed. `under-way.ts`: the one or two that are on the
 * connection, and what is told of them (`transaction.ts`, `envelope-exchange.ts`). `conversation.ts`: commands, replies and
 * time (`expectations.ts`, `wire.ts`). `content-writer.ts`: from 354 to the final dot. `budget.ts`: how much the connection
 * is used for. `connection-verdict.ts`: what replies say of the connection.
 *
 * A lane is `working`, `leaving` (QUIT was said) or `over`. Whatever does not fit poisons the connection: nothing more is
 * written, what was handed over and not answered is in doubt, and everything else is untouched.
 *
 * An attempt begins when 354 came and not earlier: the replies of a group come together, so that nothing is lost by it, and
 * a refused envelope costs no record.
 */
import type { SmtpTimeouts } from '../../config/settings.ts'
import type { Feed, Job, Lane, LaneEnd, Outcome, Reply } from '../transport.ts'
import { type EnvelopeRequests, unfit } from './commands.ts'
import type { AuthenticatedSocket, DialogueLine } from './connect/socket.ts'
import { Budget, type BudgetLimits } from './connection-limits.ts'
import { onHangUp, onMailRefused, onSilence, type Standing, type Verdict } from './connection-policy.ts'
import { ContentWriter } from './content-writer.ts'
import { Conversation, type ConversationListener } from './dialogue.ts'
import { UnderWay } from './in-flight.ts'
import { type Fitting, Intake } from './next-message.ts'
import type { Expected } from './pending-replies.ts'
import { type Pipelining, pickLevel } from './pipelining.ts'
import type { Refusal } from './refusal.ts'
import type { Transaction } from './transaction.ts'

export interface SessionOptions {
  readonly connection: AuthenticatedSocket
  readonly timeouts: SmtpTimeouts
  readonly lmtp: boolean
  /** Highest level that settings and memory allow. */
  readonly pipelining: Pipelining
  readonly limits: BudgetLimits
  readonly requests: EnvelopeRequests
  /** A lower level was found to be the safe one. */
  readonly onFallback?: (level: Pipelining, reason: string) => void
  /** The server takes only so many messages a connection. */
  readonly onMessageLimit?: (count: number) => void
  readonly dialogue?: DialogueLine
}

export function createSession(options: SessionOptions): Lane {
  let abort = (): void => {
    options.connection.socket.destroy()
  }
  return {
    run<J extends Job>(feed: Feed<J>): Promise<LaneEnd> {
      const session = new Session<J>(options, feed)
      abort = () => session.abort()
      return session.run()
    },
    abort: () => abort(),
  }
}

class Session<J extends Job> implements ConversationListener<J> {
  readonly #options: SessionOptions
  readonly #level: Pipelining
  readonly #budget: Budget
  readonly #conversation: Conversation<J>
  readonly #intake: Intake<J>
  readonly #underWay: UnderWay<J>
  readonly #content: ContentWriter<J>
  #state: 'working' | 'leaving' | 'over' = 'working'
  /** Why it ends, once it does. What ended it first counts. */
  #end: LaneEnd | undefined
  #resolve: (end: LaneEnd) => void = () => {}

  constructor(options: SessionOptions, feed: Feed<J>) {
    const { connection, timeouts, lmtp, requests, dialogue } = options
    const { socket, extensions } = connection
    this.#options = options
    this.#level = pickLevel(options.pipelining, extensions.pipelining, lmtp)
    this.#budget = new Budget(options.limits, extensions)
    this.#conversation = new Conversation({ socket, timeouts, listener: this, dialogue })
    this.#intake = new Intake({
      feed,
      unfit: ({ message }, look) => unfit(message, look, extensions, requests),
      arrived: (fitting) => this.#arrived(fitting),
    })
    this.#underWay = new UnderWay(feed, lmtp)
    this.#content = new ContentWriter({ feed, conversation: this.#conversation, behind: () => this.#takeBehind() })
  }

  run(): Promise<LaneEnd> {
    return new Promise((resolve) => {
      this.#resolve = resolve
      this.#conversation.start()
      this.#advance()
      this.#conversation.flush()
    })
  }

  abort(): void {
    this.#conversation.cut('stopped')
  }

  // ---- taking messages ---------------------------------------------------------------------------------------------

  /** Starts the next message when nothing of an earlier one is in its way. */
  #advance(): void {
    if (this.#state !== 'working' || this.#intake.waiting || this.#underWay.first !== undefined) return
    const spent = this.#budget.spent()
    if (spent !== undefined) return this.#leave({ kind: 'limit', reply: { code: 250, text: spent } })
    this.#take()
    if (this.#intake.drained) this.#leave({ kind: 'drained' })
  }

  /** Level 2 is earned by one whole success on this connection. */
  #takeBehind(): void {
    if (this.#level === 2 && this.#underWay.accepted > 0 && this.#budget.spent() === undefined) this.#take()
  }

  #take(): void {
    const fitting = this.#intake.take()
    if (fitting !== undefined) this.#start(fitting)
  }

  /** A message that was waited for. One that was handed over meanwhile may still be unanswered: it goes behind. */
  #arrived(fitting: Fitting<J> | undefined): void {
    if (fitting === undefined) this.#advance()
    else this.#start(fitting)
    this.#conversation.flush()
  }

  #start(fitting: Fitting<J>): void {
    const transaction = this.#underWay.start(fitting)
    if (this.#budget.resetOwed) this.#conversation.ask({ kind: 'rset' }, 'RSET\r\n')
    this.#budget.start(fitting.job.message.envelope.to)
    this.#ask(transaction)
  }

  #ask(transaction: Transaction<J>): void {
    const { connection, requests } = this.#options
    const group = transaction.envelope.next(this.#level > 0, connection.extensions, requests)
    for (const { kind, command } of group) this.#conversation.ask({ kind, transaction }, command)
  }

  // ---- hearing -----------------------------------------------------------------------------------------------------

  answered(expected: Expected<J>, reply: Reply): void {
    const { kind } = expected
    if (kind === 'quit') return this.#finish({ kind: 'drained' })
    if (kind === 'end') return this.#endAnswered(expected.transaction, reply)
    if (reply.code === 421) return this.#judge(onHangUp(reply, this.#standing, kind === 'mail'))
    if (kind === 'rset') {
      if (reply.code >= 300) this.#finish({ kind: 'lost', reason: `RSET was answered ${reply.code} ${reply.text}` })
      return
    }
    const { transaction } = expected
    if (transaction.envelope.answer(kind, reply)) this.#envelopeAnswered(transaction)
  }

  /** Everything that was asked of an envelope so far is answered. */
  #envelopeAnswered(transaction: Transaction<J>): void {
    const before = this.#underWay.confirm()
    const { refusal, invited } = transaction.envelope
    if (refusal === undefined) {
      if (invited) this.#content.begin(transaction)
      else this.#ask(transaction)
    } else this.#refused(transaction, refusal, before)
  }

  /** A message that was refused before its content; `before` is what the last one came to. */
  #refused(transaction: Transaction<J>, refusal: Refusal, before: Outcome | undefined): void {
    if (refusal.stage === 'mail') {
      const behindAccepted = transaction.behind && before?.kind === 'accepted'
      const verdict = onMailRefused(refusal.reply, this.#standing, behindAccepted)
      if (verdict !== undefined) return this.#judge(verdict)
    }
    const { opened, invited } = transaction.envelope
    if (opened && !invited) this.#budget.oweReset()
    this.#underWay.refuse(transaction, refusal)
    if (!invited) return this.#advance()
    // The server waits for content that must not come: not even a lone dot, which some would deliver.
    this.#finish({ kind: 'lost', reason: 'the server asked for the content of a message that it had refused' })
  }

  #endAnswered(transaction: Transaction<J>, reply: Reply): void {
    if (!this.#underWay.answerEnd(transaction, reply)) return
    if (reply.code === 421) this.#judge(onHangUp(reply, this.#standing, false))
    else this.#advance()
  }

  unasked(reply: Reply): void {
    if (reply.code === 421) return this.#judge(onHangUp(reply, this.#standing, false))
    const said = `${reply.code} ${reply.text}`
    const { first } = this.#underWay
    if (reply.code >= 400 && (first?.state === 'ready' || first?.state === 'content')) {
      // The server has heard enough of a message of which the end is still to come: its word counts, whatever breaks next.
      this.#underWay.refuse(first, { stage: 'end-of-data', reply })
      return this.#finish({ kind: 'lost', reason: `the server refused a message before its end: ${said}` })
    }
    this.confused(`the server said '${said}' without being asked`, false)
  }

  confused(reason: string, leftOut: boolean): void {
    if (leftOut) this.#underWay.leftOutReply()
    this.#judge({ end: { kind: 'protocol', reason }, fallback: { level: 0, reason } })
  }

  silent(awaited: Expected<J> | undefined): void {
    this.#judge(onSilence(awaited, this.#standing))
  }

  // ---- ending ------------------------------------------------------------------------------------------------------

  get #standing(): Standing {
    return { started: this.#budget.started, accepted: this.#underWay.accepted }
  }

  #judge({ end, fallback, messageLimit }: Verdict): void {
    const { onFallback, onMessageLimit } = this.#options
    if (messageLimit !== undefined) onMessageLimit?.(messageLimit)
    if (fallback !== undefined && fallback.level < this.#level && this.#state === 'working')
      onFallback?.(fallback.level, fallback.reason)
    this.#finish(end)
  }

  #leave(end: LaneEnd): void {
    this.#state = 'leaving'
    this.#end = end
    this.#conversation.ask({ kind: 'quit' }, 'QUIT\r\n')
  }

  /** Ends the lane now. */
  #finish(end: LaneEnd): void {
    this.#end ??= end
    this.#over(this.#end)
  }

  closed(reason: string): void {
    this.#over(this.#end ?? { kind: 'lost', reason })
  }

  #over(end: LaneEnd): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#conversation.stop()
    if (end.kind === 'lost') this.#underWay.fellSilent()
    const reason = reasonOf(end)
    this.#intake.close(reason)
    this.#underWay.close(reason)
    this.#resolve(end)
  }
}

function reasonOf(end: LaneEnd): string {
  switch (end.kind) {
    case 'drained':
      return 'the run was over'
    case 'limit':
    case 'throttled':
      return `the server said ${end.reply.code} ${end.reply.text}`
    default:
      return end.reason
  }
}
