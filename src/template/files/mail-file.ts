/**
 * A mail saved by a mail program (`.eml`) as a template. Owns what of the mail is used, and finding the `{{...}}` that the program
 * took apart: with tags between its braces, written as entities, or encoded in an address.
 */
import { readFileSync } from 'node:fs'
import PostalMime, { type Address, type Email } from 'postal-mime'
import { DataError } from '../../errors.ts'
import { decodeEntities } from '../../text/entities.ts'
import type { RenderedAttachment, RenderedInline } from '../template.ts'
import type { MessageFields } from './message-file.ts'
import { type Snippet, unreadable } from './place.ts'

export interface MailTemplate {
  readonly fields: Pick<MessageFields, 'from' | 'replyTo' | 'subject' | 'to' | 'cc' | 'bcc'>
  readonly text?: Snippet
  readonly html?: Snippet
  readonly attachments: readonly RenderedAttachment[]
  readonly inline: readonly RenderedInline[]
  /** What of the mail is not used. */
  readonly notes: readonly string[]
}

/**
 * Reads a mail: subject, sender, bodies, pictures and attachments. Who it was for is not used, unless a row says it
 * (`To: {{email}}`): a template goes to the people of the list.
 * @throws DataError for a file that is not a mail; InputError for one that cannot be read.
 */
export async function readMailTemplate(path: string, shown: string): Promise<MailTemplate> {
  const email = await PostalMime.parse(bytesOf(path, shown), { forceRfc822Attachments: true })
  if (email.headers.length === 0 || (email.subject === undefined && email.from === undefined)) {
    throw new DataError(`${shown} is not a mail`, {
      hint: 'Save the mail in your mail program as a file that ends in .eml.',
    })
  }
  const { attachments, inline } = partsOf(email)
  const body = (text: string): Snippet => ({ file: shown, lineOffset: 0, text, madeOf: [] })
  const html = email.html?.trim() ? htmlOf(email.html) : undefined
  const text = email.text?.trim() ? joinedText(email.text.replace(/\r\n?/g, '\n')) : undefined
  const recipients = recipientsOf(email)
  return {
    fields: {
      ...defined('from', addressText(email.from)),
      ...defined('replyTo', (email.replyTo ?? []).map(addressText).join(', ')),
      ...defined('subject', email.subject === undefined ? '' : joinedText(email.subject)),
      ...recipients.ofRows,
    },
    ...(text === undefined ? {} : { text: body(text) }),
    ...(html === undefined ? {} : { html: body(html) }),
    attachments,
    inline,
    notes:
      recipients.unused.length === 0
        ? []
        : [
            `${recipients.unused.join(' and ')} of ${shown} ${recipients.unused.length === 1 ? 'is' : 'are'} not used: the list says who gets it`,
          ],
  }
}

function bytesOf(path: string, shown: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw unreadable(shown, cause)
  }
}

function defined<K extends string>(key: K, value: string): { readonly [P in K]?: string } {
  return (value.trim() === '' ? {} : { [key]: value }) as { readonly [P in K]?: string }
}

function addressText(address: Address | undefined): string {
  if (address === undefined) return ''
  if (address.group !== undefined) return address.group.map(addressText).join(', ')
  const name = joinedText(address.name)
  if (name === '') return address.address
  return `${/^[\p{L}\p{N} .{}-]+$/u.test(name) ? name : `"${name.replace(/["\\]/g, '\\$&')}"`} <${address.address}>`
}

/** Header fields with recipients: those that a row fills in, and the others. */
function recipientsOf(email: Email): {
  readonly ofRows: Partial<Record<'to' | 'cc' | 'bcc', string>>
  readonly unused: readonly string[]
} {
  const ofRows: Partial<Record<'to' | 'cc' | 'bcc', string>> = {}
  const unused: string[] = []
  for (const [field, name] of [
    ['to', 'To'],
    ['cc', 'Cc'],
    ['bcc', 'Bcc'],
  ] as const) {
    // As it is written: `{{email}}` is not an address.
    const value = email.headers.find(({ key }) => key === field)?.value.trim() ?? ''
    if (value.includes('{{')) ofRows[field] = joinedText(value)
    else if (value !== '') unused.push(name)
  }
  return { ofRows, unused }
}

