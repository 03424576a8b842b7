/**
 * One authenticated connection working through messages (RFC 5321, pipelined as RFC 2920 allows). Owns the conversation
 * after login and the rule that decides everything: content is written only when this very message's sender, recipient and
 * DATA were accepted on this connection, and from the moment its final dot is given to the kernel it is in doubt until a
 * reply that can be nobody else's says what became of it.
 *
 * A lane is `working`, `leaving` (QUIT was said) or `over`; the states of a message are in `transaction.ts`, which reply fits
 * where is in `expectations.ts`. Whatever does not fit poisons the connection: nothing more is written, what was handed over
 * and not answered is in doubt, and everything else is untouched.
 *
 * An attempt begins when 354 came and not earlier: the replies of a group come together, so that nothing is lost by it, and
 * a refused envelope costs no record.
 */
import type { SmtpTimeouts } from '../../config/settings.ts'
import { systemWords } from '../../system-words.ts'
import type { Feed, Job, Lane, LaneEnd, Outcome, Reply } from '../transport.ts'
import type { AuthenticatedSocket, DialogueLine } from './authenticated-socket.ts'
import { Budget, type BudgetLimits } from './budget.ts'
import { type EnvelopeRequests, mailCommand, rcptCommand, unfit } from './commands.ts'
import { asksForLess, hungUpOnIdle, limitsMessages } from './connection-verdict.ts'
import { dotStuffed, endMark, type Look, lookAt, pieces } from './content.ts'
import { Deadline } from './deadline.ts'
import { Expectations, type Expected, fits, NAMES } from './expectations.ts'
import { type Pipelining, pickLevel } from './pipelining.ts'
import { ReplyParser } from './reply-parser.ts'
import { type Refusal, refused, Transaction } from './transaction.ts'

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

/** Octets of commands that may be unanswered at once, as Postfix's client limits itself. */
const GROUP_OCTETS = 4096
/** Content up to here goes in one write together with its end; longer content piece by piece, as the kernel takes it. */
const PIECE = 128 * 1024
/** The reply to QUIT is a courtesy: nobody waits long for it. */
const QUIT_WAIT = 2_000
/** After the reply to a message, the reply to the MAIL behind it must come within this, or the group was swallowed. */
const SWALLOWED_MS = 10_000

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

class Session<J extends Job> {
  readonly #options: SessionOptions
  readonly #feed: Feed<J>
  readonly #parser: ReplyParser
  readonly #deadline: Deadline
  readonly #expectations = new Expectations<J>()
  readonly #budget: Budget
  #state: 'working' | 'leaving' | 'over' = 'working'
  #level: Pipelining
  /** Level 2 is earned by one whole success on this connection. */
  #proven = false
  /** Messages under way: one, or at level 2 one handed over and the one behind it. */
  #open: Transaction<J>[] = []
  /** A message that was answered, while the answer has yet to prove that it was its own; see `#confirm`. */
  #answered: { readonly job: J; readonly outcome: Outcome } | undefined
  /** Why the answer that is held cannot be its own. */
  #doubt: string | undefined
  /** Commands that go out with the next write. */
  #outbox = ''
  #waiting = false
  #drained = false
  #resetNeeded = false
  #accepted = 0
  #heardReply = false
  #end: LaneEnd | undefined
  #closeReason = 'the server closed the connection'
  #resolve: (end: LaneEnd) => void = () => {}

