/** A composed message in bytes, what the wire allows of it, and how two parsers by other authors read it. */
import { type AddressObject, simpleParser } from 'mailparser'
import PostalMime from 'postal-mime'
import { createAttachmentStore } from '../../src/message/attachment/attachment.ts'
import { type ComposerOptions, createComposer } from '../../src/message/compose.ts'
import type { Identity, Message } from '../../src/message/message.ts'
import type { Rendered } from '../../src/template/template.ts'
import { value, type WrittenMessage, written } from '../support/marked.ts'

export const SEED = '0123456789abcdef0123456789abcdef'
export const IDENTITY: Identity = {
  messageId: '<row-1.run@example.org>',
  date: new Date('2026-01-02T03:04:05Z'),
  recipient: 'ada@example.com',
}
/** The least that a message has. */
export const BARE: WrittenMessage = {
  from: 'society@example.org',
  to: 'ada@example.com',
  subject: 'Hello',
  headers: [],
  attachments: [],
  inline: [],
}

/** A value of a row, as templates mark it. */
export const hole = value

export function composerWith(options: Partial<ComposerOptions> = {}) {
  const composer = createComposer({
    attachments: createAttachmentStore({ root: '/' }),
    boundarySeed: SEED,
    root: '/',
    ...options,
  })
  return {
    compose: (rendered: WrittenMessage, identity: Identity) => composer.compose(written<Rendered>(rendered), identity),
    check: (rendered: WrittenMessage, identity: Identity) => composer.check(written<Rendered>(rendered), identity),
  }
}

const plain = composerWith()

export async function compose(over: Partial<WrittenMessage> = {}, identity: Partial<Identity> = {}): Promise<Message> {
  return plain.compose({ ...BARE, ...over }, { ...IDENTITY, ...identity })
}

export function octetsOf({ chunks }: Pick<Message, 'chunks'>): Buffer {
  return Buffer.concat(chunks)
}

/** Header fields as they stand, unfolded. */
export function fieldsOf(octets: Buffer): readonly (readonly [name: string, value: string])[] {
  const text = octets.toString('utf8')
  const head = text.slice(0, text.indexOf('\r\n\r\n'))
  return head.split(/\r\n(?![ \t])/).map((field) => {
    const colon = field.indexOf(':')
    return [
      field.slice(0, colon),
      field
        .slice(colon + 1)
        .replaceAll('\r\n', '')
        .trim(),
    ] as const
  })
}

export const namesOf = (octets: Buffer): readonly string[] => fieldsOf(octets).map(([name]) => name)
export const fieldOf = (octets: Buffer, name: string): string | undefined =>
  fieldsOf(octets).find(([one]) => one === name)?.[1]

const ONCE = ['From', 'To', 'Subject', 'Date', 'Message-ID', 'MIME-Version', 'Content-Type']
const AT_MOST_ONCE = ['Sender', 'Cc', 'Reply-To', 'Content-Transfer-Encoding', 'List-Unsubscribe', 'List-Id']

/** What no message may have, in words; empty when all is well. */
export function faultsOf({ chunks, size, smtputf8 }: Message): readonly string[] {
  const octets = Buffer.concat(chunks)
  const text = octets.toString('latin1')
  const faults: string[] = []
  if (octets.length !== size) faults.push(`it has ${octets.length} octets and says ${size}`)
  if (/\r(?!\n)|(?<!\r)\n/.test(text)) faults.push('a bare CR or LF')
  if (text.includes('\0')) faults.push('a NUL')
  if (!text.endsWith('\r\n')) faults.push('no line end at its end')
  if (text.split('\r\n').some((line) => line.length > 998)) faults.push('a line over 998 octets')
  // Encoded bodies never begin a line with a dot, and folded header lines begin with a space.
  if (/^\./m.test(text)) faults.push('a line that begins with a dot')
  const end = text.indexOf('\r\n\r\n')
  const head = text.slice(0, end)
  if (/[^\r\n\t -~]/.test(smtputf8 ? text.slice(end) : text)) faults.push('an octet over 127 or a control character')
  if (/^[ \t]*$/m.test(head.replaceAll('\r', ''))) faults.push('a header line of white space only')
  for (const [word] of head.matchAll(/=\?UTF-8\?[QB]\?[^ ?]*\?=/g))
    if (word.length > 75) faults.push(`an encoded word of ${word.length}`)
  for (const line of head.split('\r\n'))
    if (line.includes('=?UTF-8?') && line.length > 76) faults.push(`a line of ${line.length} with an encoded word`)
  const names = namesOf(octets).map((name) => name.toLowerCase())
  const count = (name: string): number => names.filter((one) => one === name.toLowerCase()).length
  for (const name of ONCE) if (count(name) !== 1) faults.push(`${count(name)} times ${name}`)
  for (const name of AT_MOST_ONCE) if (count(name) > 1) faults.push(`${count(name)} times ${name}`)
  if (count('bcc') > 0) faults.push('a Bcc')
  return faults
}

/** A message as a reader sees it. */
export interface Read {
  readonly subject: string | undefined
  readonly from: readonly Person[]
  readonly to: readonly Person[]
  readonly cc: readonly Person[]
  readonly replyTo: readonly Person[]
  readonly text: string | undefined
  readonly html: string | undefined
  readonly files: readonly { readonly name: string | undefined; readonly type: string; readonly content: Buffer }[]
}

export interface Person {
  readonly name: string
  readonly address: string
}

/** The same message as each judge reads it. */
export async function judge(octets: Buffer): Promise<readonly (readonly [judge: string, read: Read])[]> {
  return [
    ['mailparser', await byMailparser(octets)],
    ['postal-mime', await byPostalMime(octets)],
  ]
}

async function byMailparser(octets: Buffer): Promise<Read> {
  const mail = await simpleParser(octets, { skipHtmlToText: true, skipTextToHtml: true, skipImageLinks: true })
  const people = (one: AddressObject | AddressObject[] | undefined): readonly Person[] =>
    [one ?? []].flat().flatMap(({ value }) => value.map(({ name, address = '' }) => ({ name, address })))
  return {
    subject: mail.subject,
    from: people(mail.from),
    to: people(mail.to),
    cc: people(mail.cc),
    replyTo: people(mail.replyTo),
    text: mail.text,
    html: mail.html === false ? undefined : mail.html,
    files: mail.attachments.map(({ filename, contentType, content }) => ({
      name: filename,
      type: contentType,
      content,
    })),
  }
}

async function byPostalMime(octets: Buffer): Promise<Read> {
  const mail = await PostalMime.parse(octets, { attachmentEncoding: 'arraybuffer' })
  const people = (list: readonly { name: string; address?: string | undefined }[] | undefined): readonly Person[] =>
    (list ?? []).map(({ name, address = '' }) => ({ name, address }))
  return {
    subject: mail.subject,
    from: people(mail.from === undefined ? [] : [mail.from]),
    to: people(mail.to),
    cc: people(mail.cc),
    replyTo: people(mail.replyTo),
    text: mail.text,
    html: mail.html,
    files: mail.attachments.map(({ filename, mimeType, content }) => ({
      name: filename ?? undefined,
      type: mimeType,
      content: Buffer.from(content as ArrayBuffer),
    })),
  }
}
