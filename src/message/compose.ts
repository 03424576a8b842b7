/**
 * Rendered content to the octets of a message. Owns the shape of the whole (RFC 5322, RFC 2045 to 2049, RFC 2387): which
 * parts there are, in which order, and which header fields. What does not depend on the row is made once.
 */

import type { DkimKey } from '../config/settings.ts'
import { DataError } from '../errors.ts'
import { HOLE_OPEN, type Rendered } from '../template/template.ts'
import { type Mailbox, parseAddressList, unmarked } from './address.ts'
import type { AttachmentStore } from './attachment.ts'
import { BOUNDARY_MARK, encodeOctets, encodeText } from './body.ts'
import { buildCalendar, type CalendarPart } from './calendar.ts'
import { createSigner, type DkimSigner } from './dkim.ts'
import { addressField, fileNameParameter, headerText, messageDate, structured, unstructured } from './header.ts'
import type { Composer, Identity, Message } from './message.ts'
import type { LoadedPart } from './part.ts'

export interface ComposerOptions {
  readonly attachments: AttachmentStore
  /** Text of enough chance: boundaries of one campaign are made from it. */
  readonly boundarySeed: string
  readonly dkim?: readonly DkimKey[]
  /** Folder that paths of keys start at. */
  readonly root: string
}

/** Fields that the composer writes itself; a template that sets one means something else. */
const OWNED = new Set(
  [
    'date',
    'message-id',
    'mime-version',
    'from',
    'sender',
    'to',
    'cc',
    'bcc',
    'reply-to',
    'subject',
    'return-path',
    'received',
    'dkim-signature',
  ].concat([
    'content-type',
    'content-transfer-encoding',
    'content-disposition',
    'content-id',
    'resent-from',
    'resent-to',
    'resent-date',
    'resent-message-id',
  ]),
)
/** Fields whose value has a grammar of its own and must not become encoded words. */
const STRUCTURED =
  /^(list-|references$|in-reply-to$|auto-submitted$|precedence$|feedback-id$|importance$|x-priority$|disposition-notification-to$|return-receipt-to$|resent-)/

export function createComposer(options: ComposerOptions): Composer {
  const { attachments } = options
  const seed = options.boundarySeed.replace(/[^A-Za-z0-9]/g, '').slice(0, 24)
  const boundary = (level: string): string => `${BOUNDARY_MARK}${level}_${seed}`
  const signer: DkimSigner | undefined =
    options.dkim === undefined || options.dkim.length === 0 ? undefined : createSigner(options.dkim, options.root)
  const shared = new WeakMap<LoadedPart, Buffer>()
  const fields = new FieldCache()

  /** A part with its own header, ready to stand between boundaries. Shared ones are made once. */
  function partOctets(part: LoadedPart): Buffer {
    const known = shared.get(part)
    if (known !== undefined) return known
    const octets = Buffer.from(attachmentPart(part), 'latin1')
    if (part.shared) shared.set(part, octets)
    return octets
  }

  function assemble(rendered: Rendered, identity: Identity, parts: readonly LoadedPart[]): Message | Promise<Message> {
    const { mailboxes: from } = fields.list('from', rendered.from, false)
    const [author] = from
    if (author === undefined)
      throw fault('from', 'there is no sender', 'Set from: in the template or under message: in mailmerge.yaml.')
    const to = rendered.to === undefined ? undefined : fields.list('to', rendered.to, false).mailboxes
    const cc = rendered.cc === undefined ? [] : fields.list('cc', rendered.cc, true).mailboxes
    const bcc = rendered.bcc === undefined ? [] : fields.list('bcc', rendered.bcc, true).mailboxes
    const replyTo = rendered.replyTo === undefined ? [] : fields.list('replyTo', rendered.replyTo, false).mailboxes
    const sender = envelopeSender(rendered.envelopeFrom, author, fields)

    const calendar =
      rendered.calendar === undefined
        ? undefined
        : buildCalendar(rendered.calendar, calendarContext(identity, author, to?.[0]))
    let head =
      fields.header('From', rendered.from, from) +
      (from.length > 1 ? fields.header('Sender', `sender ${rendered.from}`, [author]) : '') +
      (to === undefined ? addressField('To', [bare(identity.recipient)]) : addressField('To', to)) +
      (cc.length === 0 ? '' : addressField('Cc', cc)) +
      (replyTo.length === 0 ? '' : addressField('Reply-To', replyTo)) +
      unstructured('Subject', headerText('subject', rendered.subject)) +
      `Date: ${messageDate(identity.date)}\r\n` +
      structured('Message-ID', identity.messageId) +
      listFields(identity, rendered) +
      customFields(rendered)
    head += 'MIME-Version: 1.0\r\n'

    const chunks: Buffer[] = []
    const body = bodyOf(rendered, calendar, parts)
    let text = head + body.head
    for (const piece of body.pieces) {
      if (typeof piece === 'string') {
        text += piece
        continue
      }
      chunks.push(headOctets(text), piece)
      text = ''
    }
    if (text !== '') chunks.push(headOctets(text))
    const message = finish(chunks, identity, sender, recipients(identity.recipient, to, cc, bcc), head)
    return signer === undefined ? message : signer.sign(message)
  }

  /** From the outside in: mixed, related, alternative; each only when there is something for it. */
  function bodyOf(rendered: Rendered, calendar: CalendarPart | undefined, parts: readonly LoadedPart[]): Assembled {
    const inline = parts.filter(({ disposition }) => disposition === 'inline')
    const files = parts.filter(({ disposition }) => disposition === 'attachment')
    const alternatives: Assembled[] = []
    if (rendered.text !== undefined || (rendered.html === undefined && calendar === undefined))
      alternatives.push(textPart('plain', rendered.text ?? ''))
    if (rendered.html !== undefined) {
      const html = textPart('html', rendered.html)
      // Images belong to the HTML that shows them (RFC 2387), so they stand beside it and not around the choice.
      alternatives.push(
        inline.length === 0
          ? html
          : multipart('related', boundary('r'), [html, ...inline.map(whole)], '; type="text/html"'),
      )
    }
    if (calendar !== undefined) alternatives.push(calendarPart(calendar))
    const [first] = alternatives
    const content =
      alternatives.length === 1 && first !== undefined ? first : multipart('alternative', boundary('a'), alternatives)
    const extra = calendar === undefined ? files : [...files, calendarFile(calendar)]
    return extra.length === 0 ? content : multipart('mixed', boundary('m'), [content, ...extra.map(whole)])
  }

  function whole(part: LoadedPart): Assembled {
    return { head: '', pieces: [partOctets(part)] }
  }

  return {
    compose(rendered, identity) {
      if (rendered.attachments.length === 0 && rendered.inline.length === 0) return assemble(rendered, identity, [])
      const parts = attachments.load(rendered.attachments, rendered.inline)
      return parts instanceof Promise
        ? parts.then((loaded) => assemble(rendered, identity, loaded))
        : assemble(rendered, identity, parts)
    },
    async close() {
      await signer?.close()
    },
  }
}

