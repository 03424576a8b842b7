/**
 * A message from 354 to its final dot. Owns an order that must never change: first its start is made durable, then its bytes
 * are written as the kernel takes them, then its end, which hands it over. Owns dots and pieces too; whether content may go
 * at all is decided in `../line-endings.ts`.
 */
import type { Feed, Job } from '../transport.ts'
import type { Dialogue } from './dialogue.ts'
import type { Transaction } from './transaction.ts'

export interface ContentWriterOptions<J extends Job> {
  readonly feed: Feed<J>
  readonly dialogue: Dialogue<J>
  /** Queues what may go out in one write with the end of a message. */
  readonly behind: () => void
}

/** Content up to here goes in one write together with its end; longer content piece by piece, as the kernel takes it. */
const PIECE = 128 * 1024

export class ContentWriter<J extends Job> {
  readonly #feed: Feed<J>
  readonly #dialogue: Dialogue<J>
  readonly #behind: () => void

  constructor({ feed, dialogue, behind }: ContentWriterOptions<J>) {
    this.#feed = feed
    this.#dialogue = dialogue
    this.#behind = behind
  }

  /** Writes the content of a message that the server asked for. */
  begin(transaction: Transaction<J>): void {
    transaction.state = 'ready'
    this.#feed.begin(transaction.job).then(
      () => this.#write(transaction),
      // The ledger is broken: this connection sends nothing more.
      () => this.#dialogue.cut('the attempt could not be recorded'),
    )
  }

  #write(transaction: Transaction<J>): void {
    if (!this.#mayGoOn(transaction, 'ready')) return
    const { message } = transaction.job
    transaction.state = 'content'
    const chunks = transaction.dotted ? dotStuffed(message.chunks) : message.chunks
    if (message.size <= PIECE) this.#handOver(transaction, chunks)
    else void this.#stream(transaction, chunks)
  }

  /** Long content: never more of it in memory than the kernel has yet to take. */
  async #stream(transaction: Transaction<J>, chunks: readonly Uint8Array[]): Promise<void> {
    let held: Uint8Array | undefined
    for (const piece of pieces(chunks, PIECE)) {
      if (held !== undefined) {
        if (!this.#mayGoOn(transaction, 'content')) return
        await this.#dialogue.writePiece(held)
      }
      held = piece
    }
    if (this.#mayGoOn(transaction, 'content')) this.#handOver(transaction, held === undefined ? [] : [held])
  }

  /** The last bytes of a message and its end, in one write with the envelope of the next message where that is safe. */
  #handOver(transaction: Transaction<J>, chunks: readonly Uint8Array[]): void {
    const dialogue = this.#dialogue
    const end = { kind: 'end', transaction } as const
    dialogue.ask(end, endMark(chunks))
    for (let more = transaction.endsAsked - 1; more > 0; more--) dialogue.ask(end, '')
    this.#behind()
    // Asking may have ended in a stop.
    if (!dialogue.open) return
    transaction.state = 'handed over'
    dialogue.flush({ chunks, size: transaction.job.message.size })
  }

  /** False once the message was rejected, or the connection is closed. */
  #mayGoOn(transaction: Transaction<J>, state: 'ready' | 'content'): boolean {
    return transaction.state === state && this.#dialogue.open
  }
}

const LF = 10
const DOT = 46
const ONE_DOT = Buffer.from('.')
const DOT_LINE = Buffer.from('\n.')

/**
 * Content that `scanContent` called `dots`, with a dot more before each line that begins with one (RFC 5321 section 4.5.2).
 * Copies nothing.
 */
export function dotStuffed(chunks: readonly Uint8Array[]): readonly Uint8Array[] {
  const stuffed: Uint8Array[] = []
  let previous = LF
  for (const chunk of chunks) {
    if (chunk.length === 0) continue
    const bytes = asBuffer(chunk)
    if (previous === LF && bytes[0] === DOT) stuffed.push(ONE_DOT)
    let from = 0
    for (let at = bytes.indexOf(DOT_LINE); at >= 0; at = bytes.indexOf(DOT_LINE, from)) {
      stuffed.push(bytes.subarray(from, at + 1), ONE_DOT)
      from = at + 1
    }
    stuffed.push(bytes.subarray(from))
    previous = bytes[bytes.length - 1] ?? LF
  }
  return stuffed
}

/** The mark that ends a message: with a CRLF in front where its last line has none. */
export function endMark(chunks: readonly Uint8Array[]): string {
  for (let at = chunks.length - 1; at >= 0; at--) {
    const chunk = chunks[at]
    if (chunk !== undefined && chunk.length > 0) return chunk[chunk.length - 1] === LF ? '.\r\n' : '\r\n.\r\n'
  }
  return '.\r\n'
}

/** The same bytes in pieces of `most`, the last one shorter; copies only where a piece spans chunks. */
export function* pieces(chunks: readonly Uint8Array[], most: number): Generator<Uint8Array> {
  let gathered: Uint8Array[] = []
  let bytes = 0
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + most - bytes)
      gathered.push(part)
      bytes += part.length
      at += part.length
      if (bytes < most) continue
      yield joined(gathered)
      gathered = []
      bytes = 0
    }
  }
  if (bytes > 0) yield joined(gathered)
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts)
}

function asBuffer(chunk: Uint8Array): Buffer {
  return Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
}
