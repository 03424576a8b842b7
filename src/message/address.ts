/**
 * Addresses: one addr-spec judged by RFC 5321 and 5322, and header lists in which the row's values are marked. Owns the
 * promise that a row never becomes more recipients than it is; looks nothing up.
 */
import { domainToASCII } from 'node:url'
import { HOLE_CLOSE, HOLE_OPEN } from '../template/template.ts'

/** One mailbox of a header or an envelope. */
export interface Mailbox {
  readonly name?: string
  /** The addr-spec as it was typed. */
  readonly address: string
  /** The addr-spec for the envelope: the domain in A-labels (RFC 5890), the local part as it is. */
  readonly wire: string
  /** True when the local part is not ASCII: only a server with SMTPUTF8 takes it (RFC 6531). */
  readonly needsSmtputf8: boolean
}

/** What is to be thought of an addr-spec. */
export type AddressVerdict =
  | { readonly verdict: 'valid'; readonly mailbox: Mailbox }
  /** Allowed by the standard, but hardly anybody's address: no dot in the domain, a quoted local part, an IP literal. */
  | { readonly verdict: 'unlikely'; readonly mailbox: Mailbox; readonly why: string }
  | { readonly verdict: 'invalid'; readonly why: string }

/** The common shape: at most 64 and 253 octets, checked apart from it. */
const COMMON =
  /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?$/
const ATOM = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u{80}-\u{10FFFF}-]+$/u
const QUOTED = /^"(?:[^"\\\u0000-\u001F\u007F]|\\[\u0020-\u007E])*"$/
/** Control characters, separators and direction marks, which hide what an address is. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}\p{Cn}]/u

/** Judges one addr-spec and nothing else: no display name, no list, no comment. Spaces around it are not its own. */
export function judgeAddress(text: string): AddressVerdict {
  if (COMMON.test(text) && text.length <= 254) {
    const at = text.lastIndexOf('@')
    if (at <= 64 && labelsFit(text, at + 1)) {
      return { verdict: 'valid', mailbox: { address: text, wire: text, needsSmtputf8: false } }
    }
  }
  return judgeSlowly(text)
}

function labelsFit(text: string, from: number): boolean {
  let start = from
  for (let at = from; at <= text.length; at++) {
    if (at !== text.length && text.charCodeAt(at) !== 46) continue
    if (at - start > 63) return false
    start = at + 1
  }
  return true
}

function judgeSlowly(text: string): AddressVerdict {
  const invalid = (why: string): AddressVerdict => ({ verdict: 'invalid', why })
  if (text === '') return invalid('the address is empty')
  if (INVISIBLE.test(text)) return invalid('it holds a control or invisible character')
  if (/^\s|\s$/.test(text)) return invalid('it has a space at its edge')
  if (/^<|>$/.test(text)) return invalid('it has angle brackets')
  if (text.includes('＠')) return invalid("it has a full-width '＠' in place of '@'")
  if (/=\?[^?]*\?[bq]\?/i.test(text)) return invalid('it holds an encoded word')
  const at = text.lastIndexOf('@')
  if (at < 0) return invalid("it has no '@'")
  const local = text.slice(0, at)
  const domain = text.slice(at + 1)
  if (local === '') return invalid("there is nothing before the '@'")
  if (domain === '') return invalid("there is nothing after the '@'")
  const quoted = local.startsWith('"')
  if (quoted ? !QUOTED.test(local) : false)
    return invalid('its quoted part is not closed or holds a forbidden character')
  if (!quoted) {
    if (/\s/.test(local)) return invalid("it has a space before the '@'")
    if (local.includes('@')) return invalid("it has more than one '@'")
    if (local.startsWith('.') || local.endsWith('.'))
      return invalid("the part before the '@' begins or ends with a dot")
    if (local.includes('..')) return invalid('it has two dots in a row')
    const bad = local.split('.').find((atom) => !ATOM.test(atom))
    if (bad !== undefined) return invalid(`'${firstBad(bad)}' is not allowed before the '@'`)
  }
  if (Buffer.byteLength(local) > 64) return invalid("the part before the '@' is longer than 64 octets")
  const needsSmtputf8 = /[^\u0000-\u007F]/.test(local)
  // NFC is the form that RFC 6532 section 3.1 asks for.
  if (needsSmtputf8 && local.normalize('NFC') !== local)
    return invalid('it is not in the composed form of Unicode (NFC)')
  if (domain.startsWith('[')) return judgeLiteral(text, local, domain, needsSmtputf8)
  const ascii = toAscii(domain)
  if (typeof ascii !== 'string') return invalid(ascii.why)
  const wire = `${local}@${ascii}`
  if (Buffer.byteLength(wire) > 254) return invalid('it is longer than 254 octets')
  const mailbox = { address: text, wire, needsSmtputf8 }
  if (quoted)
    return { verdict: 'unlikely', mailbox, why: "the part before the '@' is quoted, which many servers refuse" }
  if (!ascii.includes('.')) return { verdict: 'unlikely', mailbox, why: 'the domain has no dot' }
  if (/\.[0-9]+$/.test(ascii)) return invalid('the domain ends in a number')
  return { verdict: 'valid', mailbox }
}