/** A part: its own header fields, then what follows them, shared octets apart from text. */
interface Assembled {
  readonly head: string
  readonly pieces: readonly (string | Buffer)[]
}

function textPart(subtype: 'plain' | 'html', text: string): Assembled {
  const { encoding, content } = encodeText(text)
  return {
    head: `Content-Type: text/${subtype}; charset=utf-8\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n`,
    pieces: [content],
  }
}

function calendarPart({ method, text }: CalendarPart): Assembled {
  // Base64 keeps the CRLF and the folds of the calendar as they are (RFC 6047 section 2.4).
  return {
    head: `Content-Type: text/calendar; charset=utf-8; method=${method}\r\nContent-Transfer-Encoding: base64\r\n\r\n`,
    pieces: [encodeOctets(Buffer.from(text))],
  }
}

function calendarFile({ text, fileName }: CalendarPart): LoadedPart {
  return {
    disposition: 'attachment',
    name: fileName,
    type: 'application/ics',
    content: Buffer.from(text),
    shared: false,
  }
}

function multipart(subtype: string, boundary: string, parts: readonly Assembled[], more = ''): Assembled {
  const pieces: (string | Buffer)[] = []
  for (const part of parts) pieces.push(`--${boundary}\r\n${part.head}`, ...part.pieces)
  pieces.push(`--${boundary}--\r\n`)
  return { head: `Content-Type: multipart/${subtype}${more};\r\n boundary="${boundary}"\r\n\r\n`, pieces }
}

function attachmentPart(part: LoadedPart): string {
  const type = /^[\w.+-]+\/[\w.+-]+(; ?charset=[\w-]+)?$/.test(part.type) ? part.type : 'application/octet-stream'
  const disposition = `Content-Disposition: ${part.disposition}${fileNameParameter('filename', part.name)}\r\n`
  const id = part.contentId === undefined ? '' : `Content-ID: <${part.contentId}>\r\n`
  if (/^message\//i.test(type)) {
    // RFC 2046 section 5.2.1: such a part has no encoding. What cannot go plain goes as a file of octets.
    const plain = encodeText(Buffer.from(part.content).toString('latin1'))
    if (plain.encoding === '7bit')
      return `Content-Type: ${type}${fileNameParameter('name', part.name)}\r\n${disposition}${id}\r\n${plain.content}`
  }
  const shown = /^(message|multipart)\//i.test(type) ? 'application/octet-stream' : type
  return (
    `Content-Type: ${shown}${fileNameParameter('name', part.name)}\r\n` +
    `Content-Transfer-Encoding: base64\r\n${disposition}${id}\r\n${encodeOctets(part.content)}`
  )
}

/** Fields that many rows have in common, parsed and written once. */
class FieldCache {
  readonly #written = new Map<string, string>()

