/**
 * A message read back from its bytes, whoever wrote it: what a mail program shows of it. Owns the reading and what is said
 * of it in short; how its HTML becomes a document for a frame is in `frame.ts`.
 */
import { randomBytes } from 'node:crypto'
import PostalMime, { type Address, type Email } from 'postal-mime'
import { lookAtHtml } from '../../check/lints/html-scan.ts'
import { decodeWords } from '../../message/encoded-words.ts'
import type { MessageView } from '../wire.ts'

export interface MessagePart {
  readonly name: string
  readonly type: string
  /** Without brackets. */
  readonly contentId: string | undefined
  readonly isInline: boolean
  readonly content: Uint8Array
}

export interface ReadMessage {
  /** A path that cannot be guessed, for the pictures in its frame. */
  readonly key: string
  readonly bytes: Uint8Array
  readonly subject: string
  readonly from: string
  readonly to: string
  readonly date: string | undefined
  readonly headers: readonly { readonly name: string; readonly value: string }[]
  readonly text: string | undefined
  readonly html: string | undefined
  readonly parts: readonly MessagePart[]
}

/** Letters of the text that an inbox shows after the subject, at most. */
const PREHEADER = 200

/** Reads a message, however broken. */
export async function readMessage(bytes: Uint8Array): Promise<ReadMessage> {
  const email = await PostalMime.parse(bytes)
  return {
    key: randomBytes(16).toString('base64url'),
    bytes,
    subject: email.subject ?? '',
    from: addressText(email.from),
    to: (email.to ?? []).map(addressText).join(', '),
    date: email.date,
    headers: email.headers.map(({ originalKey, value }) => ({ name: originalKey, value: decodeWords(value) })),
    // A text of line ends alone is none.
    text: email.text === undefined || email.text.trim() === '' ? undefined : email.text.replace(/\r\n?/g, '\n'),
    html: email.html === undefined || email.html.trim() === '' ? undefined : email.html,
    parts: partsOf(email),
  }
}

function partsOf({ attachments }: Email): readonly MessagePart[] {
  return attachments.map(({ filename, mimeType, disposition, related, contentId, content }, index) => ({
    name: filename ?? `part-${index + 1}`,
    type: mimeType,
    contentId: contentId?.replace(/^<|>$/g, ''),
    isInline: related === true || (disposition === 'inline' && contentId !== undefined),
    content: typeof content === 'string' ? Buffer.from(content) : new Uint8Array(content),
  }))
}

function addressText(address: Address | undefined): string {
  if (address === undefined) return ''
  if (address.group !== undefined) return `${address.name}: ${address.group.map(addressText).join(', ')};`
  return address.name === '' ? address.address : `${address.name} <${address.address}>`
}

/** What a page shows of a message, without what only its page knows. */
export function viewOf(message: ReadMessage): Omit<MessageView, 'findings' | 'envelope' | 'remoteHosts'> {
  const { subject, from, to, date, headers, text, html, parts, bytes } = message
  return {
    ...{ subject, from, to, date, headers, text, size: bytes.length },
    htmlSize: html === undefined ? undefined : Buffer.byteLength(html),
    preheader: preheaderOf(html === undefined ? (text ?? '') : lookAtHtml(html).text),
    parts: parts.map(({ name, type, content, isInline }) => ({ name, type, size: content.length, isInline })),
  }
}

function preheaderOf(words: string): string {
  // Invisible letters fill a preheader up, so that the text after it does not show.
  return words
    .replace(/\u034F|[\u00AD\u200B-\u200F\u2060\uFEFF]/g, '')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, PREHEADER)
}
