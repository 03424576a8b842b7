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

/** Writes into `out`, which has room for the chunk as it is. */
function relax(chunk: Uint8Array, out: Buffer): Relaxed {
  let size = 0
  let lineEnds = 0
  let space = false
  for (let at = 0; at < chunk.length; at++) {
    const octet = chunk[at] ?? 0
    if (octet > 32) {
      if (lineEnds > 0) {
        for (; lineEnds > 0; lineEnds--) {
          out[size++] = 13
          out[size++] = 10
        }
      }
      if (space) {
        out[size++] = 32
        space = false
      }
      out[size++] = octet
    } else if (octet === 10) {
      lineEnds++
      space = false
    } else if (octet === 32 || octet === 9) space = true
  }
  return { octets: out.subarray(0, size), lineEnds }
}