  /** @throws DataError that names the field and what is wrong in it. */
  list(field: string, marked: string, several: boolean): { readonly mailboxes: readonly Mailbox[] } {
    const list = parseAddressList(marked, { several })
    const [wrong] = list.faults
    if (wrong !== undefined) {
      const message = `${field}: ${wrong}`
      throw new DataError(message, {
        problems: [
          {
            severity: 'error',
            code: 'bad-address',
            message,
            value: unmarked(marked).slice(0, 80),
            hint: 'Mend the cell, or the field in the template.',
          },
        ],
      })
    }
    return list
  }

  header(name: string, text: string, mailboxes: readonly Mailbox[]): string {
    if (text.includes(HOLE_OPEN)) return addressField(name, mailboxes)
    let written = this.#written.get(text)
    if (written === undefined) {
      written = addressField(name, mailboxes)
      if (this.#written.size > 500) this.#written.clear()
      this.#written.set(text, written)
    }
    return written
  }
}

function bare(address: string): Mailbox {
  return { address, wire: address, needsSmtputf8: /[^\u0000-\u007F]/.test(address) }
}

function envelopeSender(marked: string | undefined, author: Mailbox, fields: FieldCache): Mailbox | undefined {
  if (marked === undefined || marked.trim() === '') return author
  if (unmarked(marked).trim() === '<>') return undefined
  return fields.list('envelopeFrom', marked, false).mailboxes[0] ?? author
}

/** The row's own address first, then everybody once. */
function recipients(own: string, ...lists: readonly (readonly Mailbox[] | undefined)[]): readonly string[] {
  if (lists.every((list) => list === undefined || list.length === 0)) return [own]
  const all = new Set([own])
  for (const list of lists) for (const { wire } of list ?? []) all.add(wire)
  return [...all]
}

/** RFC 2369 and RFC 8058; a template that writes its own List-Unsubscribe has the say. */
function listFields(identity: Identity, rendered: Rendered): string {
  const { unsubscribeUrl, unsubscribeMailto } = identity
  if (unsubscribeUrl === undefined && unsubscribeMailto === undefined) return ''
  if (rendered.headers.some(([name]) => name.toLowerCase() === 'list-unsubscribe')) return ''
  const ways = [unsubscribeUrl, unsubscribeMailto === undefined ? undefined : `mailto:${unsubscribeMailto}`]
    .filter((way) => way !== undefined)
    .map((way) => `<${headerText('List-Unsubscribe', way).replace(/[<>\s,]/g, encodeURIComponent)}>`)
  const post = unsubscribeUrl?.startsWith('https:') ? 'List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n' : ''
  return structured('List-Unsubscribe', ways.join(', ')) + post
}

function customFields(rendered: Rendered): string {
  let out = ''
  for (const [name, value] of rendered.headers) {
    const lower = name.toLowerCase()
    if (!/^[!-9;-~]{1,70}$/.test(name))
      throw fault(name, `'${name.slice(0, 40)}' is no header name`, 'Header names are letters, digits and hyphens.')
    if (OWNED.has(lower))
      throw fault(
        name,
        `the header ${name} is written by mailmerge itself`,
        'Use the field of the template for it, or leave it out.',
      )
    const text = headerText(name, value).trim()
    if (text === '') continue
    const asIs = STRUCTURED.test(lower) && /^[\u0020-\u007E]*$/.test(text)
    out += asIs ? structured(name, text) : unstructured(name, text)
  }
  return out
}

function calendarContext(
  identity: Identity,
  organizer: Mailbox,
  attendee: Mailbox | undefined,
): Parameters<typeof buildCalendar>[1] {
  return {
    now: identity.date,
    organizer,
    attendee: attendee ?? bare(identity.recipient),
    uidSeed: identity.messageId.slice(1, -1),
  }
}

/** Header and encoded bodies are ASCII, but for the addresses of SMTPUTF8 (RFC 6532). */
function headOctets(text: string): Buffer {
  return /[^\u0000-\u00FF]/.test(text) || /[\u0080-\u00FF]/.test(text)
    ? Buffer.from(text, 'utf8')
    : Buffer.from(text, 'latin1')
}

function finish(
  chunks: readonly Buffer[],
  identity: Identity,
  sender: Mailbox | undefined,
  to: readonly string[],
  head: string,
): Message {
  let size = 0
  for (const chunk of chunks) size += chunk.length
  const international = /[^\u0000-\u007F]/
  const smtputf8 =
    international.test(sender?.wire ?? '') ||
    to.some((address) => international.test(address)) ||
    international.test(head)
  return {
    id: identity.messageId,
    envelope: { from: sender?.wire ?? '', to },
    chunks,
    size,
    // Encoded bodies never begin a line with a dot, and folded header lines begin with a space.
    dotFree: true,
    eightBit: smtputf8,
    smtputf8,
  }
}

function fault(field: string, message: string, hint: string): DataError {
  return new DataError(message, { problems: [{ severity: 'error', code: 'bad-header', message, value: field, hint }] })
}
