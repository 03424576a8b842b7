/**
 * One authenticated connection working through messages (RFC 5321, pipelined as RFC 2920 allows). Owns the order of events
 * and the rule that decides everything: content is written only when this very message's sender, recipient and DATA were
 * accepted on this connection, and from the moment its final dot is given to the kernel it is in doubt until a reply that can
 * belong to no other message shows what became of it.
 *
 * Its parts: `transaction.ts` gets messages from the feed and keeps the one or two in flight and their outcomes, with
 * `envelope.ts`; `dialogue.ts` has commands, replies and time limits, with `connection.ts`; `content-writer.ts` goes from
 * 354 to the final dot; `connection-policy.ts` decides what the connection is used for, and what replies mean for it.
 *
 * A lane is `working`, `leaving` (QUIT was sent) or `over`. A reply that does not fit poisons the connection: nothing more is
 * written, what was handed over and not answered is in doubt, and everything else is untouched.
 *
 * An attempt begins when 354 arrives and not earlier: the replies of a group arrive together, so nothing is lost by waiting,
 * and a rejected envelope costs no record.
 */
import type { SmtpTimeouts } from '../../config/settings.ts'
import { hungUpOnIdle, type Reply } from '../../replies/reply.ts'
import type { Feed, Job, Lane, LaneEnd, Outcome } from '../transport.ts'
import { type AuthenticatedSocket, type DialogueLog, encryptionOf } from './connect/socket.ts'
import {
  ConnectionLimits,
  type ConnectionProgress,
  type LaneDecision,
  type LimitSettings,
  onHangUp,
  onMailRejected,
  onSilence,
  type Pipelining,
  pickLevel,
} from './connection-policy.ts'
import { ContentWriter } from './content-writer.ts'
import { Dialogue, type DialogueListener, type PendingReply } from './dialogue.ts'
import { type EnvelopeRequests, type Rejection, unfit } from './envelope.ts'
import { InFlight, MessagePull, type PulledMessage, type Transaction } from './transaction.ts'

export interface SessionOptions {
  readonly connection: AuthenticatedSocket
  readonly timeouts: SmtpTimeouts
  readonly lmtp: boolean
  /** Highest level that settings and memory allow. */
  readonly pipelining: Pipelining
  readonly limits: LimitSettings
  readonly requests: EnvelopeRequests
  /** A lower level was found to be the safe one. */
  readonly onFallback?: ((level: Pipelining, reason: string) => void) | undefined
  /** The server limits the messages of a connection. */
  readonly onMessageLimit?: ((count: number) => void) | undefined
  readonly log?: DialogueLog | undefined
}

export function createSession(options: SessionOptions): Lane {
  let abort = (): void => {
    options.connection.socket.destroy()
  }
  return {
    encryption: encryptionOf(options.connection) ?? 'none',
    run<J extends Job>(feed: Feed<J>): Promise<LaneEnd> {
      const session = new Session<J>(options, feed)
      abort = () => session.abort()
      return session.run()
    },
    abort: () => abort(),
  }
}

class Session<J extends Job> implements DialogueListener<J> {
  readonly #options: SessionOptions
  readonly #level: Pipelining
  readonly #limits: ConnectionLimits
  readonly #dialogue: Dialogue<J>
  readonly #messages: MessagePull<J>
  readonly #inFlight: InFlight<J>
  readonly #content: ContentWriter<J>
  #state: 'working' | 'leaving' | 'over' = 'working'
  /** Why it ends, once it does. What ended it first counts. */
  #end: LaneEnd | undefined
  #resolve: (end: LaneEnd) => void = () => {}

