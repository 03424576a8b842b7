/**
 * One authenticated connection working through messages (RFC 5321, pipelined as RFC 2920 allows). Owns the conversation
 * after login and the rule that decides everything: content is written only when this very message's sender, recipient
 * and DATA were accepted on this connection, and what was written is known to the octet.
 *
 * A message is in one of these states: `envelope` (MAIL, RCPT, DATA under way), `ready` (354 came, its start is being
 * made durable), `content` (octets are being written), `handed over` (its final dot was given to the kernel), `done`.
 * Replies are matched with a queue of what is expected, in the order in which it was asked. Any reply that is not of the
 * kind expected poisons the connection: nothing more is written, and only what was handed over is in doubt.
 */

import type { SmtpTimeouts } from '../../config/settings.ts'
import type { Feed, Job, Lane, LaneEnd, Outcome, RefusedCopy, Reply } from '../transport.ts'
import type { AuthenticatedSocket, DialogueLine } from './authenticated-socket.ts'
import { commandFault, dotStuffed, envelopeCommands } from './commands.ts'
import { type Pipelining, pickLevel } from './pipelining.ts'
import { ReplyParser } from './reply-parser.ts'

export interface SessionOptions {
  readonly connection: AuthenticatedSocket
  readonly timeouts: SmtpTimeouts
  readonly lmtp: boolean
  /** Highest level that settings and memory allow. */
  readonly pipelining: Pipelining
  readonly messagesPerConnection?: number
  /** A lower level was found to be the safe one. */
  readonly onFallback?: (level: Pipelining, reason: string) => void
  /** The server takes only so many messages a connection. */
  readonly onMessageLimit?: (count: number) => void
  readonly dialogue?: DialogueLine
}

type State = 'envelope' | 'ready' | 'content' | 'handed over' | 'done'

interface Transaction<J extends Job> {
  readonly job: J
  state: State
  /** True when its envelope went out behind the content of the one before. */
  readonly acrossMessages: boolean
  readonly dataPipelined: boolean
  mail: Reply | undefined
  readonly recipients: Reply[]
  /** Replies to the end of data; LMTP gives one a recipient. */
  readonly ends: Reply[]
}

/** A message that was answered, and whose answer still has to prove that it was its own. */
interface Answered<J extends Job> {
  readonly job: J
  readonly outcome: Outcome
}

type Expected<J extends Job> =
  | { readonly kind: 'mail' | 'rcpt' | 'data' | 'end'; readonly transaction: Transaction<J> }
  | { readonly kind: 'reset' | 'quit' }

/** Octets of commands that may be unanswered at once, as Postfix's client limits itself. */
const GROUP_OCTETS = 4096
/** Written in one piece up to here; longer content goes chunk by chunk, as fast as the kernel takes it. */
const ONE_WRITE = 128 * 1024
/** Servers count RSET against a client: after so many we connect anew. */
const RESETS = 8
const END_OF_DATA = Buffer.from('.\r\n')
const QUIT_WAIT = 2_000
/** After the reply to a message, the reply to the next MAIL must come within this, or the group was swallowed. */
const SWALLOWED_MS = 10_000
const TOO_MANY =
  /too many (messages|mails|transactions|mail)|max(imum)? (number of )?(messages|transactions)|messages? (limit|per (connection|session))|limit .*(messages|session)/i

export function createSession(options: SessionOptions): Lane {
  let current: Session<Job> | undefined
  let aborted = false
  return {
    run<J extends Job>(feed: Feed<J>): Promise<LaneEnd> {
      const session = new Session<J>(options, feed)
      current = session as unknown as Session<Job>
      const ended = session.run()
      if (aborted) session.abort()
      return ended
    },
    abort() {
      aborted = true
      if (current === undefined) options.connection.socket.destroy()
      else current.abort()
    },
  }
}

