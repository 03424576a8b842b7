/**
 * Commands and replies on one connection (RFC 5321 section 4, RFC 2920). Owns the reading of replies, the match of each to its
 * command, the writing of all commands asked since the last write in one piece, and the time limit of each reply. What a reply
 * means for a message or for the lane is decided by the listener.
 */
import type { SmtpTimeouts } from '../../config/settings.ts'
import { type Reply, readable } from '../../replies/reply.ts'
import type { Job } from '../transport.ts'
import type { AuthenticatedSocket, DialogueLog } from './connect/socket.ts'
import { Connection } from './connection.ts'
import type { Transaction } from './transaction.ts'

export type PendingReply<J extends Job> =
  | { readonly kind: 'mail' | 'rcpt' | 'data' | 'end'; readonly transaction: Transaction<J> }
  | { readonly kind: 'rset' }
  | { readonly kind: 'quit' }

type Asked = PendingReply<Job>['kind']

/** For messages. */
export const COMMAND_NAMES: Readonly<Record<Asked, string>> = {
  mail: 'MAIL',
  rcpt: 'RCPT',
  data: 'DATA',
  end: 'the end of a message',
  rset: 'RSET',
  quit: 'QUIT',
}

/**
 * Whether a reply of this code can be the answer to what was asked. 354 is the only reply of its kind, so that DATA is the
 * mark by which a missing or a doubled reply is noticed; 221 belongs to QUIT alone, to which any reply is one. 421 may come
 * anywhere.
 */
function fits(asked: Asked, code: number): boolean {
  if (code >= 400) return true
  switch (asked) {
    case 'data':
      return code >= 300
    case 'quit':
      return true
    default:
      return code < 300 && code !== 221
  }
}

/** True while the message before it is answered and no reply to the group behind it has come. */
export function isGroupBehind(awaited: PendingReply<Job>): boolean {
  return awaited.kind === 'mail' && awaited.transaction.behind
}

/**
 * The replies that the server still owes, first in, first out. A command that is not yet written cannot have been answered,
 * whatever arrives.
 */
class PendingReplies<J extends Job> {
  readonly #queue: PendingReply<J>[] = []
  #unwritten = 0

  /** The one whose reply must come next. */
  get head(): PendingReply<J> | undefined {
    return this.#queue.length > this.#unwritten ? this.#queue[0] : undefined
  }

  add(reply: PendingReply<J>): void {
    this.#queue.push(reply)
    this.#unwritten++
  }

  /** All commands queued so far were written. */
  written(): void {
    this.#unwritten = 0
  }

  shift(): PendingReply<J> | undefined {
    return this.#queue.length > this.#unwritten ? this.#queue.shift() : undefined
  }
}

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
    if (content !== undefined) this.#log(`[${content.size} bytes of content]`)
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
    this.#listener.confused(`${COMMAND_NAMES[kind]} was answered '${code} ${text}'`, leftOut)
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

const MAX_LINE = 4096
const MAX_REPLY = 65_536
/** A code that is not known counts by its first digit (RFC 5321 section 4.2.1). */
const SHAPE = /^[2-5][0-9][0-9](?:[ -]|$)/
/** Some gateways write a number sign before it. */
const ENHANCED = /^#?([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)/

export interface ReplySink {
  reply(reply: Reply): void
  /** What came is not a reply, and nothing after it can be trusted. Called once at most; no reply follows. */
  broken(reason: string): void
}

/**
 * Bytes of a server to replies (RFC 5321 section 4.2). Whatever comes in whatever pieces, memory stays small and anything that is
 * not a reply is called so.
 */
export class ReplyParser {
  readonly #sink: ReplySink
  #rest = ''
  #lines: string[] = []
  #size = 0
  #broken = false

  constructor(sink: ReplySink) {
    this.#sink = sink
  }

  push(chunk: Buffer): void {
    if (this.#broken) return
    const came = chunk.toString('latin1')
    const text = this.#rest === '' ? came : this.#rest + came
    let start = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      // A line that ends in LF alone is read too: it is the server's text, and nothing of ours depends on it.
      const line = text.slice(start, end > start && text.charCodeAt(end - 1) === 13 ? end - 1 : end)
      start = end + 1
      this.#line(line)
      if (this.#broken) return
    }
    this.#rest = start === 0 ? text : text.slice(start)
    if (this.#rest.length > MAX_LINE) this.#fail('a reply line without an end')
  }

  #line(line: string): void {
    if (line.length > MAX_LINE) return this.#fail(`a reply line of more than ${MAX_LINE} bytes`)
    if (!SHAPE.test(line)) return this.#fail(`'${readable(line).slice(0, 80)}', which is not a reply`)
    // A CR in a line is two lines to some and one to others.
    if (line.includes('\r')) return this.#fail('a bare CR in a reply')
    this.#size += line.length
    if (this.#size > MAX_REPLY) return this.#fail(`a reply of more than ${MAX_REPLY} bytes`)
    const [first] = this.#lines
    if (first !== undefined && first.slice(0, 3) !== line.slice(0, 3)) return this.#fail('a reply with two codes')
    if (line.charCodeAt(3) === 45) {
      this.#lines.push(line)
      return
    }
    this.#size = 0
    if (first === undefined) return this.#sink.reply(oneLineReply(line))
    const lines = this.#lines
    this.#lines = []
    lines.push(line)
    this.#sink.reply(toReply(lines))
  }

  #fail(what: string): void {
    this.#broken = true
    this.#rest = ''
    this.#lines = []
    this.#sink.broken(`the server sent ${what}`)
  }
}

function oneLineReply(line: string): Reply {
  const code = Number(line.slice(0, 3))
  const text = line.slice(4)
  const written = enhancedCode(text, line.charCodeAt(0))
  if (written === undefined) return { code, text: readable(text.trim()) }
  return { code, enhanced: withoutSign(written), text: readable(text.slice(written.length).trim()) }
}

function toReply(lines: readonly string[]): Reply {
  const [first = ''] = lines
  const code = Number(first.slice(0, 3))
  const written = enhancedCode(first.slice(4), first.charCodeAt(0))
  const texts = lines.map((line) => line.slice(4))
  const parts = written === undefined ? texts : texts.map((text) => text.replace(ENHANCED, '').trim())
  const text = readable(parts.join(' ').trim())
  return written === undefined ? { code, text } : { code, enhanced: withoutSign(written), text }
}

function withoutSign(written: string): string {
  return written.startsWith('#') ? written.slice(1) : written
}

/** As it is written. An enhanced code of another class than the reply's is worth nothing (RFC 2034 section 4). */
function enhancedCode(text: string, firstDigit: number): string | undefined {
  const start = text.charCodeAt(0) === 35 ? 1 : 0
  if (text.charCodeAt(start) !== firstDigit || text.charCodeAt(start + 1) !== 46) return undefined
  return ENHANCED.exec(text)?.[0]
}
