/**
 * The last check of a message before it leaves, by any transport: a CR or LF leaves only as part of a CRLF, and no NUL leaves
 * at all (a bare line break is how one message becomes two). Owns the scan of every byte; never changes one.
 */

/** What the content holds. */
export type ContentScan =
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
/** Chunks of this size are parts that many messages share: the result is remembered. */
const SHARED = 16 * 1024
const scanned = new WeakMap<Uint8Array, ContentScan>()

/** Scans all chunks as one text, also across their edges. */
export function scanContent(chunks: readonly Uint8Array[]): ContentScan {
  let found: ContentScan = 'clean'
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
    const inner = scanChunk(chunk)
    if (inner === 'impure') return 'impure'
    if (inner === 'dots') found = 'dots'
  }
  return !first && previous === CR ? 'impure' : found
}

/** Scans one chunk. A CR as its last byte or an LF as its first is judged together with its neighbours. */
function scanChunk(chunk: Uint8Array): ContentScan {
  if (chunk.length < SHARED) return scanBytes(chunk)
  let scan = scanned.get(chunk)
  if (scan === undefined) {
    scan = scanBytes(chunk)
    scanned.set(chunk, scan)
  }
  return scan
}

function scanBytes(chunk: Uint8Array): ContentScan {
  const from = chunk[0] === LF ? 1 : 0
  const to = chunk[chunk.length - 1] === CR ? chunk.length - 1 : chunk.length
  const text = asBuffer(chunk).toString('latin1', from, to)
  // One pass for what nearly every message is; a second one only where a dot could hide something worse.
  if (!IMPURE_OR_DOT.test(text)) return from === 1 && chunk[1] === DOT ? 'dots' : 'clean'
  return IMPURE.test(text) ? 'impure' : 'dots'
}

function asBuffer(chunk: Uint8Array): Buffer {
  return Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
}
