/**
 * Rendered content to the bytes of a message. Owns the shape of the whole (RFC 5322, RFC 2045 to 2049, RFC 2387): which
 * parts there are, in which order, and the fields that every message has. What does not depend on the row is made once.
 */
import { BoundedMap } from '../bounded-map.ts'
import type { DkimKey } from '../config/settings.ts'
import { DataError } from '../errors.ts'
import { andThen, type MaybePromise } from '../maybe-promise.ts'
import { holdsValue, isBlank, type MarkedText, unmark } from '../template/marked-text.ts'
import { fieldKey, type Rendered } from '../template/template.ts'
import { type Mailbox, parseAddress } from './address/address.ts'
import { parseAddressList } from './address/list.ts'
import { type AttachmentStore, withOwnNames } from './attachment/attachment.ts'
import { buildCalendar, type CalendarPart } from './calendar/calendar.ts'
import { createSigner, type DkimSigner } from './dkim/dkim.ts'
import { furtherFields } from './fields.ts'
import { addressField, HeaderFault, headerFault, headerText, messageDate, structured, unstructured } from './header.ts'
import type { Composer, Identity, Message } from './message.ts'
import {
  BOUNDARY_MARK,
  calendarEntity,
  calendarFile,
  type Entity,
  fileEntity,
  type LoadedPart,
  multipart,
  textEntity,
} from './mime.ts'

export interface ComposerOptions {
  readonly attachments: AttachmentStore
  /** Text of enough chance: boundaries of one campaign are made from it. */
  readonly boundarySeed: string
  readonly dkim?: readonly DkimKey[]
  /** Folder that paths of keys start at. */
  readonly root: string
}

/** A message with its fields as text beside it, for who signs them. */
interface Composed {
  readonly message: Message
  /** All fields, each with its CRLF, without the empty line. */
  readonly fields: string
  readonly body: readonly Uint8Array[]
}

/** What a message says before its content. */
interface Head {
  readonly fields: string
  readonly envelope: Message['envelope']
  readonly calendar: CalendarPart | undefined
}

/**
 * A composer for one campaign.
 * @throws ConfigError when a DKIM key is not valid.
 */
