/** Turns a list's bytes into valid UTF-8, chunk by chunk. What cannot be read is marked, for the reader to find. */
import { isAscii, isUtf8 } from 'node:buffer'
import { getDecoder } from 'iconv-lite'
import { detectEncoding, detectNarrow, type Encoding, namedEncoding, unfinishedTail } from './encoding.ts'
import type { Input } from './input.ts'

/** Bytes of a plain file that are searched for the first character beyond ASCII before reading begins. */
const PROBE_LIMIT = 64 << 20

/**
 * Replaces bytes that could not be read: a noncharacter that no text holds, so that it differs from a U+FFFD that was in the
 * list already.
 */
export const LOST = '\u{FDD0}'

export interface Text {
  /** True for UTF-8 without a mark, which is given as it is. */
  readonly isPlain: boolean
  /** Grows when a character late in a stream decides about the encoding. */
  readonly notes: readonly string[]
  /** The beginning, decoded. */
  readonly head: Buffer
  /** Everything as UTF-8 without a mark; characters are never split between chunks. */
  chunks(): AsyncIterable<Buffer>
}

/** @throws ConfigError for an encoding that does not exist. */
export async function decodeInput(input: Input, wanted: string | undefined): Promise<Text> {
  const encoding = wanted === undefined ? await probe(input) : namedEncoding(wanted, input.head)
  const notes = encoding.note === undefined ? [] : [encoding.note]
  const head = new Transcoder(encoding, notes)
  const start = head.write(input.head.subarray(encoding.mark))
  return {
    isPlain: encoding.name === 'utf-8' && encoding.mark === 0,
    notes,
    head: input.complete ? Buffer.concat([start, head.end()]) : start,
    chunks: () => transcode(input, encoding, notes),
  }
}

/** Looks further into a plain file when its head is all ASCII. */
async function probe(input: Input): Promise<Encoding> {
  const encoding = detectEncoding(input.head, input.complete)
  if (!encoding.open || input.complete || input.path === undefined) return encoding
  let seen = 0
  for await (const chunk of input.chunks()) {
    seen += chunk.length
    if (seen > PROBE_LIMIT) break
    if (!isAscii(chunk)) return { ...detectNarrow(chunk, false, encoding.mark), mark: encoding.mark }
  }
  return encoding
}

async function* transcode(input: Input, encoding: Encoding, notes: string[]): AsyncGenerator<Buffer> {
  const transcoder = new Transcoder(encoding, notes)
  let mark = encoding.mark
  for await (const chunk of input.chunks()) {
    const body = mark === 0 ? chunk : chunk.subarray(mark)
    mark = Math.max(0, mark - chunk.length)
    const text = transcoder.write(body)
    if (text.length > 0) yield text
  }
  const rest = transcoder.end()
  if (rest.length > 0) yield rest
}

/** One pass over a text. UTF-8 goes through untouched; the rest is decoded and written again. */
class Transcoder {
  readonly #notes: string[]
  readonly #wide: boolean
  readonly #hasOldCurrencySign: boolean
  #open: boolean
  #decoder: { write(bytes: Buffer): string; end(): string | undefined } | undefined
  #carry: Buffer = Buffer.alloc(0)

  constructor(encoding: Encoding, notes: string[]) {
    this.#notes = notes
    this.#open = encoding.open
    this.#wide = /^(utf|ucs)/i.test(encoding.name)
    this.#hasOldCurrencySign = /^mac/i.test(encoding.name)
    if (encoding.name !== 'utf-8') this.#decoder = getDecoder(encoding.name, { stripBOM: false })
  }

  write(bytes: Uint8Array): Buffer {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (this.#decoder !== undefined) return this.#encode(this.#decoder.write(chunk))
    return this.#utf8(this.#carry.length === 0 ? chunk : Buffer.concat([this.#carry, chunk]))
  }

  #utf8(chunk: Buffer): Buffer {
    const tail = unfinishedTail(chunk)
    const body = tail === 0 ? chunk : chunk.subarray(0, chunk.length - tail)
    this.#carry = tail === 0 ? Buffer.alloc(0) : chunk.subarray(chunk.length - tail)
    if (isUtf8(body)) {
      if (this.#open && !isAscii(body)) this.#open = false
      return body
    }
    if (this.#open) {
      this.#open = false
      const late = detectNarrow(chunk, false, 0)
      if (late.name !== 'utf-8') {
        if (late.note !== undefined) this.#notes.push(late.note)
        this.#decoder = getDecoder(late.name)
        this.#carry = Buffer.alloc(0)
        return this.#encode(this.#decoder.write(chunk))
      }
    }
    return Buffer.from(body.toString('utf8').replaceAll('\u{FFFD}', LOST))
  }

  end(): Buffer {
    if (this.#decoder !== undefined) return this.#encode(this.#decoder.end() ?? '')
    // A character that the end of the file cuts off is damage like any other.
    return this.#carry.length === 0 ? this.#carry : Buffer.from(LOST)
  }

  #encode(text: string): Buffer {
    // A wide encoding may hold U+FFFD itself, and loses text as surrogates without their other half.
    const marked = this.#wide ? text.replace(/\p{Surrogate}/gu, LOST) : text.replaceAll('\u{FFFD}', LOST)
    // Since 1998 Macs write the euro where the library still has the sign that nobody used.
    return Buffer.from(this.#hasOldCurrencySign ? marked.replaceAll('\u00A4', '\u20AC') : marked, 'utf8')
  }
}