function firstBad(atom: string): string {
  return [...atom].find((character) => !ATOM.test(character)) ?? '.'
}

function judgeLiteral(text: string, local: string, domain: string, needsSmtputf8: boolean): AddressVerdict {
  const v4 = /^\[(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\]$/.exec(domain)
  const v6 = /^\[IPv6:([0-9a-f:.]{2,45})\]$/i.exec(domain)
  const right =
    v4 !== null ? v4.slice(1).every((octet) => Number(octet) < 256) : v6 !== null && URL.canParse(`http://[${v6[1]}]/`)
  if (!right) return { verdict: 'invalid', why: 'the address in brackets is no IP address' }
  const mailbox = { address: text, wire: `${local}@${domain}`, needsSmtputf8 }
  return { verdict: 'unlikely', mailbox, why: 'it names a machine by its IP address' }
}

/** A domain in A-labels, or why it is none. */
function toAscii(domain: string): string | { readonly why: string } {
  if (/\s/.test(domain)) return { why: 'it has a space in the domain' }
  if (domain.startsWith('.') || domain.endsWith('.')) return { why: 'the domain begins or ends with a dot' }
  if (domain.includes('..')) return { why: 'the domain has two dots in a row' }
  let ascii = domain
  if (/[^\u0000-\u007F]/.test(domain)) {
    ascii = domainToASCII(domain)
    if (ascii === '') return { why: 'the domain is no valid international name' }
  }
  if (/_/.test(ascii)) return { why: "'_' is not allowed in a domain" }
  if (!/^[A-Za-z0-9.-]+$/.test(ascii)) {
    return { why: `'${[...ascii].find((character) => !/[A-Za-z0-9.-]/.test(character))}' is not allowed in a domain` }
  }
  for (const label of ascii.split('.')) {
    if (label.length > 63) return { why: 'a part of the domain is longer than 63 octets' }
    if (label.startsWith('-') || label.endsWith('-')) return { why: "a part of the domain begins or ends with '-'" }
  }
  if (ascii.length > 253) return { why: 'the domain is longer than 253 octets' }
  return ascii
}

/**
 * The recipient in a cell: `ada@example.com` or `Ada Lovelace <ada@example.com>`, never more than one.
 * The cell's text is all data: what looks like a second address is a fault.
 */
export function parseRecipient(cell: string): { readonly mailbox: Mailbox } | { readonly fault: string } {
  const text = cell.trim()
  const judged = judgeAddress(text)
  if (judged.verdict !== 'invalid') return { mailbox: judged.mailbox }
  // A display name before one address in brackets; anything else in brackets or after them is not understood.
  const match = /^(?<name>[^<>]*?)\s*<(?<address>[^<>]*)>$/.exec(text)
  if (match === null) return { fault: faultOf(text, judged.why) }
  if (INVISIBLE.test(text)) return { fault: 'it holds a control or invisible character' }
  const inner = judgeAddress((match.groups?.address ?? '').trim())
  if (inner.verdict === 'invalid') return { fault: inner.why }
  const name = unquote(match.groups?.name ?? '')
  if (name === undefined) return { fault: 'it looks like more than one address' }
  return { mailbox: { ...inner.mailbox, ...(name === '' ? {} : { name }) } }
}

/** A list is recognised as such, because that is what people put into cells. */
function faultOf(text: string, why: string): string {
  return /[,;]/.test(text) && text.split(/[,;]/).filter((part) => part.includes('@')).length > 1
    ? 'there is more than one address in it'
    : why
}

/** A display name without its quotes; undefined when it holds what belongs to an address. */
function unquote(name: string): string | undefined {
  const text = name.trim()
  if (/^"(?:[^"\\]|\\.)*"$/.test(text)) return text.slice(1, -1).replace(/\\(.)/g, '$1')
  return /[@,;:"\\]/.test(text) ? undefined : text
}

/** The form in which two addresses are the same person's: lower case, NFC, domain in A-labels. */
export function normalizeAddress(address: string): string {
  const text = address.trim()
  const lower = text.toLowerCase()
  if (/^[\u0021-\u007E]*$/.test(lower)) return lower
  const at = lower.lastIndexOf('@')
  const domain = lower.slice(at + 1)
  return `${lower.slice(0, at).normalize('NFC')}@${domainToASCII(domain) || domain}`
}

/** The same for mailboxes that ignore dots and everything from a plus on, as Gmail's do. */
export function gmailKey(address: string): string {
  const normal = normalizeAddress(address)
  const at = normal.lastIndexOf('@')
  const domain = normal.slice(at + 1)
  if (domain !== 'gmail.com' && domain !== 'googlemail.com') return normal
  return `${normal.slice(0, at).replace(/\+.*$/, '').replaceAll('.', '')}@gmail.com`
}

export interface AddressList {
  readonly mailboxes: readonly Mailbox[]
  /** What is wrong, in words; empty when all is well. */
  readonly faults: readonly string[]
}

const EMPTY: AddressList = { mailboxes: [], faults: [] }
/** Lists without a row's values are the same for every row. */
const constant = new Map<string, AddressList>()

/**
 * Reads an address field of a template, `Ada <ada@example.com>, bob@example.com`, with the row's values marked by
 * HOLE_OPEN and HOLE_CLOSE. A value in a display name is text whatever it holds; a value in an address is part of one
 * addr-spec; a value that stands alone is one mailbox, or with `several` a list of them, as a `cc` column may be.
 */
export function parseAddressList(marked: string, options: { readonly several?: boolean } = {}): AddressList {
  if (!marked.includes(HOLE_OPEN)) {
    let list = constant.get(marked)
    if (list === undefined) {
      list = parse(marked, false)
      if (constant.size > 500) constant.clear()
      constant.set(marked, list)
    }
    return list
  }
  return parse(marked, options.several ?? false)
}

function parse(marked: string, several: boolean): AddressList {
  if (marked.trim() === '') return EMPTY
  const mailboxes: Mailbox[] = []
  const faults: string[] = []
  for (const element of splitOutside(marked)) {
    const value = alone(element)
    if (value !== undefined) {
      // An empty value that stands alone is no recipient: `cc: "{{manager}}"` where there is none.
      const cells = several ? value.split(/[,;]/) : [value]
      for (const cell of cells) {
        if (cell.trim() === '') continue
        const read = parseRecipient(cell)
        if ('mailbox' in read) mailboxes.push(read.mailbox)
        else faults.push(`'${shown(cell)}' is no address: ${read.fault}`)
      }
      continue
    }
    const read = parseElement(element)
    if (read === undefined) continue
    if ('mailbox' in read) mailboxes.push(read.mailbox)
    else faults.push(`'${shown(unmarked(element))}' is no address: ${read.fault}`)
  }
  return { mailboxes, faults }
}

/** Splits at the commas and semicolons of the template itself: not in quotes, brackets or a row's value. */
function splitOutside(marked: string): string[] {
  const elements: string[] = []
  let start = 0
  let inHole = false
  let inQuotes = false
  let inBrackets = false
  for (let at = 0; at < marked.length; at++) {
    if (marked.startsWith(HOLE_OPEN, at)) inHole = true
    else if (marked.startsWith(HOLE_CLOSE, at)) inHole = false
    if (inHole) continue
    const character = marked[at]
    if (character === '\\' && inQuotes) at++
    else if (character === '"') inQuotes = !inQuotes
    else if (inQuotes) continue
    else if (character === '<') inBrackets = true
    else if (character === '>') inBrackets = false
    else if ((character === ',' || character === ';') && !inBrackets) {
      elements.push(marked.slice(start, at))
      start = at + 1
    }
  }
  elements.push(marked.slice(start))
  return elements
}

/** The value of an element that is one marked value and nothing else. */
function alone(element: string): string | undefined {
  const text = element.trim()
  if (!text.startsWith(HOLE_OPEN) || !text.endsWith(HOLE_CLOSE)) return undefined
  const value = text.slice(HOLE_OPEN.length, -HOLE_CLOSE.length)
  return value.includes(HOLE_OPEN) ? undefined : value
}

function parseElement(element: string): { readonly mailbox: Mailbox } | { readonly fault: string } | undefined {
  const text = element.trim()
  if (text === '') return undefined
  const open = outside(text, '<')
  if (open < 0) {
    const judged = judgeAddress(unmarked(text))
    return judged.verdict === 'invalid' ? { fault: judged.why } : { mailbox: judged.mailbox }
  }
  if (!text.endsWith('>')) return { fault: "something stands after the '>'" }
  const judged = judgeAddress(unmarked(text.slice(open + 1, -1)).trim())
  if (judged.verdict === 'invalid') {
    // `{{name}} <{{email}}>` with an empty address is an empty address, not a strange one.
    return { fault: judged.why }
  }
  const name = displayName(text.slice(0, open))
  return { mailbox: { ...judged.mailbox, ...(name === '' ? {} : { name }) } }
}

/** Where a character of the template's own stands, outside quotes and values; -1 for nowhere. */
function outside(text: string, wanted: string): number {
  let inHole = false
  let inQuotes = false
  for (let at = 0; at < text.length; at++) {
    if (text.startsWith(HOLE_OPEN, at)) inHole = true
    else if (text.startsWith(HOLE_CLOSE, at)) inHole = false
    if (inHole) continue
    if (text[at] === '\\' && inQuotes) at++
    else if (text[at] === '"') inQuotes = !inQuotes
    else if (!inQuotes && text[at] === wanted) return at
  }
  return -1
}

/** Quotes of the template are taken off; a value keeps every character that it has. */
function displayName(text: string): string {
  let name = ''
  let inHole = false
  for (let at = 0; at < text.length; at++) {
    if (text.startsWith(HOLE_OPEN, at) || text.startsWith(HOLE_CLOSE, at)) {
      inHole = text.startsWith(HOLE_OPEN, at)
      at += HOLE_OPEN.length - 1
      continue
    }
    const character = text[at] ?? ''
    if (!inHole && character === '"') continue
    if (!inHole && character === '\\') {
      name += text[++at] ?? ''
      continue
    }
    name += character
  }
  return name.trim()
}

/** The text without the marks. */
export function unmarked(text: string): string {
  return text.includes(HOLE_OPEN) ? text.replaceAll(HOLE_OPEN, '').replaceAll(HOLE_CLOSE, '') : text
}

/** A value that can be shown in an error: cut, and with control characters spelt out. */
function shown(text: string): string {
  const safe = text
    .trim()
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
  return safe.length > 80 ? `${safe.slice(0, 77)}...` : safe
}
