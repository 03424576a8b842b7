/**
 * A text or octets in the smallest safe transfer encoding (RFC 2045 section 6). Owns the line: only CRLF, at most 998
 * octets as it is and 76 when encoded, and never a dot or a boundary where it would mean something.
 */

export type TransferEncoding = '7bit' | 'quoted-printable' | 'base64'

export interface EncodedBody {
  readonly encoding: TransferEncoding
  /** ASCII only, lines end in CRLF, and so does the whole. */
  readonly content: string
}

/** What every boundary of ours begins with: it cannot stand in quoted-printable or base64, and plain text with it is encoded. */
export const BOUNDARY_MARK = '=_'

const PLAIN = /^[\t\n\r\u0020-\u007E]*$/
const LONGEST = 998

/** Encodes a body of text. Line ends of any kind are line breaks; a lone surrogate becomes U+FFFD. */
export function encodeText(text: string): EncodedBody {
  const lines = text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text
  if (PLAIN.test(lines) && isSafe(lines)) {
    const content = lines.includes('\n') ? lines.replaceAll('\n', '\r\n') : lines
    return { encoding: '7bit', content: content.endsWith('\r\n') ? content : `${content}\r\n` }
  }
  const octets = Buffer.from(lines.toWellFormed(), 'utf8')
  let special = 0
  for (const octet of octets) if ((octet < 32 && octet !== 10 && octet !== 9) || octet > 126 || octet === 61) special++
  // A special octet costs two more in quoted-printable, and every octet a third more in base64.
  if (special * 2 + octets.length / 38 > octets.length * 0.37 && special > 10) {
    return {
      encoding: 'base64',
      content: encodeOctets(Buffer.from(lines.toWellFormed().replaceAll('\n', '\r\n'), 'utf8')),
    }
  }
  return { encoding: 'quoted-printable', content: quotedPrintable(octets) }
}

/** True when plain text may go as it is. */
function isSafe(text: string): boolean {
  if (text.includes(BOUNDARY_MARK) || text.startsWith('.') || text.includes('\n.')) return false
  if (text.startsWith('From ') || text.includes('\nFrom ')) return false
  let start = 0
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
    if (end - start > LONGEST) return false
    start = end + 1
  }
  return text.length - start <= LONGEST
}

const HEX = Buffer.from('0123456789ABCDEF')

/** Quoted-printable of octets in which LF is a line break. Lines are at most 76 octets with their soft break. */
function quotedPrintable(octets: Buffer): string {
  const out = Buffer.allocUnsafe(octets.length * 3 + Math.ceil(octets.length / 20) * 3 + 16)
  let size = 0
  let column = 0
  for (let at = 0; at < octets.length; at++) {
    const octet = octets[at] ?? 0
    if (octet === 10) {
      out[size++] = 13
      out[size++] = 10
      column = 0
      continue
    }
    const next = octets[at + 1]
    const lineEnds = next === 10 || next === undefined
    // At a line's end white space is encoded; at its start a dot, and the F of 'From ', which mailboxes would mangle.
    const plain =
      (octet > 32 && octet < 127 && octet !== 61 && !(column === 0 && (octet === 46 || isFrom(octets, at)))) ||
      ((octet === 32 || octet === 9) && !lineEnds)
    const width = plain ? 1 : 3
    if (column + width > (lineEnds ? 76 : 75)) {
      out[size++] = 61
      out[size++] = 13
      out[size++] = 10
      column = 0
      // The octet begins a line now: look at it again.
      at--
      continue
    }
    if (plain) out[size++] = octet
    else {
      out[size++] = 61
      out[size++] = HEX[octet >> 4] ?? 48
      out[size++] = HEX[octet & 15] ?? 48
    }
    column += width
  }
  const text = out.toString('latin1', 0, size)
  return text.endsWith('\r\n') ? text : `${text}\r\n`
}

function isFrom(octets: Buffer, at: number): boolean {
  return (
    octets[at] === 70 &&
    octets[at + 1] === 114 &&
    octets[at + 2] === 111 &&
    octets[at + 3] === 109 &&
    octets[at + 4] === 32
  )
}

/** Octets in base64, 76 a line. */
export function encodeOctets(octets: Uint8Array): string {
  const buffer = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength)
  const lines: string[] = []
  // 57 octets make one line of 76; many lines are encoded in one go and cut.
  for (let at = 0; at < buffer.length; at += 57) lines.push(buffer.toString('base64', at, at + 57))
  return `${lines.join('\r\n')}\r\n`
}