export function createComposer(options: ComposerOptions): Composer {
  const { attachments } = options
  const seed = options.boundarySeed.replace(/[^A-Za-z0-9]/g, '').slice(0, 32)
  const boundary = (level: string): string => `${BOUNDARY_MARK}${level}_${seed}`
  const signer: DkimSigner | undefined =
    options.dkim === undefined || options.dkim.length === 0 ? undefined : createSigner(options.dkim, options.root)
  const shared = new WeakMap<LoadedPart, Entity>()
  const lists = new AddressFields()

  /** Everything of a message that a row can get wrong: its addresses, fields and invitation. */
  function headOf(rendered: Rendered, identity: Identity): Head {
    try {
      return head(rendered, identity)
    } catch (error) {
      throw error instanceof HeaderFault ? withColumn(error, rendered) : error
    }
  }

  function head(rendered: Rendered, identity: Identity): Head {
    const { from, to, cc, bcc, replyTo, sender, recipient } = addressesOf(rendered, identity, lists)
    const [author] = from
    if (!MESSAGE_ID.test(identity.messageId))
      throw headerFault('Message-ID', 'bad-header', 'the Message-ID is not valid', {
        value: identity.messageId,
        hint: 'It is <id@domain>, of plain letters.',
      })
    const calendar =
      rendered.calendar === undefined
        ? undefined
        : buildCalendar(rendered.calendar, {
            now: identity.date,
            organizer: author,
            attendee: to?.[0] ?? recipient,
            uidSeed: identity.messageId.slice(1, -1),
          })
    const fields =
      lists.field('From', rendered.from, from) +
      (from.length > 1 ? lists.field('Sender', rendered.from, [author]) : '') +
      addressField('To', to ?? [recipient]) +
      (cc.length === 0 ? '' : addressField('Cc', cc)) +
      (replyTo.length === 0 ? '' : addressField('Reply-To', replyTo)) +
      unstructured('Subject', headerText('subject', rendered.subject)) +
      `Date: ${messageDate(identity.date)}\r\n` +
      structured('Message-ID', identity.messageId) +
      furtherFields(rendered, identity)
    const envelope = { from: sender?.wire ?? '', to: recipientsOf(recipient, to, cc, bcc) }
    return { fields, envelope, calendar }
  }

  function assemble(rendered: Rendered, identity: Identity, parts: readonly LoadedPart[]): MaybePromise<Message> {
    const { fields, envelope, calendar } = headOf(rendered, identity)
    const content = bodyOf(rendered, calendar, parts)
    const composed = compile(fields, content, { id: identity.messageId, envelope })
    return signer === undefined ? composed.message : signed(signer, composed)
  }

  /** From the outside in: mixed, related, alternative; each only when there is something for it. */
  function bodyOf(rendered: Rendered, calendar: CalendarPart | undefined, parts: readonly LoadedPart[]): Entity {
    const alternatives: Entity[] = []
    if (rendered.text !== undefined || (rendered.html === undefined && calendar === undefined))
      alternatives.push(textEntity('plain', rendered.text ?? ''))
    const inline = parts.filter(({ disposition }) => disposition === 'inline')
    if (rendered.html !== undefined) {
      const html = textEntity('html', rendered.html)
      // Images belong to the HTML that shows them (RFC 2387), so they stand beside it and not around the choice.
      alternatives.push(
        inline.length === 0
          ? html
          : multipart('related', boundary('r'), [html, ...inline.map(entityOf)], '; type="text/html"'),
      )
    }
    if (calendar !== undefined) alternatives.push(calendarEntity(calendar))
    const [first] = alternatives
    const content =
      alternatives.length === 1 && first !== undefined ? first : multipart('alternative', boundary('a'), alternatives)
    const files = parts.filter(({ disposition }) => disposition === 'attachment')
    if (calendar !== undefined) files.push(calendarFile(calendar))
    return files.length === 0 ? content : multipart('mixed', boundary('m'), [content, ...files.map(entityOf)])
  }

  /** The part of a file. Shared ones are made once, and their bytes are the same object for every row. */
  function entityOf(part: LoadedPart): Entity {
    const known = shared.get(part)
    if (known !== undefined) return known
    const entity = fileEntity(part, seed)
    if (part.shared) shared.set(part, entity)
    return entity
  }

  return {
    compose(rendered, identity, planned) {
      if (rendered.attachments.length === 0 && rendered.inline.length === 0) return assemble(rendered, identity, [])
      return andThen(attachments.load(rendered.attachments, rendered.inline, planned), (parts) =>
        assemble(rendered, identity, rendered.isGrouped === true ? withOwnNames(parts) : parts),
      )
    },
    check(rendered, identity) {
      return headOf(rendered, identity).envelope
    },
  }
}

/** The same fault with the column of the list that the field is made of. */
function withColumn(fault: HeaderFault, { columns }: Rendered): DataError {
  const names = columns?.get(fieldKey(fault.field)) ?? []
  if (names.length === 0) return fault
  const problems = fault.problems.map((problem) => ({ ...problem, column: problem.column ?? names.join(', ') }))
  return new DataError(fault.message, { problems, cause: fault })
}

const MESSAGE_ID = /^<[!-;=?A-~]{1,500}@[!-;=?-~]{1,300}>$/

/** Everybody that a message names, checked. */
interface Addresses {
  readonly from: readonly [Mailbox, ...Mailbox[]]
  readonly to: readonly Mailbox[] | undefined
  readonly cc: readonly Mailbox[]
  readonly bcc: readonly Mailbox[]
  readonly replyTo: readonly Mailbox[]
  /** Undefined for the null sender. */
  readonly sender: Mailbox | undefined
  /** The row's own. */
  readonly recipient: Mailbox
}