  constructor(options: SessionOptions, feed: Feed<J>) {
    this.#options = options
    this.#feed = feed
    const { timeouts, lmtp } = options
    const { extensions } = options.connection
    this.#level = pickLevel(options.pipelining, extensions.pipelining, lmtp)
    this.#budget = new Budget(options.limits, extensions)
    this.#parser = new ReplyParser({
      reply: (reply) => this.#reply(reply),
      broken: (reason) => this.#poison(reason),
    })
    this.#deadline = new Deadline(Math.min(timeouts.command, timeouts.data, timeouts.endOfData), () => this.#expired())
  }

  run(): Promise<LaneEnd> {
    const { socket } = this.#options.connection
    return new Promise((resolve) => {
      this.#resolve = resolve
      if (socket.destroyed) {
        this.#closed()
        return
      }
      socket.on('data', (chunk: Buffer) => this.#heard(chunk))
      socket.on('error', (error) => {
        this.#closeReason = `the connection broke: ${systemWords(error)}`
      })
      socket.once('end', () => socket.destroy())
      socket.once('close', () => this.#closed())
      this.#deadline.start()
      socket.resume()
      this.#advance()
      this.#flush()
    })
  }

  abort(): void {
    this.#closeReason = 'stopped'
    this.#options.connection.socket.destroy()
  }

  // ---- taking messages ---------------------------------------------------------------------------------------------

  /** Starts the next message when nothing of an earlier one is in its way. */
  #advance(): void {
    if (this.#state !== 'working' || this.#waiting || this.#open.length > 0) return
    const spent = this.#budget.spent(this.#resetNeeded)
    if (spent !== undefined) return this.#leave({ kind: 'limit', reply: { code: 250, text: spent } })
    this.#take(false)
    if (this.#drained) this.#leave({ kind: 'drained' })
  }

  /** Takes the next message and asks for its envelope; one that is not at hand comes back by `#arrived`. */
  #take(behind: boolean): void {
    while (!this.#drained && !this.#waiting) {
      const next = this.#feed.next()
      if (next === undefined) {
        this.#drained = true
      } else if (next instanceof Promise) {
        this.#waiting = true
        next.then(
          (job) => this.#arrived(job),
          () => this.#arrived(undefined),
        )
      } else if (this.#start(next, behind)) return
    }
  }

  /** A message that was waited for. One that was handed over meanwhile may still be unanswered: it goes behind. */
  #arrived(job: J | undefined): void {
    this.#waiting = false
    if (this.#state !== 'working') {
      if (job !== undefined) this.#feed.end(job, { kind: 'unsent', reason: this.#closeReason })
      return
    }
    if (job === undefined) this.#drained = true
    if (job === undefined || !this.#start(job, this.#open.length > 0)) this.#advance()
    this.#flush()
  }

  /** False when the message was refused at once, because this server cannot take it at all. */
  #start(job: J, behind: boolean): boolean {
    const look: Look = lookAt(job.message.chunks)
    const { connection, requests } = this.#options
    const reply = unfit(job.message, look, connection.extensions, requests)
    if (reply !== undefined) {
      this.#feed.end(job, refused({ stage: 'mail', reply }))
      return false
    }
    const transaction = new Transaction(job, behind, look === 'dots')
    this.#budget.start(job.message.envelope.to)
    this.#open.push(transaction)
    if (this.#resetNeeded) {
      this.#resetNeeded = false
      this.#budget.reset()
      this.#expectations.add({ kind: 'rset' })
      this.#outbox += 'RSET\r\n'
    }
    this.#ask(transaction)
    return true
  }

  // ---- asking ------------------------------------------------------------------------------------------------------

  /**
   * The next commands of an envelope: one, or as many as may be unanswered at once. With copies, DATA waits for the word on
   * the row's own address: a message that is refused for that must not go to the copies.
   */
  #ask(transaction: Transaction<J>): void {
    const { message } = transaction.job
    const { to } = message.envelope
    const { connection, requests } = this.#options
    const grouped = this.#level > 0
    let octets = 0
    if (!transaction.mailAsked) {
      transaction.mailAsked = true
      octets += this.#command('mail', mailCommand(message, connection.extensions, requests), transaction)
      if (!grouped) return
    }
    while (transaction.recipientsAsked < to.length) {
      const command = rcptCommand(to[transaction.recipientsAsked] ?? '', connection.extensions, requests)
      if (octets > 0 && octets + command.length > GROUP_OCTETS) return
      transaction.recipientsAsked++
      octets += this.#command('rcpt', command, transaction)
      if (!grouped) return
    }
    if (transaction.allRecipientsAnswered || (grouped && to.length === 1)) {
      transaction.dataAsked = true
      this.#command('data', 'DATA\r\n', transaction)
    }
  }

  #command(kind: 'mail' | 'rcpt' | 'data', command: string, transaction: Transaction<J>): number {
    transaction.outstanding++
    this.#expectations.add({ kind, transaction })
    this.#outbox += command
    return command.length
  }

  #flush(): void {
    const { socket } = this.#options.connection
    if (this.#outbox === '' || socket.destroyed) return
    const idle = this.#expectations.head === undefined
    const commands = this.#outbox
    this.#outbox = ''
    this.#log(commands)
    this.#expectations.written()
    socket.write(commands, 'utf8')
    if (idle) this.#settleDeadline()
  }

  // ---- hearing -----------------------------------------------------------------------------------------------------

  /** What the answers in one chunk ask for goes out after it: a reply that was already here can answer none of that. */
  #heard(chunk: Buffer): void {
    this.#heardReply = false
    this.#parser.push(chunk)
    if (this.#state === 'over') return
    // Octets that complete no reply earn no further time.
    if (this.#heardReply) this.#settleDeadline()
    this.#flush()
  }

  #reply(reply: Reply): void {
    if (this.#state === 'over') return
    const { dialogue } = this.#options
    dialogue?.(`S: ${reply.code}${reply.enhanced === undefined ? '' : ` ${reply.enhanced}`} ${reply.text}`)
    const expected = this.#expectations.take()
    if (expected === undefined) return this.#unasked(reply)
    this.#heardReply = true
    if (expected.kind === 'quit') return this.#finish({ kind: 'drained' })
    if (!fits(expected.kind, reply.code)) return this.#misfit(expected, reply)
    if (expected.kind === 'end') return this.#endReply(expected.transaction, reply)
    if (reply.code === 421) return this.#hungUp(reply, expected.kind === 'mail')
    if (expected.kind === 'rset') {
      if (reply.code >= 300) this.#finish({ kind: 'lost', reason: `RSET was answered ${reply.code} ${reply.text}` })
      return
    }
    this.#envelopeReply(expected.kind, expected.transaction, reply)
  }

  #envelopeReply(kind: 'mail' | 'rcpt' | 'data', transaction: Transaction<J>, reply: Reply): void {
    transaction.outstanding--
    if (kind === 'mail') transaction.mail = reply
    else if (kind === 'rcpt') transaction.recipients.push(reply)
    else transaction.data = reply
    if (transaction.outstanding === 0) this.#envelopeAnswered(transaction)
  }

  /** Everything that was asked of an envelope so far is answered. */
  #envelopeAnswered(transaction: Transaction<J>): void {
    const before = this.#confirm()
    const { refusal } = transaction
    if (refusal?.stage === 'mail' && this.#refusesConnection(transaction, refusal.reply, before)) return
    if (transaction.data?.code === 354) {
      if (refusal === undefined) this.#begin(transaction)
      else this.#refuseContent(transaction, refusal)
    } else if (refusal === undefined) this.#ask(transaction)
    else this.#refuse(transaction, refusal)
  }

  /** A MAIL refused for what this connection was, not for what this message is: `before` is what the last one came to. */
  #refusesConnection(transaction: Transaction<J>, reply: Reply, before: Outcome | undefined): boolean {
    if (this.#accepted > 0 && limitsMessages(reply)) {
      this.#options.onMessageLimit?.(this.#accepted)
      this.#finish({ kind: 'limit', reply })
      return true
    }
    if (this.#accepted > 0 && asksForLess(reply)) {
      this.#finish({ kind: 'throttled', reply })
      return true
    }
    // The first message of a connection finds nothing of another: what is said of it, is said of it.
    if (reply.code !== 503 || this.#budget.started === 1) return false
    const said = `${reply.code} ${reply.text}`
    if (transaction.behind && before?.kind === 'accepted') {
      // The message was taken and the group behind it was not: this server pipelines within a message only.
      this.#fallBack(1, said)
      this.#finish({ kind: 'protocol', reason: `the server takes no commands behind a message: ${said}` })
    } else {
      // Some keep the envelope of a message that they refused. Whatever they say next is about that one.
      this.#finish({ kind: 'lost', reason: `the server was still in the message before: ${said}` })
    }
    return true
  }

  /** A message that was refused before its content: the connection goes on with the next. */
  #refuse(transaction: Transaction<J>, refusal: Refusal): void {
    // After a MAIL that was taken, the next one would be 'nested' to many servers.
    this.#resetNeeded = transaction.mail !== undefined && transaction.mail.code < 300
    this.#settle(transaction, refused(refusal))
    this.#advance()
  }

  /** The server waits for content that must not come: not even a lone dot, which some would deliver. */
  #refuseContent(transaction: Transaction<J>, refusal: Refusal): void {
    this.#settle(transaction, refused(refusal))
    this.#finish({ kind: 'lost', reason: 'the server asked for the content of a message that it had refused' })
  }

  /** A reply when none is owed. */
  #unasked(reply: Reply): void {
    const [first] = this.#open
    if (reply.code === 421) return this.#hungUp(reply, false)
    if ((first?.state === 'ready' || first?.state === 'content') && reply.code >= 400) {
      // The server has heard enough of a message of which the end is still to come: its word counts, whatever breaks next.
      this.#settle(first, refused({ stage: 'end-of-data', reply }))
      const said = `${reply.code} ${reply.text}`
      return this.#finish({ kind: 'lost', reason: `the server refused a message before its end: ${said}` })
    }
    this.#poison(`the server said '${reply.code} ${reply.text}' without being asked`)
  }

  /** A reply of a kind that cannot answer what was asked. */
  #misfit({ kind }: Expected<J>, reply: Reply): void {
    // 354 came early: one of the replies before it is missing, and it may be the one that we took for the last message's.
    if (reply.code < 400 && reply.code >= 300 && (kind === 'mail' || kind === 'rcpt'))
      this.#doubt = 'the server left out a reply'
    this.#poison(`${NAMES[kind]} was answered '${reply.code} ${reply.text}'`)
  }

  /** 421 may come at any time (RFC 5321 section 3.8): what the server has not taken goes elsewhere. */
  #hungUp(reply: Reply, atMail: boolean): void {
    if (atMail && this.#accepted > 0 && limitsMessages(reply)) {
      this.#options.onMessageLimit?.(this.#accepted)
      this.#finish({ kind: 'limit', reply })
    } else if (hungUpOnIdle(reply)) {
      this.#suspectShift()
      this.#finish({ kind: 'lost', reason: `the server hung up: ${reply.code} ${reply.text}` })
    } else this.#finish({ kind: 'throttled', reply })
  }

  // ---- content -----------------------------------------------------------------------------------------------------

  #begin(transaction: Transaction<J>): void {
    transaction.state = 'ready'
    this.#feed.begin(transaction.job).then(
      () => this.#hand(transaction),
      () => {
        // The record is broken: this connection says nothing more.
        this.#closeReason = 'the attempt could not be recorded'
        this.#options.connection.socket.destroy()
      },
    )
  }

  #mayWrite(transaction: Transaction<J>, state: 'ready' | 'content'): boolean {
    return this.#state === 'working' && transaction.state === state && !this.#options.connection.socket.destroyed
  }

  #hand(transaction: Transaction<J>): void {
    if (!this.#mayWrite(transaction, 'ready')) return
    const { message } = transaction.job
    transaction.state = 'content'
    const chunks = transaction.dotted ? dotStuffed(message.chunks) : message.chunks
    if (message.size <= PIECE) this.#handOver(transaction, chunks)
    else void this.#stream(transaction, chunks)
  }

  /** Long content: never more of it in memory than the kernel has yet to take. */
  async #stream(transaction: Transaction<J>, chunks: readonly Uint8Array[]): Promise<void> {
    const { socket } = this.#options.connection
    let held: Uint8Array | undefined
    for (const piece of pieces(chunks, PIECE)) {
      if (held !== undefined) {
        if (!this.#mayWrite(transaction, 'content')) return
        this.#deadline.set(this.#options.timeouts.data)
        if (!socket.write(held)) await this.#drain()
      }
      held = piece
    }
    if (this.#mayWrite(transaction, 'content')) this.#handOver(transaction, held === undefined ? [] : [held])
  }

  #drain(): Promise<void> {
    const { socket } = this.#options.connection
    return new Promise((resolve) => {
      const done = (): void => {
        socket.removeListener('drain', done)
        socket.removeListener('close', done)
        resolve()
      }
      socket.once('drain', done)
      socket.once('close', done)
    })
  }

  /** The last octets of a message and its end, in one write with the envelope of the next message where that is safe. */
  #handOver(transaction: Transaction<J>, chunks: readonly Uint8Array[]): void {
    const { connection, lmtp } = this.#options
    transaction.state = 'handed over'
    for (let count = lmtp ? transaction.taken : 1; count > 0; count--)
      this.#expectations.add({ kind: 'end', transaction })
    this.#outbox = endMark(chunks)
    if (this.#level === 2 && this.#proven && this.#budget.spent(this.#resetNeeded) === undefined) this.#take(true)
    // Taking may have ended in a stop.
    if (connection.socket.destroyed) {
      transaction.state = 'content'
      return
    }
    const behind = this.#outbox
    this.#outbox = ''
    if (this.#options.dialogue !== undefined)
      this.#log(`[${transaction.job.message.size} octets of content]\r\n${behind}`)
    this.#expectations.written()
    connection.socket.write(Buffer.concat([...chunks, Buffer.from(behind, 'utf8')]))
    this.#settleDeadline()
  }

  #endReply(transaction: Transaction<J>, reply: Reply): void {
    const { lmtp } = this.#options
    const closing = reply.code === 421
    transaction.ends.push(reply)
    if (lmtp && !closing && transaction.ends.length < transaction.taken) return
    transaction.state = 'done'
    this.#open.shift()
    const outcome = transaction.outcome(lmtp)
    if (outcome === undefined) return
    if (outcome.kind === 'accepted') {
      this.#accepted++
      this.#proven = true
    }
    this.#answered = { job: transaction.job, outcome }
    // Nothing went out behind it, so that its answer can be nobody else's.
    if (this.#open.length === 0) this.#confirm()
    if (closing) this.#hungUp(reply, false)
    else this.#advance()
  }

  /**
   * Tells the outcome of the message before, once every reply to the envelope behind it came, each where it fits. Until then
   * a server that leaves out a reply could have us take the one to MAIL for the one to the message.
   */
  #confirm(): Outcome | undefined {
    const answered = this.#answered
    if (answered === undefined) return undefined
    this.#answered = undefined
    const outcome: Outcome =
      this.#doubt === undefined
        ? answered.outcome
        : { kind: 'in_doubt', reason: `handed over, and then ${this.#doubt}` }
    this.#feed.end(answered.job, outcome)
    return outcome
  }

  /**
   * The server says nothing more while one last reply to a group is missing, and no 354 came to prove that the others are in
   * their places: the missing one may be the first, whose place the reply to MAIL then took. More than one missing is a
   * server that is slow or gone.
   */
  #suspectShift(): void {
    const [first] = this.#open
    if (first === undefined || !first.behind || first.state !== 'envelope' || first.outstanding !== 1) return
    if (first.refusal !== undefined || !first.dataAsked) this.#doubt ??= 'the server left out a reply'
  }

  // ---- ending ------------------------------------------------------------------------------------------------------

  #leave(end: LaneEnd): void {
    if (this.#state !== 'working') return
    this.#state = 'leaving'
    this.#end = end
    this.#expectations.add({ kind: 'quit' })
    this.#outbox += 'QUIT\r\n'
  }

  /** Nothing that this server says can be matched with what we asked any more. */
  #poison(reason: string): void {
    if (this.#state === 'working') this.#fallBack(0, reason)
    this.#finish({ kind: 'protocol', reason })
  }

  #fallBack(level: Pipelining, reason: string): void {
    if (level >= this.#level) return
    this.#level = level
    this.#options.onFallback?.(level, reason)
  }

  /** Ends the lane now. What ended it first counts. */
  #finish(end: LaneEnd): void {
    this.#end ??= end
    this.#closeReason = reasonOf(this.#end)
    this.#options.connection.socket.destroy()
    this.#closed()
  }

  /** Says what became of every message under way. */
  #closed(): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#deadline.stop()
    const reason = this.#closeReason
    if (this.#end === undefined) this.#suspectShift()
    const end = this.#end ?? { kind: 'lost', reason }
    this.#confirm()
    for (const transaction of [...this.#open]) this.#settle(transaction, this.#leftAs(transaction, reason))
    this.#resolve(end)
  }

  #leftAs(transaction: Transaction<J>, reason: string): Outcome {
    if (transaction.state !== 'handed over') return { kind: 'unsent', reason }
    // LMTP may have said what became of the row's own copy before the line broke.
    const known = transaction.outcome(this.#options.lmtp)
    return known ?? { kind: 'in_doubt', reason: `handed over, but the answer never came: ${reason}` }
  }

  #settle(transaction: Transaction<J>, outcome: Outcome): void {
    transaction.state = 'done'
    this.#open = this.#open.filter((other) => other !== transaction)
    this.#feed.end(transaction.job, outcome)
  }

  // ---- time --------------------------------------------------------------------------------------------------------

  #settleDeadline(): void {
    const { timeouts } = this.#options
    const { head } = this.#expectations
    if (head === undefined) return this.#deadline.clear()
    if (head.kind === 'quit') return this.#deadline.set(QUIT_WAIT)
    if (head.kind === 'end') return this.#deadline.set(timeouts.endOfData)
    this.#deadline.set(this.#isNextBehind(head) ? Math.min(SWALLOWED_MS, timeouts.command) : timeouts.command)
  }

  /** True when the message before is answered and not one reply to the group behind it has come. */
  #isNextBehind(head: Expected<J>): boolean {
    return head.kind === 'mail' && head.transaction.behind && this.#open[0] === head.transaction
  }

  #expired(): void {
    const { head } = this.#expectations
    const [first] = this.#open
    if (head === undefined) return this.#finish({ kind: 'lost', reason: 'the server took no content for too long' })
    this.#suspectShift()
    if (first !== undefined && this.#state === 'working' && first.state === 'envelope') {
      if (this.#isNextBehind(head)) this.#fallBack(1, 'the server swallowed commands behind a message')
      else if (this.#accepted === 0) this.#fallBack(0, 'the server does not answer grouped commands')
    }
    this.#finish({ kind: 'lost', reason: `no answer to ${NAMES[head.kind]} in time` })
  }

  #log(commands: string): void {
    const { dialogue } = this.#options
    if (dialogue === undefined) return
    for (const line of commands.split('\r\n')) if (line !== '') dialogue(`C: ${line}`)
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