  constructor(options: SessionOptions, feed: Feed<J>) {
    const { connection, timeouts, lmtp, requests, log } = options
    const { socket, extensions } = connection
    this.#options = options
    this.#level = pickLevel(options.pipelining, extensions.pipelining, lmtp)
    this.#limits = new ConnectionLimits(options.limits, extensions)
    this.#dialogue = new Dialogue({ socket, timeouts, listener: this, log })
    this.#messages = new MessagePull({
      feed,
      unfit: ({ message }, scan) => unfit(message, scan, extensions, requests),
      arrived: (message) => this.#arrived(message),
    })
    this.#inFlight = new InFlight(feed, lmtp)
    this.#content = new ContentWriter({ feed, dialogue: this.#dialogue, behind: () => this.#startBehind() })
  }

  run(): Promise<LaneEnd> {
    return new Promise((resolve) => {
      this.#resolve = resolve
      this.#dialogue.start()
      this.#advance()
      this.#dialogue.flush()
    })
  }

  abort(): void {
    this.#dialogue.cut('stopped')
  }

  // ---- messages ---------------------------------------------------------------------------------------------

  /** Starts the next message when nothing of an earlier one is in its way. */
  #advance(): void {
    if (this.#state !== 'working' || this.#messages.waiting || this.#inFlight.first !== undefined) return
    const usedUp = this.#limits.usedUp()
    if (usedUp !== undefined) return this.#leave({ kind: 'limit', reply: { code: 250, text: usedUp } })
    this.#startNext()
    if (this.#messages.drained) this.#leave({ kind: 'drained' })
  }

  /** Level 2 needs one accepted message on this connection first. */
  #startBehind(): void {
    if (this.#level === 2 && this.#inFlight.accepted > 0 && this.#limits.usedUp() === undefined) this.#startNext()
  }

  #startNext(): void {
    const message = this.#messages.next()
    if (message !== undefined) this.#start(message)
  }

  /** An awaited message is here. One that was handed over meanwhile may still be unanswered: the new one goes behind it. */
  #arrived(message: PulledMessage<J> | undefined): void {
    if (message === undefined) this.#advance()
    else this.#start(message)
    this.#dialogue.flush()
  }

  #start(pulled: PulledMessage<J>): void {
    const transaction = this.#inFlight.start(pulled)
    if (this.#limits.resetDue) this.#dialogue.ask({ kind: 'rset' }, 'RSET\r\n')
    this.#limits.start(pulled.job.message.envelope.to)
    this.#ask(transaction)
  }

  #ask(transaction: Transaction<J>): void {
    const { connection, requests } = this.#options
    const group = transaction.envelope.next(this.#level > 0, connection.extensions, requests)
    for (const { kind, command } of group) this.#dialogue.ask({ kind, transaction }, command)
  }

  // ---- replies -----------------------------------------------------------------------------------------------------

  answered(pending: PendingReply<J>, reply: Reply): void {
    const { kind } = pending
    if (kind === 'quit') return this.#finish({ kind: 'drained' })
    if (kind === 'end') return this.#endAnswered(pending.transaction, reply)
    if (reply.code === 421) return this.#apply(onHangUp(reply, this.#progress, kind === 'mail'))
    if (kind === 'rset') {
      if (reply.code >= 300) this.#finish({ kind: 'lost', reason: `RSET was answered ${reply.code} ${reply.text}` })
      return
    }
    const { transaction } = pending
    if (transaction.envelope.answer(kind, reply)) this.#envelopeAnswered(transaction)
  }

  /** All commands of an envelope sent so far are answered. */
  #envelopeAnswered(transaction: Transaction<J>): void {
    const before = this.#inFlight.confirm()
    const { rejection, invited } = transaction.envelope
    if (rejection === undefined) {
      if (invited) this.#content.begin(transaction)
      else this.#ask(transaction)
    } else this.#rejected(transaction, rejection, before)
  }

  /** A message was rejected before its content; `before` is the outcome of the one before it. */
  #rejected(transaction: Transaction<J>, rejection: Rejection, before: Outcome | undefined): void {
    if (rejection.stage === 'mail') {
      const behindAccepted = transaction.behind && before?.kind === 'accepted'
      const decision = onMailRejected(rejection.reply, this.#progress, behindAccepted)
      if (decision !== undefined) return this.#apply(decision)
    }
    const { opened, invited } = transaction.envelope
    if (opened && !invited) this.#limits.requireReset()
    this.#inFlight.reject(transaction, rejection)
    if (!invited) return this.#advance()
    // The server waits for content that must not be sent: not even a lone dot, which some would deliver.
    this.#finish({ kind: 'lost', reason: 'the server asked for the content of a message that it had refused' })
  }

  #endAnswered(transaction: Transaction<J>, reply: Reply): void {
    if (!this.#inFlight.addEndReply(transaction, reply)) return
    if (reply.code === 421) this.#apply(onHangUp(reply, this.#progress, false))
    else this.#advance()
  }

  unasked(reply: Reply): void {
    if (reply.code === 421 && this.#idle && hungUpOnIdle(reply))
      return this.#finish({ kind: 'idle', reason: `the server hung up: ${reply.code} ${reply.text}` })
    if (reply.code === 421) return this.#apply(onHangUp(reply, this.#progress, false))
    const said = `${reply.code} ${reply.text}`
    const { first } = this.#inFlight
    if (reply.code >= 400 && (first?.state === 'ready' || first?.state === 'content')) {
      // The server rejected a message before its end: its reply counts, whatever breaks next.
      this.#inFlight.reject(first, { stage: 'end-of-data', reply })
      return this.#finish({ kind: 'lost', reason: `the server refused a message before its end: ${said}` })
    }
    this.confused(`the server said '${said}' without being asked`, false)
  }

  confused(reason: string, leftOut: boolean): void {
    if (leftOut) this.#inFlight.leftOutReply()
    this.#apply({ end: { kind: 'protocol', reason }, fallback: { level: 0, reason } })
  }

  silent(awaited: PendingReply<J> | undefined): void {
    this.#apply(onSilence(awaited, this.#progress))
  }

  // ---- ending ------------------------------------------------------------------------------------------------------

  /** Nothing is in flight, and the next message is awaited. */
  get #idle(): boolean {
    return this.#state === 'working' && this.#messages.waiting && this.#inFlight.first === undefined
  }

  get #progress(): ConnectionProgress {
    return { started: this.#limits.started, accepted: this.#inFlight.accepted }
  }

  #apply({ end, fallback, messageLimit }: LaneDecision): void {
    const { onFallback, onMessageLimit } = this.#options
    if (messageLimit !== undefined) onMessageLimit?.(messageLimit)
    if (fallback !== undefined && fallback.level < this.#level && this.#state === 'working')
      onFallback?.(fallback.level, fallback.reason)
    this.#finish(end)
  }

  #leave(end: LaneEnd): void {
    this.#state = 'leaving'
    this.#end = end
    this.#dialogue.ask({ kind: 'quit' }, 'QUIT\r\n')
  }

  /** Ends the lane now. */
  #finish(end: LaneEnd): void {
    this.#end ??= end
    this.#over(this.#end)
  }

  closed(reason: string): void {
    this.#over(this.#end ?? { kind: this.#idle ? 'idle' : 'lost', reason })
  }

  #over(end: LaneEnd): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#dialogue.stop()
    if (end.kind === 'lost') this.#inFlight.fellSilent()
    const reason = reasonOf(end)
    this.#messages.close(reason)
    this.#inFlight.close(reason)
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