function addressesOf(rendered: Rendered, identity: Identity, lists: AddressFields): Addresses {
  const [author, ...coauthors] = lists.read('from', rendered.from, false)
  if (author === undefined)
    throw headerFault('from', 'bad-header', 'there is no sender', {
      hint: 'Set from: in the template or under message: in mailmerge.yaml.',
    })
  const to = rendered.to === undefined ? undefined : lists.read('to', rendered.to, false)
  if (to?.length === 0)
    throw headerFault('to', 'bad-header', 'there is no address in to', {
      hint: 'Fix the cell, or to: in the template.',
    })
  const parsed = parseAddress(identity.recipient)
  if (parsed.kind === 'invalid')
    throw headerFault('to', 'bad-address', `the recipient is not an address: ${parsed.why}`, {
      value: identity.recipient,
      hint: 'Fix the cell.',
    })
  return {
    from: [author, ...coauthors],
    to,
    cc: rendered.cc === undefined ? NOBODY : lists.read('cc', rendered.cc, true),
    bcc: rendered.bcc === undefined ? NOBODY : lists.read('bcc', rendered.bcc, true),
    replyTo: rendered.replyTo === undefined ? NOBODY : lists.read('replyTo', rendered.replyTo, false),
    sender: senderOf(rendered.envelopeFrom, author, lists),
    recipient: parsed.mailbox,
  }
}

const NOBODY: readonly Mailbox[] = []

function senderOf(marked: MarkedText | undefined, author: Mailbox, lists: AddressFields): Mailbox | undefined {
  if (marked === undefined || isBlank(marked)) return author
  if (unmark(marked).trim() === '<>') return undefined
  return lists.read('envelopeFrom', marked, false)[0] ?? author
}

/** The row's own address first, then everybody once. */
function recipientsOf(own: Mailbox, ...lists: readonly (readonly Mailbox[] | undefined)[]): readonly string[] {
  const all = [own.wire]
  for (const list of lists) for (const { wire } of list ?? NOBODY) if (wire !== own.wire) all.push(wire)
  return all.length < 3 ? all : [...new Set(all)]
}

/** Address fields, with those that all rows have in common written once. */
class AddressFields {
  readonly #written = new Map<string, BoundedMap<string, string>>()

  /** @throws DataError that names the field and what is wrong in it. */
  read(field: string, marked: MarkedText, several: boolean): readonly Mailbox[] {
    const { faults, mailboxes } = parseAddressList(marked, { several })
    const [wrong] = faults
    if (wrong === undefined) return mailboxes
    throw headerFault(field, 'bad-address', `${field}: ${wrong}`, {
      value: unmark(marked),
      hint: 'Fix the cell, or the field in the template.',
    })
  }

  field(name: string, marked: MarkedText, mailboxes: readonly Mailbox[]): string {
    if (holdsValue(marked)) return addressField(name, mailboxes)
    const text = unmark(marked)
    let fields = this.#written.get(name)
    if (fields === undefined) {
      fields = new BoundedMap(500)
      this.#written.set(name, fields)
    }
    let written = fields.get(text)
    if (written === undefined) {
      written = addressField(name, mailboxes)
      fields.set(text, written)
    }
    return written
  }
}

const FOREIGN = /[^\u0000-\u007F]/

/** Fields and content as bytes: text in one piece where it can be, the bytes of files as they are. */
function compile(further: string, content: Entity, more: Pick<Message, 'id' | 'envelope'>): Composed {
  const emptyLine = content.head.length - 2
  const fields = `${further}MIME-Version: 1.0\r\n${content.head.slice(0, emptyLine)}`
  // Header and encoded bodies are ASCII, but for the addresses of SMTPUTF8 (RFC 6532).
  const foreign = FOREIGN.test(fields)
  const head = `${fields}\r\n`
  const chunks: Buffer[] = []
  let text = head
  for (const piece of content.pieces) {
    if (typeof piece === 'string') text += piece
    else {
      if (text !== '') chunks.push(Buffer.from(text, foreign ? 'utf8' : 'latin1'))
      chunks.push(piece)
      text = ''
    }
  }
  if (text !== '') chunks.push(Buffer.from(text, foreign ? 'utf8' : 'latin1'))
  const [first, ...rest] = chunks
  const bodyStart = foreign ? Buffer.byteLength(head) : head.length
  let size = 0
  for (const chunk of chunks) size += chunk.length
  const smtputf8 = foreign || FOREIGN.test(more.envelope.from) || more.envelope.to.some((one) => FOREIGN.test(one))
  return {
    message: { ...more, chunks, size, eightBit: foreign, smtputf8 },
    fields,
    body: first === undefined ? [] : [first.subarray(bodyStart), ...rest],
  }
}

async function signed(signer: DkimSigner, { message, fields, body }: Composed): Promise<Message> {
  const signature = await signer.sign(fields, body)
  return { ...message, chunks: [signature, ...message.chunks], size: message.size + signature.length }
}
