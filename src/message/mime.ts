/**
 * The parts of a message and how they stand in each other (RFC 2045, 2046, 2183, 2387), each text or file in the smallest safe
 * transfer encoding. Owns the fields of a part and its lines: only CRLF, at most 998 bytes as it is and 76 when encoded, and
 * never a dot or a boundary where it would mean something. Knows nothing of the fields of the message.
 */
import { DataError } from '../errors.ts'
import type { CalendarPart } from './calendar/calendar.ts'
import { fileNameParameter } from './header.ts'

/** A part that goes into a message beside its bodies. */
export interface LoadedPart {
  readonly disposition: 'attachment' | 'inline'
  /** File name as a person sees it, already made safe. */
  readonly name: string
  readonly type: string
  /** Without brackets; for inline parts. */
  readonly contentId?: string
  readonly content: Uint8Array
  /** The same object is given to other rows too, so that what is made of it may be kept by its identity. */
  readonly shared: boolean
}

/** A part: its own header fields and the empty line, then what follows. Each piece ends with a whole line. */
export interface Entity {
  readonly head: string
  /** Text is ASCII. Bytes are those of a file, and the same object each time when rows share them. */
  readonly pieces: readonly (string | Buffer)[]
}

export function textEntity(subtype: 'plain' | 'html', text: string): Entity {
  const { encoding, content } = encodeText(text)
  return {
    head: `Content-Type: text/${subtype}; charset=utf-8\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n`,
    pieces: [content],
  }
}

/** The invitation that a mail program answers (RFC 6047 section 2.4). Base64 keeps its CRLF and its folds as they are. */
export function calendarEntity({ method, text }: CalendarPart): Entity {
  return {
    head: `Content-Type: text/calendar; charset=utf-8; method=${method}\r\nContent-Transfer-Encoding: base64\r\n\r\n`,
    pieces: [encodeOctets(Buffer.from(text))],
  }
}

/** The same invitation as a file, for programs that do not look into alternatives. */
export function calendarFile({ text, fileName }: CalendarPart): LoadedPart {
  const content = Buffer.from(text)
  return { disposition: 'attachment', name: fileName, type: 'application/ics', content, shared: false }
}

/** Parts one after the other. `more` are further parameters of the type, each with its semicolon. */
export function multipart(subtype: string, boundary: string, parts: readonly Entity[], more = ''): Entity {
  const pieces: (string | Buffer)[] = []
  for (const part of parts) pieces.push(`--${boundary}\r\n${part.head}`, ...part.pieces)
  pieces.push(`--${boundary}--\r\n`)
  return { head: `Content-Type: multipart/${subtype}${more};\r\n boundary="${boundary}"\r\n\r\n`, pieces }
}

const TOKEN = String.raw`[A-Za-z0-9!#$%&'*+.^_\`|~-]+`
const MEDIA_TYPE = new RegExp(`^${TOKEN}/${TOKEN}(?:; ?${TOKEN}=(?:${TOKEN}|"[ !#-\\[\\]-~]*"))*$`)
const CONTENT_ID = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.@-]{1,200}$/

/**
 * A file as a part. `forbidden` is what no plain line may hold, since the boundaries around it do.
 * @throws DataError for a Content-ID that is not valid.
 */
export function fileEntity(part: LoadedPart, forbidden: string): Entity {
  const { contentId, content, disposition, name } = part
  if (contentId !== undefined && !CONTENT_ID.test(contentId)) {
    const message = `'${contentId.slice(0, 40).replace(/[^ -~]/g, '?')}' is not a Content-ID`
    throw new DataError(message, {
      problems: [{ severity: 'error', code: 'bad-content-id', message, hint: 'Write letters, digits, dots and @.' }],
    })
  }
  const fields =
    `Content-Disposition: ${disposition}${fileNameParameter('filename', name)}\r\n` +
    (contentId === undefined ? '' : `Content-ID: <${contentId}>\r\n`)
  const type = part.type.length <= 200 && MEDIA_TYPE.test(part.type) ? part.type : 'application/octet-stream'
  if (/^message\//i.test(type)) {
    // RFC 2046 section 5.2.1: such a part has no encoding. What cannot go plain goes as a file of bytes.
    const plain = plainMessage(content, forbidden)
    if (plain !== undefined)
      return { head: `Content-Type: ${type}${fileNameParameter('name', name)}\r\n${fields}\r\n`, pieces: [plain] }
  }
  const shown = /^(?:message|multipart)\//i.test(type) ? 'application/octet-stream' : type
  const head = `Content-Type: ${shown}${fileNameParameter('name', name)}\r\nContent-Transfer-Encoding: base64\r\n`
  return { head: `${head}${fields}\r\n`, pieces: [encodeOctets(content)] }
}

/** A message as it is, with CRLF; undefined when it holds what may not go plain. */
function plainMessage(content: Uint8Array, forbidden: string): string | undefined {
  const lines = Buffer.from(content).toString('latin1').replaceAll('\r\n', '\n')
  if (!/^[\t\n\u0020-\u007E]*$/.test(lines) || lines.includes(forbidden) || !hasShortLines(lines)) return undefined
  if (/^(?:From |\.)/m.test(lines)) return undefined
  const text = lines.replaceAll('\n', '\r\n')
  return text.endsWith('\r\n') ? text : `${text}\r\n`
}

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

/**
 * Encodes a body of text. Line ends of any kind are line breaks, and the last line gets one where it has none; a lone
 * surrogate becomes U+FFFD.
 */