const PLAIN_ID = /^[\w.@+-]{1,200}$/

function partsOf({ attachments, html = '' }: Email): Pick<MailTemplate, 'attachments' | 'inline'> {
  const kept: RenderedAttachment[] = []
  const inline: RenderedInline[] = []
  for (const [index, { filename, mimeType, contentId, content }] of attachments.entries()) {
    const name = filename ?? `part-${index + 1}`
    const bytes = typeof content === 'string' ? Buffer.from(content) : new Uint8Array(content)
    const cid = contentId?.replace(/^<|>$/g, '') ?? ''
    if (PLAIN_ID.test(cid) && html.includes(`cid:${cid}`)) {
      inline.push({ kind: 'content', cid, name, type: mimeType, content: bytes })
    } else kept.push({ kind: 'content', name, type: mimeType, content: bytes })
  }
  return { attachments: kept, inline }
}

function htmlOf(html: string): string {
  const utf8 = html.replace(/(<meta\b[^<>]{0,200}?charset=["']?)[\w-]+/i, '$1utf-8')
  return joinMustaches(utf8).replace(/%7B%7B((?:(?!%7D%7D)[^"'<>\s]){1,300})%7D%7D/gi, (whole, inner: string) => {
    try {
      return `{{${decodeURIComponent(inner)}}}`
    } catch {
      return whole
    }
  })
}

/** A placeholder, with what a program made of it. */
const MUSTACHE = /\{\{\{?[^{}]{1,500}\}\}\}?/g
/** What begins or ends one of these is not within a placeholder. */
const BLOCK = /<\/?(?:p|div|td|th|tr|table|li|ul|ol|h[1-6]|body|blockquote|pre|hr)\b/i

/**
 * HTML with each `{{...}}` in one piece: tags between its braces come after it, entities are letters, typographic quotes are
 * plain ones.
 */
export function joinMustaches(html: string): string {
  if (!html.includes('{')) return html
  // The text of the page, and where each of its letters is in the HTML.
  const places: number[] = []
  let text = ''
  for (const { begin, end } of textsOf(html)) {
    text += html.slice(begin, end)
    for (let i = begin; i < end; i++) places.push(i)
  }
  let joined = ''
  let done = 0
  for (const { 0: mustache, index } of text.matchAll(MUSTACHE)) {
    const begin = places[index] ?? 0
    const end = (places[index + mustache.length - 1] ?? 0) + 1
    const whole = html.slice(begin, end)
    const tags = whole.length === mustache.length ? '' : [...whole.matchAll(/<[^<>]*>/g)].join('')
    if (BLOCK.test(tags)) continue
    joined += html.slice(done, begin) + joinedText(decodeEntities(mustache)) + tags
    done = end
  }
  return joined + html.slice(done)
}

/** The pieces of text of a page, between its tags, comments, styles and scripts. */
function* textsOf(html: string): Generator<{ readonly begin: number; readonly end: number }> {
  const small = html.toLowerCase()
  for (let at = 0; at < html.length; ) {
    const tag = html.indexOf('<', at)
    if (tag === -1) {
      yield { begin: at, end: html.length }
      return
    }
    const name = /^[a-z!/?][a-z]{0,6}/.exec(small.slice(tag + 1, tag + 8))?.[0]
    if (name === undefined) {
      yield { begin: at, end: tag + 1 }
      at = tag + 1
      continue
    }
    if (tag > at) yield { begin: at, end: tag }
    const close = small.startsWith('<!--', tag)
      ? '-->'
      : name === 'style' || name === 'script'
        ? `</${name}`
        : undefined
    const inside = close === undefined ? tag : small.indexOf(close, tag + 4)
    const end = inside === -1 ? -1 : small.indexOf('>', inside)
    if (end === -1) return
    at = end + 1
  }
}

/** Text whose placeholders have plain spaces and quotes. */
function joinedText(text: string): string {
  return text.replace(MUSTACHE, (mustache) =>
    mustache
      .replace(/[\u200B-\u200D\u2060\uFEFF]/g, '')
      .replace(/[\s\u00A0]+/g, ' ')
      .replace(/[“”„‟«»]/g, '"')
      .replace(/[‘’‚‛]/g, "'"),
  )
}