class Session<J extends Job> {
  readonly #options: SessionOptions
  readonly #feed: Feed<J>
  readonly #parser: ReplyParser
  readonly #expected: Expected<J>[] = []
  readonly #limit: number
  #level: Pipelining
  /** Level 2 is earned by one whole success on this connection. */
  #proven = false
  #open: Transaction<J>[] = []
  #waiting = false
  #drained = false
  #resetNeeded = false
  #resets = 0
  #taken = 0
  #accepted = 0
  #end: LaneEnd | undefined
  /** Told when the 354 of the next message shows that no reply was missing; see `#confirm`. */
  #answered: Answered<J> | undefined
  #poisoned = false
  #over = false
  #deadline = Number.POSITIVE_INFINITY
  #stage = 'command'
  #closeReason = 'the server closed the connection'
  #resolve: (end: LaneEnd) => void = () => {}
  #timer: NodeJS.Timeout | undefined

  constructor(options: SessionOptions, feed: Feed<J>) {
    this.#options = options
    this.#feed = feed
    const { extensions } = options.connection
    this.#level = pickLevel(options.pipelining, extensions.pipelining, options.lmtp)
    this.#limit = Math.min(
      options.messagesPerConnection ?? Number.POSITIVE_INFINITY,
      extensions.maxMessages ?? Number.POSITIVE_INFINITY,
    )
    this.#parser = new ReplyParser({
      reply: (reply) => this.#reply(reply),
      broken: (reason) => this.#poison(reason),
    })
  }

  run(): Promise<LaneEnd> {
    const { socket } = this.#options.connection
    return new Promise((resolve) => {
      this.#resolve = resolve
      socket.on('data', (chunk: Buffer) => this.#parser.push(chunk))
      socket.on('error', (error: NodeJS.ErrnoException) => {
        this.#closeReason = `the connection broke (${error.code ?? error.message})`
      })
      socket.once('end', () => socket.destroy())
      socket.once('close', () => this.#closed())
      if (socket.destroyed) {
        this.#closed()
        return
      }
      const { timeouts } = this.#options
      const tick = Math.max(20, Math.min(1000, timeouts.command / 8, timeouts.data / 8, timeouts.endOfData / 8))
      this.#timer = setInterval(() => this.#tick(), tick)
      socket.resume()
      this.#advance()
    })
  }

  abort(): void {
    this.#closeReason = 'stopped'
    this.#options.connection.socket.destroy()
  }

  // ---- asking ------------------------------------------------------------------------------------------------------

  /** Starts the next message when nothing of an earlier one is in its way. */
  #advance(): void {
    if (this.#end !== undefined || this.#waiting) return
    if (this.#open.length > 0) return
    const job = this.#take()
    if (job === undefined) return
    this.#write(this.#group(job, false))
  }

  /** The next job, when it is at hand: otherwise this comes back by itself. */
  #take(): J | undefined {
    for (;;) {
      if (this.#drained || this.#waiting) return undefined
      if (this.#taken >= this.#limit) {
        if (this.#open.length === 0)
          this.#quit({ kind: 'limit', reply: { code: 250, text: `${this.#limit} messages a connection` } })
        return undefined
      }
      if (this.#resetNeeded && this.#resets >= RESETS) {
        if (this.#open.length === 0)
          this.#quit({ kind: 'limit', reply: { code: 250, text: 'a fresh connection after refusals' } })
        return undefined
      }
      const next = this.#feed.next()
      if (next instanceof Promise) {
        this.#waiting = true
        this.#settleDeadline()
        next.then(
          (job) => this.#arrived(job),
          () => this.#arrived(undefined),
        )
        return undefined
      }
      if (next === undefined) {
        this.#drained = true
        if (this.#open.length === 0) this.#quit({ kind: 'drained' })
        return undefined
      }
      const refused = this.#unfit(next)
      if (refused === undefined) return next
      this.#feed.end(next, refused)
    }
  }

  /** A job that was waited for. */
  #arrived(job: J | undefined): void {
    this.#waiting = false
    if (this.#over || this.#end !== undefined) {
      if (job !== undefined) this.#feed.end(job, { kind: 'unsent', reason: this.#closeReason })
      return
    }
    if (job === undefined) {
      this.#drained = true
      if (this.#open.length === 0) this.#quit({ kind: 'drained' })
      return
    }
    const refused = this.#unfit(job)
    if (refused !== undefined) {
      this.#feed.end(job, refused)
      this.#advance()
      return
    }
    const [before] = this.#open
    // Its group may still ride behind a message that was handed over; never in front of one that was not.
    if (before === undefined) this.#write(this.#group(job, false))
    else if (this.#level === 2 && this.#proven && before.state === 'handed over' && this.#open.length === 1)
      this.#write(this.#group(job, true))
    else this.#held = job
  }
  #held: J | undefined

  /** What this server cannot take at all, told without asking it. */
  #unfit(job: J): Outcome | undefined {
    const { extensions } = this.#options.connection
    const { message } = job
    const reject = (code: number, enhanced: string, text: string): Outcome => ({
      kind: 'rejected',
      stage: 'mail',
      reply: { code, enhanced, text },
    })
    if (extensions.maxSize > 0 && message.size > extensions.maxSize) {
      return reject(
        552,
        '5.3.4',
        `the message has ${message.size} octets, and this server takes at most ${extensions.maxSize}`,
      )
    }
    if (message.smtputf8 && !extensions.smtputf8)
      return reject(553, '5.6.7', 'this server takes no international addresses (SMTPUTF8)')
    if (message.eightBit && !extensions.eightBitMime && !message.smtputf8)
      return reject(554, '5.6.3', 'this server takes no 8-bit content (8BITMIME)')
    const fault = commandFault(message.envelope)
    return fault === undefined ? undefined : reject(553, '5.1.3', fault)
  }

  /** The envelope of a message as commands; what answers is expected in their order. */
  #group(job: J, acrossMessages: boolean): string {
    const single = job.message.envelope.to.length === 1
    const commands = envelopeCommands(job.message, this.#options.connection.extensions)
    const grouped = this.#level > 0 && commands.length < GROUP_OCTETS
    const transaction: Transaction<J> = {
      job,
      state: 'envelope',
      acrossMessages,
      // With copies, DATA waits for the word on the row's own address: one that is refused must not be taken for the copies.
      dataPipelined: grouped && single,
      mail: undefined,
      recipients: [],
      ends: [],
    }
    this.#taken++
    this.#open.push(transaction)
    let out = ''
    if (this.#resetNeeded) {
      this.#resetNeeded = false
      this.#resets++
      this.#expected.push({ kind: 'reset' })
      out = 'RSET\r\n'
    }
    this.#expected.push({ kind: 'mail', transaction })
    if (!grouped) {
      this.#say(commands.mail)
      return out + commands.mail
    }
    for (const command of commands.recipients) {
      this.#expected.push({ kind: 'rcpt', transaction })
      out += command === commands.recipients[0] ? commands.mail + command : command
    }
    if (transaction.dataPipelined) {
      this.#expected.push({ kind: 'data', transaction })
      out += 'DATA\r\n'
    }
    this.#say(out)
    return out
  }

  // ---- hearing -----------------------------------------------------------------------------------------------------

  #reply(reply: Reply): void {
    const { dialogue } = this.#options
    dialogue?.(`S: ${reply.code}${reply.enhanced === undefined ? '' : ` ${reply.enhanced}`} ${reply.text}`)
    if (this.#over) return
    const expected = this.#expected.shift()
    if (expected === undefined) {
      const [writing] = this.#open
      if (writing?.state === 'content' && reply.code >= 400 && reply.code !== 421) {
        // The server has heard enough of a message that is still being written.
        writing.state = 'done'
        this.#remove(writing)
        this.#tell(writing, refused('end-of-data', reply))
        this.#finish({
          kind: 'lost',
          reason: `the server refused in the middle of a message: ${reply.code} ${reply.text}`,
        })
        return
      }
      // A server may say 421 at any time (RFC 5321 section 3.8); anything else out of the blue is wrong.
      if (reply.code === 421) this.#finish({ kind: 'lost', reason: `the server hung up: 421 ${reply.text}` })
      else this.#poison(`the server said '${reply.code} ${reply.text}' without being asked`)
      return
    }
    this.#settleDeadline()
    switch (expected.kind) {
      case 'quit':
        this.#finish(this.#end ?? { kind: 'drained' })
        return
      case 'reset':
        if (reply.code === 421) this.#throttled(reply)
        else if (reply.code !== 250)
          this.#finish({ kind: 'lost', reason: `RSET was answered ${reply.code} ${reply.text}` })
        return
      case 'mail':
        this.#mailReply(expected.transaction, reply)
        return
      case 'rcpt':
        this.#recipientReply(expected.transaction, reply)
        return
      case 'data':
        this.#dataReply(expected.transaction, reply)
        return
      case 'end':
        this.#endReply(expected.transaction, reply)
    }
  }

  #mailReply(transaction: Transaction<J>, reply: Reply): void {
    if (reply.code === 421) return this.#throttled(reply)
    if (reply.code < 200 || (reply.code >= 300 && reply.code < 400))
      return this.#poison(`MAIL was answered ${reply.code}`)
    transaction.mail = reply
    if (reply.code < 300) {
      if (!this.#isGrouped(transaction)) this.#nextRecipient(transaction)
      return
    }
    if (this.#accepted > 0 && reply.code < 500 && (TOO_MANY.test(reply.text) || reply.enhanced === '4.5.3')) {
      // So many messages a connection: not this row's fault, and a new connection takes it.
      this.#options.onMessageLimit?.(this.#accepted)
      return this.#finish({ kind: 'limit', reply })
    }
    if (this.#accepted > 0 && reply.code < 500 && /^4\.(3\.2|7\.\d+)$/.test(reply.enhanced ?? ''))
      return this.#throttled(reply)
    if (transaction.acrossMessages && reply.code === 503) {
      // The end of data was taken and the group behind it was not: this server pipelines within a message only.
      this.#fallBack(1, `${reply.code} ${reply.text}`)
      return this.#finish({
        kind: 'protocol',
        reason: `the server takes no commands behind a message: ${reply.code} ${reply.text}`,
      })
    }
    if (!this.#isGrouped(transaction)) this.#refuse(transaction, 'mail', reply)
  }

  #recipientReply(transaction: Transaction<J>, reply: Reply): void {
    if (reply.code === 421) return this.#throttled(reply)
    if (reply.code < 200 || (reply.code >= 300 && reply.code < 400))
      return this.#poison(`RCPT was answered ${reply.code}`)
    transaction.recipients.push(reply)
    const all = transaction.recipients.length === transaction.job.message.envelope.to.length
    if (all && !transaction.dataPipelined) this.#confirm()
    if (!all) {
      if (!this.#isGrouped(transaction)) this.#nextRecipient(transaction)
      return
    }
    if (transaction.dataPipelined) return
    const refusal = this.#refusalOf(transaction)
    if (refusal !== undefined) this.#refuse(transaction, refusal.stage, refusal.reply)
    else {
      this.#expected.push({ kind: 'data', transaction })
      this.#say('DATA\r\n')
      this.#write('DATA\r\n')
    }
  }

  #dataReply(transaction: Transaction<J>, reply: Reply): void {
    if (reply.code === 421) return this.#throttled(reply)
    if (reply.code === 354 || reply.code >= 400) this.#confirm()
    const refusal = this.#refusalOf(transaction)
    if (reply.code >= 300 && reply.code < 400) {
      if (refusal !== undefined) {
        // The server waits for content that must not come: not even a lone dot, which some would deliver.
        transaction.state = 'done'
        this.#remove(transaction)
        const stale = transaction.mail !== undefined && transaction.mail.code === 503
        this.#tell(
          transaction,
          stale
            ? { kind: 'unsent', reason: 'the server was still in the message before' }
            : refused(refusal.stage, refusal.reply),
        )
        return this.#finish({ kind: 'lost', reason: 'the server asked for content of a message that it had refused' })
      }
      if (reply.code !== 354) return this.#poison(`DATA was answered ${reply.code}`)
      this.#begin(transaction)
      return
    }
    if (reply.code < 400) return this.#poison(`DATA was answered ${reply.code}`)
    if (refusal !== undefined) return this.#refuse(transaction, refusal.stage, refusal.reply)
    this.#refuse(transaction, 'data', reply)
  }

  /** The first thing that speaks against a message's envelope: MAIL, or the row's own address. */
  #refusalOf(transaction: Transaction<J>): { readonly stage: 'mail' | 'rcpt'; readonly reply: Reply } | undefined {
    const { mail, recipients } = transaction
    if (mail !== undefined && mail.code >= 400) return { stage: 'mail', reply: mail }
    const own = recipients[0]
    return own !== undefined && own.code >= 400 ? { stage: 'rcpt', reply: own } : undefined
  }

  #isGrouped(transaction: Transaction<J>): boolean {
    // Grouped envelopes expect all their replies from the start.
    return (
      this.#expected.some(
        (other) => (other.kind === 'rcpt' || other.kind === 'data') && other.transaction === transaction,
      ) || transaction.dataPipelined
    )
  }

  #nextRecipient(transaction: Transaction<J>): void {
    const commands = envelopeCommands(transaction.job.message, this.#options.connection.extensions)
    const command = commands.recipients[transaction.recipients.length]
    if (command === undefined) return
    this.#expected.push({ kind: 'rcpt', transaction })
    this.#say(command)
    this.#write(command)
  }

  /** A message that was refused before its content: the connection goes on with the next. */
  #refuse(transaction: Transaction<J>, stage: 'mail' | 'rcpt' | 'data', reply: Reply): void {
    this.#confirm()
    transaction.state = 'done'
    this.#remove(transaction)
    // After a MAIL that was taken, the next one would be 'nested' for many servers.
    this.#resetNeeded = transaction.mail !== undefined && transaction.mail.code < 300
    this.#tell(transaction, refused(stage, reply))
    this.#advance()
  }

  // ---- content -----------------------------------------------------------------------------------------------------

  #begin(transaction: Transaction<J>): void {
    transaction.state = 'ready'
    this.#deadline = Number.POSITIVE_INFINITY
    this.#feed.begin(transaction.job).then(
      () => this.#hand(transaction),
      () => {
        // The ledger is broken: this connection says nothing more.
        this.#closeReason = 'the ledger cannot be written'
        this.#options.connection.socket.destroy()
      },
    )
  }

  /** Writes the content with its final dot, and behind it the envelope of the next message where that is safe. */
  #hand(transaction: Transaction<J>): void {
    if (this.#end !== undefined || transaction.state !== 'ready') return
    const { message } = transaction.job
    this.#stage = 'data'
    if (message.size <= ONE_WRITE) {
      const chunks = message.dotFree ? message.chunks : dotStuffed(message.chunks)
      this.#handOver(transaction, chunks)
      return
    }
    transaction.state = 'content'
    void this.#stream(transaction)
  }

  /** The last octets of a message: from here on, only a reply tells what became of it. */
  #handOver(transaction: Transaction<J>, chunks: readonly Uint8Array[]): void {
    transaction.state = 'handed over'
    for (let count = this.#options.lmtp ? acceptedCount(transaction.recipients) : 1; count > 0; count--)
      this.#expected.push({ kind: 'end', transaction })
    this.#options.dialogue?.(`C: [${transaction.job.message.size} octets of content]`)
    this.#say('.\r\n')
    let behind = ''
    if (this.#level === 2 && this.#proven && !this.#drained && !this.#waiting) {
      const next = this.#take()
      if (next !== undefined) behind = this.#group(next, true)
    }
    const last = behind === '' ? END_OF_DATA : Buffer.from(`.\r\n${behind}`, 'utf8')
    const [only] = chunks
    if (chunks.length === 1 && only !== undefined) this.#write(Buffer.concat([only, last]))
    else this.#write(Buffer.concat([...chunks, last]))
    this.#settleDeadline()
  }

  /** Long content: chunk by chunk, never more in memory than the kernel has yet to take. */
  async #stream(transaction: Transaction<J>): Promise<void> {
    const { socket } = this.#options.connection
    const { message } = transaction.job
    const chunks = message.dotFree ? message.chunks : dotStuffed(message.chunks)
    const last = chunks.at(-1)
    for (const [index, chunk] of chunks.entries()) {
      const isLast = index === chunks.length - 1
      for (let at = 0; at < chunk.length; at += ONE_WRITE) {
        const piece = chunk.subarray(at, at + ONE_WRITE)
        if (isLast && at + ONE_WRITE >= chunk.length) break
        if (transaction.state !== 'content' || this.#end !== undefined) return
        this.#deadline = performance.now() + this.#options.timeouts.data
        if (!socket.write(piece)) await this.#drain()
      }
    }
    if (transaction.state !== 'content' || this.#end !== undefined) return
    const tail = last === undefined ? [] : [last.subarray(Math.floor((last.length - 1) / ONE_WRITE) * ONE_WRITE)]
    this.#handOver(transaction, last === undefined || last.length === 0 ? [] : tail)
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

  #endReply(transaction: Transaction<J>, reply: Reply): void {
    // 221 belongs to QUIT and 354 to DATA: neither says what became of this message.
    if (reply.code < 200 || reply.code === 221 || (reply.code >= 300 && reply.code < 400)) {
      return this.#poison(`the end of a message was answered ${reply.code} ${reply.text}`)
    }
    transaction.ends.push(reply)
    if (this.#options.lmtp && transaction.ends.length < acceptedCount(transaction.recipients)) return
    transaction.state = 'done'
    this.#remove(transaction)
    const [own = reply] = transaction.ends
    let outcome = refused('end-of-data', own)
    if (own.code < 300) {
      this.#accepted++
      this.#proven = true
      const copies = this.#refusedCopies(transaction)
      outcome = { kind: 'accepted', reply: own, ...(copies.length === 0 ? {} : { refused: copies }) }
    }
    this.#answered = { job: transaction.job, outcome }
    // Nothing went out behind it, so that its answer can be nobody else's.
    if (this.#open.length === 0) this.#confirm()
    if (reply.code === 421) return this.#throttled(reply)
    const held = this.#held
    if (held !== undefined && this.#open.length === 0) {
      this.#held = undefined
      this.#write(this.#group(held, false))
      return
    }
    this.#advance()
    if (this.#drained && this.#open.length === 0) this.#quit({ kind: 'drained' })
  }

  /**
   * 354 is the only reply that cannot be mistaken: when it comes where DATA is expected, no reply before it was missing.
   * Until then the answer to the message before might have been meant for the MAIL behind it.
   */
  #confirm(): void {
    const answered = this.#answered
    if (answered === undefined) return
    this.#answered = undefined
    this.#feed.end(
      answered.job,
      this.#poisoned
        ? { kind: 'in_doubt', reason: `handed over, but the answers of the server do not fit: ${this.#closeReason}` }
        : answered.outcome,
    )
  }

  #refusedCopies(transaction: Transaction<J>): readonly RefusedCopy[] {
    const { to } = transaction.job.message.envelope
    if (to.length === 1) return []
    const copies: RefusedCopy[] = []
    let answered = 0
    for (const [index, address] of to.entries()) {
      const reply = transaction.recipients[index]
      if (reply === undefined) continue
      if (reply.code >= 400) {
        copies.push({ address, reply })
        continue
      }
      const end = this.#options.lmtp ? transaction.ends[answered++] : undefined
      if (index > 0 && end !== undefined && end.code >= 400) copies.push({ address, reply: end })
    }
    return copies
  }

  // ---- ending ------------------------------------------------------------------------------------------------------

  #quit(end: LaneEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#expected.push({ kind: 'quit' })
    this.#say('QUIT\r\n')
    this.#write('QUIT\r\n')
    // Its reply is a courtesy: nobody waits long for it.
    this.#deadline = performance.now() + QUIT_WAIT
  }

  /** The server hangs up and wants less: what it has not taken goes elsewhere. */
  #throttled(reply: Reply): void {
    this.#finish({ kind: 'throttled', reply })
  }

  /** Nothing that this server says can be matched with what we asked any more. */
  #poison(reason: string): void {
    if (this.#end !== undefined && this.#end.kind === 'drained') return this.#finish(this.#end)
    this.#poisoned = true
    this.#closeReason = reason
    if (this.#level > 0) this.#fallBack(0, reason)
    this.#finish({ kind: 'protocol', reason })
  }

  #fallBack(level: Pipelining, reason: string): void {
    if (level >= this.#level) return
    this.#level = level
    this.#options.onFallback?.(level, reason)
  }

  /** Says what became of every message under way, and closes. */
  #finish(end: LaneEnd): void {
    if (this.#end === undefined || this.#end.kind === 'drained' || this.#end.kind === 'limit') this.#end = end
    this.#closeReason = reasonOf(this.#end)
    this.#options.connection.socket.destroy()
    this.#closed()
  }

  #closed(): void {
    if (this.#over) return
    this.#over = true
    clearInterval(this.#timer)
    this.#confirm()
    const reason = this.#closeReason
    this.#end ??= { kind: 'lost', reason }
    for (const transaction of this.#open.splice(0)) {
      const handedOver = transaction.state === 'handed over'
      transaction.state = 'done'
      this.#tell(
        transaction,
        handedOver
          ? { kind: 'in_doubt', reason: `handed over, but the answer never came: ${reason}` }
          : { kind: 'unsent', reason },
      )
    }
    if (this.#held !== undefined) {
      const held = this.#held
      this.#held = undefined
      this.#feed.end(held, { kind: 'unsent', reason })
    }
    this.#resolve(this.#end)
  }

  #tick(): void {
    const now = performance.now()
    if (now < this.#deadline) return
    this.#deadline = Number.POSITIVE_INFINITY
    if (this.#end !== undefined) return this.#finish(this.#end)
    const [head] = this.#expected
    const [first] = this.#open
    if (head?.kind === 'mail' && head.transaction.acrossMessages && this.#level === 2) {
      // It answered the message before and nothing since: it threw away what came behind.
      this.#fallBack(1, 'the server swallowed commands behind a message')
    } else if (this.#level > 0 && first !== undefined && first.state === 'envelope' && this.#accepted === 0) {
      this.#fallBack(0, 'the server does not answer grouped commands')
    }
    this.#finish({ kind: 'lost', reason: `no answer from the server in time (${this.#stage})` })
  }

  /** How long the server may now be silent (RFC 5321 section 4.5.3.2). */
  #settleDeadline(): void {
    const { timeouts } = this.#options
    const [head] = this.#expected
    if (head === undefined) {
      this.#deadline = Number.POSITIVE_INFINITY
      return
    }
    const across = head.kind === 'mail' && head.transaction.acrossMessages && this.#open[0] === head.transaction
    this.#stage = head.kind === 'end' ? 'end of data' : head.kind
    const wait =
      head.kind === 'end' ? timeouts.endOfData : across ? Math.min(SWALLOWED_MS, timeouts.command) : timeouts.command
    this.#deadline = performance.now() + wait
  }

  #tell(transaction: Transaction<J>, outcome: Outcome): void {
    this.#feed.end(transaction.job, outcome)
  }

  #remove(transaction: Transaction<J>): void {
    const at = this.#open.indexOf(transaction)
    if (at >= 0) this.#open.splice(at, 1)
  }

  #say(commands: string): void {
    const { dialogue } = this.#options
    if (dialogue !== undefined) for (const line of commands.split('\r\n')) if (line !== '') dialogue(`C: ${line}`)
  }

  #write(data: string | Buffer): void {
    const { socket } = this.#options.connection
    if (socket.destroyed) return
    if (typeof data === 'string') {
      socket.write(data, 'utf8')
      this.#settleDeadline()
    } else socket.write(data)
  }
}

function refused(stage: 'mail' | 'rcpt' | 'data' | 'end-of-data', reply: Reply): Outcome {
  return { kind: reply.code >= 500 ? 'rejected' : 'deferred', stage, reply }
}

function acceptedCount(recipients: readonly Reply[]): number {
  return recipients.filter(({ code }) => code < 300).length
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
