/**
 * The hash of a body in the relaxed form (RFC 6376 section 3.4.4): runs of white space are one space, there is none at
 * the ends of lines, and no empty line at the end. Owns the form; what rows share is brought into it once.
 */
import { createHash } from 'node:crypto'

/** A chunk in relaxed form, up to its last line that is not empty. */
interface Relaxed {
  readonly octets: Uint8Array
  /** Line ends that followed: they count only when something else does. */
  readonly lineEnds: number
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
    const hash = createHash('sha256')
    let lineEnds = 0
    let empty = true
    for (const chunk of chunks) {
      const relaxed = relaxedOf(chunk)
      if (relaxed.octets.length > 0) {
        for (; lineEnds > 0; lineEnds--) hash.update(CRLF)
        hash.update(relaxed.octets)
        empty = false
      }
      lineEnds += relaxed.lineEnds
    }
    if (!empty) hash.update(CRLF)
    return hash.digest('base64')
  }
}

/** White space that does not stand alone between words. */
const LOOSE = /\t| [ \r]/

/** Writes into `out`, which has room for the chunk as it is, unless it is in relaxed form already. */
function relax(chunk: Uint8Array, out: Buffer): Relaxed {
  const octets = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  if (!LOOSE.test(octets.toString('latin1'))) return withoutLineEnds(octets)
  let size = 0
  let lineEnds = 0
  let at = 0
  while (at < octets.length) {
    let space = false
    for (; at < octets.length; at++) {
      const octet = octets[at] ?? 0
      if (octet > 32) break
      if (octet === 10) lineEnds++
      space = octet !== 10 && octet !== 13
    }
    if (at === octets.length) break
    for (; lineEnds > 0; lineEnds--) {
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
  return { octets: out.subarray(0, size), lineEnds }
}

function withoutLineEnds(octets: Buffer): Relaxed {
  let { length } = octets
  let lineEnds = 0
  for (; length > 0 && octets[length - 1] === 10; length -= 2) lineEnds++
  return { octets: octets.subarray(0, length), lineEnds }
}
