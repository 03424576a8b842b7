/**
 * Content as it may go over the wire. Owns two promises: a CR or LF leaves only as part of a CRLF, and no NUL leaves at all
 * (a bare one is how one message becomes two); and a line that begins with a dot gets a second one (RFC 5321 section
 * 4.5.2). It looks at every octet of every message, because the wire is the last place where a mistake can be stopped.
 */

/** What a look at the octets found. */
export type Look =
  /** Goes as it is. */
  | 'clean'
  /** A line begins with a dot: it goes through `dotStuffed`. */
  | 'dots'
  /** A bare CR, a bare LF or a NUL: it must not go. */
  | 'impure'

const CR = 13
const LF = 10
const DOT = 46
const IMPURE = /\r(?!\n)|(?<!\r)\n|\0/
const IMPURE_OR_DOT = /\r(?!\n)|(?<!\r)\n|\n\.|\0/
/** Chunks of this size are parts that many messages share: what was found in them is remembered. */
const SHARED = 16 * 1024
const looked = new WeakMap<Uint8Array, Look>()

/** Looks at all chunks as one text, also across their edges. */
export function lookAt(chunks: readonly Uint8Array[]): Look {
  let found: Look = 'clean'
  let previous = LF
  let first = true
  for (const chunk of chunks) {
    const { length } = chunk
    if (length === 0) continue
    const start = chunk[0]
    if (previous === CR ? start !== LF : start === LF) return 'impure'
    if (previous === LF && start === DOT) found = 'dots'
    first = false
    previous = chunk[length - 1] ?? LF
    const inner = lookInto(chunk)
    if (inner === 'impure') return 'impure'
    if (inner === 'dots') found = 'dots'
  }
  return !first && previous === CR ? 'impure' : found
}

/** Looks at one chunk. A CR as its last octet or an LF as its first is a matter of its neighbours. */
function lookInto(chunk: Uint8Array): Look {
  if (chunk.length < SHARED) return lookThrough(chunk)
  let look = looked.get(chunk)
  if (look === undefined) {
    look = lookThrough(chunk)
    looked.set(chunk, look)
  }
  return look
}

function lookThrough(chunk: Uint8Array): Look {
  const from = chunk[0] === LF ? 1 : 0
  const to = chunk[chunk.length - 1] === CR ? chunk.length - 1 : chunk.length
  const text = asBuffer(chunk).toString('latin1', from, to)
  // One pass for what nearly every message is; a second one only where a dot could hide something worse.
  if (!IMPURE_OR_DOT.test(text)) return from === 1 && chunk[1] === DOT ? 'dots' : 'clean'
  return IMPURE.test(text) ? 'impure' : 'dots'
}

const ONE_DOT = Buffer.from('.')
const DOT_LINE = Buffer.from('\n.')

/** Content that `lookAt` called `dots`, with a dot more before each line that begins with one. Copies nothing. */
export function dotStuffed(chunks: readonly Uint8Array[]): readonly Uint8Array[] {
  const stuffed: Uint8Array[] = []
  let previous = LF
  for (const chunk of chunks) {
    if (chunk.length === 0) continue
    const octets = asBuffer(chunk)
    if (previous === LF && octets[0] === DOT) stuffed.push(ONE_DOT)
    let from = 0
    for (let at = octets.indexOf(DOT_LINE); at >= 0; at = octets.indexOf(DOT_LINE, from)) {
      stuffed.push(octets.subarray(from, at + 1), ONE_DOT)
      from = at + 1
    }
    stuffed.push(octets.subarray(from))
    previous = octets[octets.length - 1] ?? LF
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

/** The same octets in pieces of `most`, the last one shorter; copies only where a piece spans chunks. */
export function* pieces(chunks: readonly Uint8Array[], most: number): Generator<Uint8Array> {
  let gathered: Uint8Array[] = []
  let octets = 0
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + most - octets)
      gathered.push(part)
      octets += part.length
      at += part.length
      if (octets < most) continue
      yield joined(gathered)
      gathered = []
      octets = 0
    }
  }
  if (octets > 0) yield joined(gathered)
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts)
}

function asBuffer(chunk: Uint8Array): Buffer {
  return Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
}
