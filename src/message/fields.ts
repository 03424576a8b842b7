/**
 * The header fields that a template or a campaign adds: lists (RFC 2369, 2919, 8058), threads, what people call custom
 * headers. Owns which names are allowed and what their values may be; the composer's own fields are not its business.
 */
import { type MarkedText, onlyValue, replaceValues, trimMarked, unmark } from '../template/marked-text.ts'
import type { Rendered } from '../template/template.ts'
import { parseAddressList } from './address/list.ts'
import { addressField, headerFault, headerText, phraseField, structured, unstructured } from './header.ts'
import type { Identity } from './message.ts'

/** Fields that the composer writes itself; a template that sets one means something else. */
const OWNED =
  /^(?:date|message-id|mime-version|from|sender|to|cc|bcc|reply-to|subject|return-path|received|dkim-signature|content-(?:type|transfer-encoding|disposition|id)|resent-.*)$/
/** Fields of addresses in angle brackets (RFC 2369). */
const LINKS = /^list-(?:help|unsubscribe|subscribe|post|owner|archive)$/
const ADDRESSES = /^(?:disposition-notification-to|return-receipt-to)$/
/** Fields whose value has a grammar without encoded words; where they are ASCII they go as they are. */
const WORDS = /^(?:list-.*|auto-submitted|precedence|feedback-id|importance|x-priority)$/

/**
 * All of them as lines. An empty value is a field that the row does not have.
 * @throws DataError that names the field.
 */
export function furtherFields({ headers }: Rendered, identity: Identity): string {
  if (headers.length === 0) return unsubscribeFields(identity)
  let out = ''
  const seen = new Set<string>()
  for (const [name, value] of headers) {
    const lower = name.toLowerCase()
    checkName(name, lower)
    const text = headerText(name, unmark(value)).trim()
    if (text === '') continue
    if (seen.has(lower))
      throw headerFault(name, 'bad-header', `the header ${name} is set twice`, { hint: 'Leave one of the two out.' })
    seen.add(lower)
    out += fieldOf(name, lower, text, value)
  }
  // A template that says itself how to unsubscribe takes precedence.
  if (seen.has('list-unsubscribe') || seen.has('list-unsubscribe-post')) return out
  return unsubscribeFields(identity) + out
}

function checkName(name: string, lower: string): void {
  if (!/^[A-Za-z][A-Za-z0-9_-]{0,69}$/.test(name)) {
    const message = `'${name.slice(0, 40).replace(/[^ -~]/g, '?')}' is not a header name`
    throw headerFault(name, 'bad-header', message, { hint: 'Header names are letters, digits and hyphens.' })
  }
  if (OWNED.test(lower))
    throw headerFault(name, 'bad-header', `the header ${name} is written by mailmerge itself`, {
      hint: 'Use the field of the template for it, or leave it out.',
    })
}

/** `marked` is the same text with the row's values marked, where the template marks them. */
function fieldOf(name: string, lower: string, text: string, marked: MarkedText): string {
  if (LINKS.test(lower)) return structured(name, links(name, marked))
  if (lower === 'list-id') return listId(name, text)
  if (lower === 'references' || lower === 'in-reply-to') return structured(name, messageIds(name, text))
  if (ADDRESSES.test(lower)) {
    const { mailboxes, faults } = parseAddressList(marked)
    if (faults[0] !== undefined)
      throw headerFault(name, 'bad-address', `${name}: ${faults[0]}`, { value: text, hint: 'Fix the address.' })
    return addressField(name, mailboxes)
  }
  return WORDS.test(lower) && /^[ -~]*$/.test(text) ? structured(name, text) : unstructured(name, text)
}

/** `<https://example.org/leave>, <mailto:leave@example.org>`; a bare address gets its brackets, other letters their `%`. */
function links(name: string, marked: MarkedText): string {
  // A value that is all there is may be a whole list; one within the template's own text is part of one link.
  const alone = trimMarked(marked)
  const text = onlyValue(alone) ?? replaceValues(alone, inLink)
  const bracketed = /^(?:https?|mailto|ftp|tel):[^\s<>,]+$/i.test(text) ? `<${text}>` : text
  const ascii = bracketed.toWellFormed().replace(/[^ -~]/gu, encodeURIComponent)
  if (!/^(?:\([^()]*\)|NO|\s|,|<[a-z][a-z0-9+.-]*:[^\s<>]+>)+$/i.test(ascii))
    throw headerFault(name, 'bad-header', `${name} is not a list of addresses in angle brackets`, {
      value: unmark(marked),
      hint: 'Write <https://example.org/leave>, <mailto:leave@example.org>.',
    })
  return plain(ascii)
}

/** A text that cannot end the link that it is part of. */
function inLink(text: string): string {
  return text.toWellFormed().replace(/[^!-~]|[<>,"\\^`{|}]/gu, encodeURIComponent)
}

/** Some readers decode what looks like an encoded word wherever it stands. */
function plain(text: string): string {
  return text.replaceAll('=?', '=%3F')
}

/** RFC 2919: `Our news <news.example.org>`, or the identifier alone. */
function listId(name: string, text: string): string {
  const [bracketed] = /<[^<>]*>$/.exec(text) ?? []
  const id = (bracketed?.slice(1, -1) ?? text).trim()
  const display = bracketed === undefined ? '' : text.slice(0, -bracketed.length).trimEnd()
  if (!/^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/.test(id) || id.length > 255)
    throw headerFault(name, 'bad-header', `${name} holds no list identifier`, {
      value: text,
      hint: 'Write Our news <news.example.org>, with a name of your own domain in the brackets.',
    })
  return phraseField(name, display.replace(/^"(.*)"$/s, '$1').trim(), `<${id}>`)
}

/** Message-IDs with their brackets (RFC 5322 section 3.6.4). */
function messageIds(name: string, text: string): string {
  const ids = text.split(/\s+/).map((id) => (id.startsWith('<') ? id : `<${id}>`))
  if (!ids.every((id) => /^<[!-;=?A-~]+@[!-;=?-~]+>$/.test(id)))
    throw headerFault(name, 'bad-header', `${name} holds no Message-ID`, {
      value: text,
      hint: 'Write <id@example.org>; several with a space between them.',
    })
  return ids.join(' ')
}

/** RFC 2369 and RFC 8058. One click is for https only. */
function unsubscribeFields({ unsubscribeUrl, unsubscribeMailto }: Identity): string {
  if (unsubscribeUrl === undefined && unsubscribeMailto === undefined) return ''
  const ways = [unsubscribeUrl, unsubscribeMailto === undefined ? undefined : `mailto:${unsubscribeMailto}`]
    .filter((way) => way !== undefined)
    .map((way) => `<${inLink(headerText('List-Unsubscribe', way))}>`)
  const post = unsubscribeUrl?.startsWith('https:') ? 'List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n' : ''
  return structured('List-Unsubscribe', plain(ways.join(', '))) + post
}
