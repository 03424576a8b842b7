/**
 * The hash of a body in the relaxed form (RFC 6376 section 3.4.4): runs of white space are one space, there is none at
 * the ends of lines, and no empty line at the end. Owns the form; what rows share is brought into it once.
 */
import { createHash, hash } from 'node:crypto'

/** A chunk in relaxed form, up to the end of its last line that is not empty. */
interface Relaxed {
  readonly octets: Uint8Array
  /** Empty lines that followed: they count only when something else does. */
  readonly emptyLines: number
}

const CRLF = Buffer.from('\r\n')
/** Chunks as large as this are files; those that rows share are relaxed once. */
const LARGE = 16 * 1024

/** A hash for the bodies of one campaign. Each chunk ends with a whole line and has no line end but CRLF. */
export function createBodyHash(): (chunks: readonly Uint8Array[]) => string {
  const kept = new WeakMap<Uint8Array, Relaxed>()
  const scratch = Buffer.allocUnsafeSlow(LARGE)

  function relaxedOf(chunk: Uint8Array): Relaxed {
    if (chunk.length < LARGE) return relax(chunk, scratch)
    let relaxed = kept.get(chunk)
    if (relaxed === undefined) {
      relaxed = relax(chunk, Buffer.allocUnsafeSlow(chunk.length))
      kept.set(chunk, relaxed)
    }
    return relaxed
  }

  return (chunks) => {
    const [only] = chunks
    // Most messages are one piece of text, and a hash of one piece is cheaper than one that others can be added to.
    if (only !== undefined && chunks.length === 1) return hash('sha256', relaxedOf(only).octets, 'base64')
    const whole = createHash('sha256')
    let emptyLines = 0
    for (const chunk of chunks) {
      const relaxed = relaxedOf(chunk)
      if (relaxed.octets.length > 0) {
        for (; emptyLines > 0; emptyLines--) whole.update(CRLF)
        whole.update(relaxed.octets)
      }
      emptyLines += relaxed.emptyLines
    }
    return whole.digest('base64')
  }
}

/** White space that does not stand alone between words, tabs aside: looked for by themselves they cost a third. */
const LOOSE = / [ \r]/
const TAB = 9

/** Writes into `out`, which has room for the chunk as it is, unless it is in relaxed form already. */
function relax(chunk: Uint8Array, out: Buffer): Relaxed {
  const octets = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  if (!octets.includes(TAB) && !LOOSE.test(octets.toString('latin1'))) return withoutEmptyLines(octets)
  let size = 0
  let at = 0
  while (at < octets.length) {
    let space = false
    for (; at < octets.length; at++) {
      const octet = octets[at] ?? 0
      if (octet > 32) break
      space = octet !== 10 && octet !== 13
      if (octet !== 10) continue
      out[size++] = 13
      out[size++] = 10
    }
    if (space) out[size++] = 32
    for (; at < octets.length; at++) {
      const octet = octets[at] ?? 0
      if (octet <= 32) break
      out[size++] = octet
    }
  }
  return withoutEmptyLines(out.subarray(0, size))
}

function withoutEmptyLines(octets: Buffer): Relaxed {
  let { length } = octets
  let emptyLines = 0
  // Each turn takes a line end off that another line end, or nothing, stands before.
  for (; length > 0 && (length === 2 || octets[length - 3] === 10); length -= 2) emptyLines++
  return { octets: octets.subarray(0, length), emptyLines }
}
