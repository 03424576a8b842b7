/**
 * Commands and replies on one connection (RFC 5321 section 4, RFC 2920). Owns the match of each reply to its command, the
 * writing of all commands asked since the last write in one piece, and the time limit of each reply. What a reply means for a
 * message or for the lane is decided by the listener.
 */
import type { SmtpTimeouts } from '../../config/settings.ts'
import type { Reply } from '../../replies/reply.ts'
import type { Job } from '../transport.ts'
import type { AuthenticatedSocket, DialogueLog } from './connect/socket.ts'
import { Connection } from './connection.ts'
import { fits, isGroupBehind, NAMES, PendingReplies, type PendingReply } from './pending-replies.ts'
import { ReplyParser } from './reply-parser.ts'

export interface DialogueListener<J extends Job> {
  /** A reply of a kind that can answer what was asked. */
  answered(pending: PendingReply<J>, reply: Reply): void
  /** A reply when none is owed. */
  unasked(reply: Reply): void
  /** Replies can no longer be matched with commands. `leftOut`: the server skipped a reply before this one. */
  confused(reason: string, leftOut: boolean): void
  /** No reply to this command came in time; or, where no reply is pending, the server took no content in time. */
  silent(awaited: PendingReply<J> | undefined): void
  closed(reason: string): void
}

export interface DialogueOptions<J extends Job> {
  readonly socket: AuthenticatedSocket['socket']
  readonly timeouts: SmtpTimeouts
  readonly listener: DialogueListener<J>
  readonly log: DialogueLog | undefined
}

/** The last bytes of a message. */
export interface LastContent {
  readonly chunks: readonly Uint8Array[]
  /** Size of the whole message, for people. */
  readonly size: number
}

/** The reply to QUIT is a courtesy, so the wait for it is short. */
const QUIT_WAIT = 2_000
/** After the reply to a message, the reply to the MAIL behind it must come within this, or the group was swallowed. */
const SWALLOWED_MS = 10_000

export class Dialogue<J extends Job> {
  readonly #timeouts: SmtpTimeouts
  readonly #listener: DialogueListener<J>
  readonly #transcript: DialogueLog | undefined
  readonly #connection: Connection
  readonly #parser: ReplyParser
  readonly #pending = new PendingReplies<J>()
  /** Commands that go out with the next write. */
  #outbox = ''
  #gotReply = false
  #stopped = false

  constructor({ socket, timeouts, listener, log }: DialogueOptions<J>) {
    this.#timeouts = timeouts
    this.#listener = listener
    this.#transcript = log
    this.#connection = new Connection(socket, Math.min(timeouts.command, timeouts.data, timeouts.endOfData), {
      received: (chunk) => this.#received(chunk),
      silent: () => listener.silent(this.#pending.head),
      closed: (reason) => {
        if (!this.#stopped) listener.closed(reason)
      },
    })
    this.#parser = new ReplyParser({
      reply: (reply) => this.#reply(reply),
      broken: (reason) => {
        if (!this.#stopped) listener.confused(reason, false)
      },
    })
  }

  get open(): boolean {
    return this.#connection.open
  }

  start(): void {
    this.#connection.start()
  }

  /** Queues a command for the next write. The empty command means one more reply to the command before it. */
  ask(pending: PendingReply<J>, command: string): void {
    this.#pending.add(pending)
    this.#outbox += command
  }

  /** Writes in one piece all commands asked since the last write, after the last bytes of a message if any. */
  flush(content?: LastContent): void {
    if (this.#outbox === '' || !this.#connection.open) return
    const idle = this.#pending.head === undefined
    const commands = this.#outbox
    this.#outbox = ''
    if (content !== undefined) this.#log(`[${content.size} octets of content]`)
    this.#log(commands)
    this.#pending.written()
    this.#connection.write(content === undefined ? commands : Buffer.concat([...content.chunks, Buffer.from(commands)]))
    if (idle) this.#awaitNext()
  }

  /** Writes a piece of content that is not the last; resolves when the next one may be written. */
  writePiece(bytes: Uint8Array): Promise<void> {
    this.#connection.expectWithin(this.#timeouts.data)
    return this.#connection.writePiece(bytes)
  }

  /** Breaks the connection; the listener gets `closed`. */
  cut(reason: string): void {
    this.#connection.cut(reason)
  }

  /** Breaks the connection and calls the listener no more. */
  stop(): void {
    this.#stopped = true
    this.#connection.stop()
  }

  /** Commands that the replies of one chunk lead to go out after the whole chunk: no reply in it can answer them. */
  #received(chunk: Buffer): void {
    this.#gotReply = false
    this.#parser.push(chunk)
    if (this.#stopped) return
    // Bytes that complete no reply do not extend the time limit.
    if (this.#gotReply) this.#awaitNext()
    this.flush()
  }

  #reply(reply: Reply): void {
    if (this.#stopped) return
    const { code, enhanced, text } = reply
    this.#transcript?.(`S: ${code}${enhanced === undefined ? '' : ` ${enhanced}`} ${text}`)
    const pending = this.#pending.shift()
    if (pending === undefined) return this.#listener.unasked(reply)
    this.#gotReply = true
    const { kind } = pending
    if (fits(kind, code)) return this.#listener.answered(pending, reply)
    // 354 came early: one of the replies before it is missing, and it may be the one that we took for the last message's.
    const leftOut = code < 400 && code >= 300 && (kind === 'mail' || kind === 'rcpt')
    this.#listener.confused(`${NAMES[kind]} was answered '${code} ${text}'`, leftOut)
  }

  #awaitNext(): void {
    const { head } = this.#pending
    if (head === undefined) this.#connection.expectNothing()
    else this.#connection.expectWithin(patience(head, this.#timeouts))
  }

  #log(commands: string): void {
    const transcript = this.#transcript
    if (transcript === undefined) return
    for (const line of commands.split('\r\n')) if (line !== '') transcript(`C: ${line}`)
  }
}

/** How many milliseconds an answer may take. */
function patience(awaited: PendingReply<Job>, { command, endOfData }: SmtpTimeouts): number {
  if (awaited.kind === 'quit') return QUIT_WAIT
  if (awaited.kind === 'end') return endOfData
  return isGroupBehind(awaited) ? Math.min(SWALLOWED_MS, command) : command
}