export function encodeText(text: string): EncodedBody {
  const lines = text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text
  if (PLAIN.test(lines) && isSafe(lines)) {
    const content = lines.includes('\n') ? lines.replaceAll('\n', '\r\n') : lines
    return { encoding: '7bit', content: content.endsWith('\r\n') ? content : `${content}\r\n` }
  }
  const octets = Buffer.from(lines.toWellFormed(), 'utf8')
  let special = 0
  for (let at = 0; at < octets.length; at++) special += COSTS[octets[at] ?? 0] ?? 0
  // A special byte costs two more in quoted-printable, and every byte a third more in base64.
  if (special * 2 + octets.length / 38 > octets.length * 0.37 && special > 10) {
    const content = encodeOctets(Buffer.from(lines.toWellFormed().replaceAll('\n', '\r\n'), 'utf8')).toString('latin1')
    return { encoding: 'base64', content }
  }
  return { encoding: 'quoted-printable', content: quotedPrintable(octets) }
}

/** True when plain text may go as it is: no long line, and nothing that a mailbox or a server would take for its own. */
function isSafe(text: string): boolean {
  if (text.includes(BOUNDARY_MARK) || text.startsWith('.') || text.includes('\n.')) return false
  if (text.startsWith('From ') || text.includes('\nFrom ')) return false
  return hasShortLines(text)
}

/** True when no line, between line feeds, is longer than a line may be. */
export function hasShortLines(text: string): boolean {
  let start = 0
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
    if (end - start > LONGEST) return false
    start = end + 1
  }
  return text.length - start <= LONGEST
}

const HEX = Buffer.from('0123456789ABCDEF')
/** 1 for bytes that quoted-printable leaves alone within a line, white space among them. */
const AS_IT_IS = Uint8Array.from({ length: 256 }, (_, octet) =>
  octet === 9 || octet === 32 || (octet > 32 && octet < 127 && octet !== 61) ? 1 : 0,
)
/** 1 for bytes that cost two more in quoted-printable. */
const COSTS = AS_IT_IS.map((asItIs, octet) => (octet === 10 ? 0 : 1 - asItIs))
/** Room that is used again for each text that fits into it. */
const SCRATCH = Buffer.allocUnsafeSlow(128 * 1024)

/** Quoted-printable of bytes in which LF is a line break. Lines are at most 76 bytes with their soft break. */
function quotedPrintable(octets: Buffer): string {
  const { length } = octets
  const room = length * 3 + Math.ceil(length / 20) * 3 + 16
  const out = room <= SCRATCH.length ? SCRATCH : Buffer.allocUnsafeSlow(room)
  let size = 0
  let at = 0
  while (at < length) {
    const feed = octets.indexOf(10, at)
    const end = feed < 0 ? length : feed
    size = quoteLine(octets, at, end, out, size)
    out[size++] = 13
    out[size++] = 10
    at = end + 1
  }
  return size === 0 ? '\r\n' : out.toString('latin1', 0, size)
}

/** Writes the bytes from `at` to `end` at `size`, and gives the size after. */
function quoteLine(octets: Buffer, start: number, end: number, out: Buffer, written: number): number {
  const last = end - 1
  let at = start
  let size = written
  let column = 0
  while (at < end) {
    // At a line's start a dot, and the F of 'From ', which mailboxes would mangle, are written otherwise.
    const special = column === 0 && isSpecial(octets, at)
    if (!special) {
      const from = at
      const stop = Math.min(last, at + 75 - column)
      for (; at < stop; at++) {
        const octet = octets[at] ?? 0
        if (AS_IT_IS[octet] === 0) break
        out[size++] = octet
      }
      column += at - from
    }
    const octet = octets[at] ?? 0
    // At a line's end white space is written otherwise too.
    const plain = !special && AS_IT_IS[octet] === 1 && (at < last || octet > 32)
    const width = plain ? 1 : 3
    if (column + width > (at === last ? 76 : 75)) {
      out[size++] = 61
      out[size++] = 13
      out[size++] = 10
      column = 0
      continue
    }
    if (plain) out[size++] = octet
    else {
      out[size++] = 61
      out[size++] = HEX[octet >> 4] ?? 48
      out[size++] = HEX[octet & 15] ?? 48
    }
    column += width
    at++
  }
  return size
}

const FROM = Buffer.from('From ')

function isSpecial(octets: Buffer, at: number): boolean {
  const octet = octets[at]
  return octet === 46 || (octet === 70 && octets.subarray(at, at + FROM.length).equals(FROM))
}

/** Bytes of one line of base64, and of enough lines at once that the text between is small beside a large file. */
const LINE_OCTETS = 57
const SLICE_OCTETS = LINE_OCTETS * 4096

/** Bytes in base64, 76 a line, each line with its CRLF. */
export function encodeOctets(octets: Uint8Array): Buffer {
  const all = asBuffer(octets)
  const letters = 4 * Math.ceil(all.length / 3)
  const out = Buffer.allocUnsafe(letters + 2 * Math.max(1, Math.ceil(letters / 76)))
  let size = 0
  for (let from = 0; from < all.length || from === 0; from += SLICE_OCTETS) {
    const flat = Buffer.from(all.toString('base64', from, from + SLICE_OCTETS), 'latin1')
    for (let at = 0; at < flat.length || at === 0; at += 76) {
      size += flat.copy(out, size, at, Math.min(at + 76, flat.length))
      out[size++] = 13
      out[size++] = 10
    }
  }
  return out
}

function asBuffer(octets: Uint8Array): Buffer {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength)
}
