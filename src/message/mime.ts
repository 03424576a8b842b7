/**
 * The parts of a message and how they stand in each other (RFC 2045, 2046, 2183, 2387). Owns the fields of a part and its
 * content as bytes; knows nothing of the fields of the message.
 */
import { DataError } from '../errors.ts'
import { encodeOctets, encodeText, hasShortLines } from './body.ts'
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
