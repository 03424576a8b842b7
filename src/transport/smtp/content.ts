/**
 * Content as it goes over the wire: a line that begins with a dot gets a second one (RFC 5321 section 4.5.2), and a final dot
 * ends the message. Owns dots and pieces; whether content may go at all is decided in `../line-endings.ts`.
 */

const LF = 10
const DOT = 46
const ONE_DOT = Buffer.from('.')
const DOT_LINE = Buffer.from('\n.')

/** Content that `scanContent` called `dots`, with a dot more before each line that begins with one. Copies nothing. */
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
