/**
 * Commands and replies on one connection (RFC 5321 section 4, RFC 2920). Owns that a reply goes to what it answers, that all
 * which was asked since the last write goes out in one, and how long each answer is waited for. What a reply means for a
 * message or for the lane is its listener's.
 */
import type { SmtpTimeouts } from '../../config/settings.ts'
import type { Job, Reply } from '../transport.ts'
import type { AuthenticatedSocket, DialogueLine } from './connect/socket.ts'
import { Wire } from './connection.ts'
import { Expectations, type Expected, fits, isGroupBehind, NAMES } from './pending-replies.ts'
import { ReplyParser } from './reply-parser.ts'

export interface ConversationListener<J extends Job> {
  /** A reply of a kind that can answer what was asked. */
  answered(expected: Expected<J>, reply: Reply): void
  /** A reply when none is owed. */
  unasked(reply: Reply): void
  /** Nothing more that comes can be matched with what was asked. `leftOut`: the server skipped a reply before this one. */
  confused(reason: string, leftOut: boolean): void
  /** Nothing came in time: no answer to this, or, where nothing was asked, no room for content. */
  silent(awaited: Expected<J> | undefined): void
  closed(reason: string): void
}

export interface ConversationOptions<J extends Job> {
  readonly socket: AuthenticatedSocket['socket']
  readonly timeouts: SmtpTimeouts
  readonly listener: ConversationListener<J>
  readonly dialogue: DialogueLine | undefined
}

/** The last octets of a message. */
export interface LastContent {
  readonly chunks: readonly Uint8Array[]
  /** Size of the whole message, for people. */
  readonly size: number
}

/** The reply to QUIT is a courtesy: nobody waits long for it. */
const QUIT_WAIT = 2_000
/** After the reply to a message, the reply to the MAIL behind it must come within this, or the group was swallowed. */
const SWALLOWED_MS = 10_000

export class Conversation<J extends Job> {
  readonly #timeouts: SmtpTimeouts
  readonly #listener: ConversationListener<J>
  readonly #dialogue: DialogueLine | undefined
  readonly #wire: Wire
  readonly #parser: ReplyParser
  readonly #expectations = new Expectations<J>()
  /** Commands that go out with the next write. */
  #outbox = ''
  #heardReply = false
  #stopped = false

  constructor({ socket, timeouts, listener, dialogue }: ConversationOptions<J>) {
    this.#timeouts = timeouts
    this.#listener = listener
    this.#dialogue = dialogue
    this.#wire = new Wire(socket, Math.min(timeouts.command, timeouts.data, timeouts.endOfData), {
      octets: (chunk) => this.#heard(chunk),
      silent: () => listener.silent(this.#expectations.head),
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
    return this.#wire.open
  }

  start(): void {
    this.#wire.start()
  }

  /** Asks with the next write. The empty command is one more reply to the command before it. */
  ask(expected: Expected<J>, command: string): void {
    this.#expectations.add(expected)
    this.#outbox += command
  }

  /** Gives to the kernel in one write what was asked since the last one, behind the last octets of a message if any. */
  flush(content?: LastContent): void {
    if (this.#outbox === '' || !this.#wire.open) return
    const idle = this.#expectations.head === undefined
    const commands = this.#outbox
    this.#outbox = ''
    if (content !== undefined) this.#log(`[${content.size} octets of content]`)
    this.#log(commands)
    this.#expectations.written()
    this.#wire.write(content === undefined ? commands : Buffer.concat([...content.chunks, Buffer.from(commands)]))
    if (idle) this.#awaitNext()
  }

  /** Gives a piece of content that is not the last to the kernel; resolves when the next one may come. */
  writePiece(octets: Uint8Array): Promise<void> {
    this.#wire.within(this.#timeouts.data)
    return this.#wire.writePiece(octets)
  }

  /** Breaks the connection; the listener hears of it by `closed`. */
  cut(reason: string): void {
    this.#wire.cut(reason)
  }

  /** Breaks the connection, and says nothing more to its listener. */
  stop(): void {
    this.#stopped = true
    this.#wire.stop()
  }

  /** What the answers in one chunk ask for goes out after it: a reply that was already here can answer none of that. */
  #heard(chunk: Buffer): void {
    this.#heardReply = false
    this.#parser.push(chunk)
    if (this.#stopped) return
    // Octets that complete no reply earn no further time.
    if (this.#heardReply) this.#awaitNext()
    this.flush()
  }

  #reply(reply: Reply): void {
    if (this.#stopped) return
    const { code, enhanced, text } = reply
    this.#dialogue?.(`S: ${code}${enhanced === undefined ? '' : ` ${enhanced}`} ${text}`)
    const expected = this.#expectations.take()
    if (expected === undefined) return this.#listener.unasked(reply)
    this.#heardReply = true
    const { kind } = expected
    if (fits(kind, code)) return this.#listener.answered(expected, reply)
    // 354 came early: one of the replies before it is missing, and it may be the one that we took for the last message's.
    const leftOut = code < 400 && code >= 300 && (kind === 'mail' || kind === 'rcpt')
    this.#listener.confused(`${NAMES[kind]} was answered '${code} ${text}'`, leftOut)
  }

  #awaitNext(): void {
    const { head } = this.#expectations
    if (head === undefined) this.#wire.atLeisure()
    else this.#wire.within(patience(head, this.#timeouts))
  }

  #log(commands: string): void {
    const dialogue = this.#dialogue
    if (dialogue === undefined) return
    for (const line of commands.split('\r\n')) if (line !== '') dialogue(`C: ${line}`)
  }
}

/** How many milliseconds an answer may take. */
function patience(awaited: Expected<Job>, { command, endOfData }: SmtpTimeouts): number {
  if (awaited.kind === 'quit') return QUIT_WAIT
  if (awaited.kind === 'end') return endOfData
  return isGroupBehind(awaited) ? Math.min(SWALLOWED_MS, command) : command
}
