/**
 * What an address is: one addr-spec by RFC 5321 section 4.1.2 and RFC 6531 section 3.3, alone or as the recipient in a cell, and
 * when two of them are the same person's. Owns the promise that what it lets through is one address; looks nothing up.
 */
import { isIPv6 } from 'node:net'
import { domainToASCII } from 'node:url'

/** One mailbox of a header or an envelope. */
export interface Mailbox {
  readonly name?: string
  /** The addr-spec as it was typed, in the composed form of Unicode (RFC 6532 section 3.1). */
  readonly address: string
  /** The addr-spec for the envelope: the domain in A-labels (RFC 5890), the local part as it is. */
  readonly wire: string
  /** True when the local part is not ASCII: only a server with SMTPUTF8 takes it (RFC 6531). */
  readonly needsSmtputf8: boolean
}

/** What a text is as an addr-spec. */
export type ParsedAddress =
  | { readonly kind: 'valid'; readonly mailbox: Mailbox }
  /** Allowed by the standard, but hardly anybody's address: no dot in the domain, a quoted local part, an IP literal. */
  | { readonly kind: 'unlikely'; readonly mailbox: Mailbox; readonly why: string }
  | { readonly kind: 'invalid'; readonly why: string }

/** What nearly every address looks like; lengths are checked apart from it. */
const COMMON =
  /^[A-Za-z0-9#$&'*+=^_`{}~-]+(?:\.[A-Za-z0-9#$&'*+=^_`{}~-]+)*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?$/
const ATOM = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u{80}-\u{10FFFF}-]+$/u
const QUOTED = /^"(?:[^"\\\u0000-\u001F\u007F]|\\[\u0020-\u007E])*"$/
/** Control characters, separators and direction marks, which hide what an address is; what is not a character at all. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}\p{Cn}\u{FFFD}]/u
/** Quotation marks of any language, or apostrophes, around the whole. A quoted local part alone is not meant. */
const QUOTED_WHOLE =
  /^["'`\u2018\u2019\u201A\u201C\u201D\u201E\u00AB\u00BB].*@.*["'`\u00B4\u2018\u2019\u201C\u201D\u00AB\u00BB]$/su
/** No address is as long, so that a cell of megabytes costs nothing. */
const ABSURD = 2_000

/**
 * Parses one addr-spec and nothing else: no display name, no list, no comment. Spaces around it are not its own.
 *
 * @example parseAddress('ada@bücher.example') // valid, its wire form is ada@xn--bcher-kva.example
 */
export function parseAddress(text: string): ParsedAddress {
  if (last?.text !== text) last = { text, parsed: parse(text) }
  return last.parsed
}

/** A row's address is parsed as a cell and then again as a recipient. */
let last: { readonly text: string; readonly parsed: ParsedAddress } | undefined

function parse(text: string): ParsedAddress {
  if (text.length <= 254 && COMMON.test(text)) {
    const at = text.indexOf('@')
    if (at <= 64 && labelsFit(text, at + 1)) {
      return { kind: 'valid', mailbox: { address: text, wire: text, needsSmtputf8: false } }
    }
  }
  return parseSlowly(text)
}

function parseSlowly(typed: string): ParsedAddress {
  const why = wholeFault(typed)
  if (why !== undefined) return invalid(why)
  const text = typed.normalize('NFC')
  // In a quoted local part an '@' is a letter like any other.
  const at = text.startsWith('"') ? text.lastIndexOf('@') : text.indexOf('@')
  if (at < 0) return invalid("it has no '@'")
  const local = text.slice(0, at)
  const domain = text.slice(at + 1)
  const wrong = localFault(local)
  if (wrong !== undefined) return invalid(wrong)
  if (domain === '') return invalid("there is nothing after the '@'")
  if (domain.includes('@')) return invalid(severalFault(text) ?? "it has more than one '@'")
  const needsSmtputf8 = /[^\u0000-\u007F]/.test(local)
  if (domain.startsWith('[')) return parseLiteral(text, domain, needsSmtputf8)
  const ascii = asciiDomain(domain)
  if (typeof ascii !== 'string') return invalid(severalFault(text) ?? ascii.why)
  const wire = `${local}@${ascii}`
  if (Buffer.byteLength(wire) > 254) return invalid('it is longer than 254 bytes')
  const mailbox: Mailbox = { address: text, wire, needsSmtputf8 }
  const doubt = doubtOf(local, domain, ascii)
  return doubt === undefined ? { kind: 'valid', mailbox } : { kind: 'unlikely', mailbox, why: doubt }
}

function invalid(why: string): ParsedAddress {
  return { kind: 'invalid', why }
}

/** What is wrong with the text as a whole, before it is taken apart. */
function wholeFault(text: string): string | undefined {
  if (text === '') return 'the address is empty'
  if (text.length > ABSURD) return 'it is longer than 254 bytes'
  const unseen = unseenFault(text)
  if (unseen !== undefined) return unseen
  if (/^\s|\s$/u.test(text)) return 'it has a space at its edge'
  if (QUOTED_WHOLE.test(text)) return 'it stands in quotes, which are not part of an address'
  if (/^\/o=/i.test(text))
    return 'it is an Exchange address of Outlook, not an SMTP address; export the contacts with their e-mail addresses'
  if (/^mailto:/i.test(text)) return "it begins with 'mailto:', which belongs to links"
  if (/^<@[^>]*:/.test(text) || /^@[^:]*:/.test(text)) return 'it contains a route, which servers no longer follow'
  if (/^[^"@<:]*:(?:\s|.*;$)/s.test(text)) return 'it is a group, not an address'
  if (/^<|>$/.test(text)) return severalFault(text) ?? 'it has angle brackets'
  if (/=\?[^?]*\?[bq]\?/i.test(text)) return 'it holds an encoded word'
  const alike = [...text].find(
    (character) => character > '\u007F' && /["(),:;<>@[\\\]]/.test(character.normalize('NFKC')),
  )
  if (alike?.normalize('NFKC') === '@') return `it has '${alike}' in place of '@'`
  if (alike !== undefined) return `it has '${alike}' in place of '${alike.normalize('NFKC')}'`
  return undefined
}

/** Names the character that cannot be seen, since the eye will not find it. */
export function unseenFault(text: string): string | undefined {
  const found = UNSEEN.exec(text)?.[0]
  if (found === undefined) return undefined
  const code = `U+${found.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}`
  if (found === '\r' || found === '\n') return `it holds a line break (${code})`
  if (found === '\uFFFD') return `it holds ${code}: the list was read in a wrong encoding`
  return `it holds a control or invisible character (${code})`
}

/** People put lists into cells; say so when it is one. */
export function severalFault(text: string): string | undefined {
  const parts = text.split(/[,;\s]+/u).filter((part) => /.@./.test(part))
  return parts.length > 1 ? 'there is more than one address in it' : undefined
}

function localFault(local: string): string | undefined {
  if (local === '') return "there is nothing before the '@'"
  if (Buffer.byteLength(local) > 64) return "the part before the '@' is longer than 64 bytes"
  if (local.startsWith('"')) {
    return QUOTED.test(local) ? undefined : 'its quoted part is not closed or holds a forbidden character'
  }
  if (/\s/u.test(local)) return "it has a space before the '@'"
  if (local.startsWith('.') || local.endsWith('.')) return "the part before the '@' begins or ends with a dot"
  if (local.includes('..')) return 'it has two dots in a row'
  if (/[()]/.test(local)) return 'it holds a comment in parentheses'
  const bad = local.split('.').find((atom) => !ATOM.test(atom))
  if (bad === undefined) return undefined
  return `'${[...bad].find((character) => !ATOM.test(character)) ?? '.'}' is not allowed before the '@'`
}

/** Why an address that the standard allows will hardly be anybody's; undefined when it looks like others. */
function doubtOf(local: string, domain: string, ascii: string): string | undefined {
  if (local.startsWith('"')) return "the part before the '@' is quoted, which many servers refuse"
  if (/[%!/|]/.test(local))
    return "it has one of % ! / | before the '@', which many servers take for an attempt to relay"
  if (!ascii.includes('.')) return 'the domain has no dot'
  if (domain !== ascii && mixesScripts(domain))
    return 'a part of the domain mixes letters of several scripts, as forgeries do'
  return undefined
}

const SCRIPTS = [/\p{Script=Latin}/u, /\p{Script=Cyrillic}/u, /\p{Script=Greek}/u, /\p{Script=Armenian}/u]

/** Scripts with letters of the same shape in one label (UTS 39 section 5.1 in small). */
function mixesScripts(domain: string): boolean {
  return domain.split('.').some((label) => SCRIPTS.filter((script) => script.test(label)).length > 1)
}

function parseLiteral(text: string, domain: string, needsSmtputf8: boolean): ParsedAddress {
  const v4 = /^\[(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\]$/.exec(domain)
  const v6 = /^\[IPv6:([0-9a-f:.]{2,45})\]$/i.exec(domain)?.[1]
  const right = v4 !== null ? v4.slice(1).every((octet) => Number(octet) < 256) : v6 !== undefined && isIPv6(v6)
  if (!right) return invalid('the address in brackets is not an IP address')
  if (Buffer.byteLength(text) > 254) return invalid('it is longer than 254 bytes')
  const mailbox = { address: text, wire: text, needsSmtputf8 }
  return { kind: 'unlikely', mailbox, why: 'it names a machine by its IP address' }
}

/** The domain of an address, in lower case; the whole text where it has no `@`. */
export function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1).toLowerCase()
}

/** True when no label from `from` on is longer than 63 bytes. */
function labelsFit(text: string, from: number): boolean {
  let start = from
  for (let at = from; at <= text.length; at++) {
    if (at !== text.length && text.charCodeAt(at) !== 46) continue
    if (at - start > 63) return false
    start = at + 1
  }
  return true
}

/** The domain in A-labels (RFC 5890; UTS 46, not transitional) within the limits of RFC 1035, or why it is not valid. */
function asciiDomain(domain: string): string | { readonly why: string } {
  if (/\s/u.test(domain)) return { why: 'it has a space in the domain' }
  if (/[()]/.test(domain)) return { why: 'it holds a comment in parentheses' }
  if (domain.includes('_')) return { why: "'_' is not allowed in a domain" }
  // Before the mapping: what maps to an address of the web takes `/`, `?` and `:` for the end of the name, and drops the rest.
  const strange = /[^A-Za-z0-9.\u{80}-\u{10FFFF}-]/u.exec(domain)?.[0]
  if (strange !== undefined) return { why: `'${strange}' is not allowed in a domain` }
  const foreign = /[^\u0000-\u007F]/.test(domain)
  const ascii = foreign ? domainToASCII(domain) : domain
  if (ascii === '') return { why: 'the domain is not a valid international name' }
  if (foreign && !/xn--/i.test(ascii)) return { why: `the domain holds look-alikes of plain letters; is it ${ascii}?` }
  if (ascii.startsWith('.') || ascii.endsWith('.')) return { why: 'the domain begins or ends with a dot' }
  if (ascii.includes('..')) return { why: 'the domain has two dots in a row' }
  if (!/^[A-Za-z0-9.-]+$/.test(ascii)) return { why: 'the domain is not a valid international name' }
  if (/(?:^|\.)-|-(?:\.|$)/.test(ascii)) return { why: "a part of the domain begins or ends with '-'" }
  if (!labelsFit(ascii, 0)) return { why: 'a part of the domain is longer than 63 bytes' }
  if (ascii.length > 253) return { why: 'the domain is longer than 253 bytes' }
  if (/(?:^|\.)[0-9]+$/.test(ascii)) return { why: 'the domain ends in a number' }
  return ascii
}

/**
 * Reads `ada@example.com`, `Ada Lovelace <ada@example.com>` or `"Lovelace, Ada" <ada@example.com>`. The cell's text is
 * all data: what looks like a second address is a fault, said in words that follow `'...' is not an address: `.
 */
export function parseRecipient(cell: string): { readonly mailbox: Mailbox } | { readonly fault: string } {
  // Copied from a field of a mail program, an address ends as a list does.
  const text = cell.trim().replace(/(?<=[^\s,;])\s*[,;]\s*$/u, '')
  const parsed = parseAddress(text)
  if (parsed.kind !== 'invalid') return { mailbox: parsed.mailbox }
  const split = text.length > 2_000 ? undefined : splitName(text)
  if (split === undefined) return { fault: parsed.why }
  const fault = unseenFault(text)
  if (fault !== undefined) return { fault }
  const inner = parseAddress(split.spec.trim())
  if (inner.kind === 'invalid') return { fault: severalFault(text) ?? inner.why }
  const name = nameOf(split.name.trim(), inner.mailbox)
  if (name === undefined) return { fault: severalFault(text) ?? `the name before '<' must stand in quotes` }
  return { mailbox: { ...inner.mailbox, ...(name === '' ? {} : { name }) } }
}

/** A display name, then one pair of angle brackets at the end; undefined for any other shape. */
function splitName(text: string): { readonly name: string; readonly spec: string } | undefined {
  if (!text.endsWith('>')) return undefined
  const quoted = /^"(?:[^"\\]|\\.)*"/.exec(text)?.[0] ?? ''
  const open = text.indexOf('<', quoted.length)
  if (open < 0) return undefined
  const spec = text.slice(open + 1, -1)
  return /[<>]/.test(spec) ? undefined : { name: text.slice(0, open), spec }
}

/** The name without its quotes; undefined when it holds what belongs to an address. */
function nameOf(name: string, { address }: Mailbox): string | undefined {
  if (/^"(?:[^"\\]|\\.)*"$/.test(name)) return name.slice(1, -1).replace(/\\(.)/g, '$1')
  // Mail programs write the address as the name where they have no name, some of them in single quotes.
  if (name.replace(/^'(.*)'$/, '$1').toLowerCase() === address.toLowerCase()) return ''
  return /[@;:"\\<>]/.test(name) ? undefined : name
}

/**
 * Lower case, NFC, domain in A-labels, quotes that change nothing left out. RFC 5321 lets a server tell `Ada` from
 * `ada`; none that people use does, and to write twice to one person is the greater harm.
 */
export function normalizeAddress(address: string): string {
  const text = address.trim()
  const lower = text.toLowerCase()
  if (/^[\u0021\u0023-\u007E]*$/.test(lower)) return lower
  const folded = text.normalize('NFC').toLowerCase().normalize('NFC')
  const at = folded.lastIndexOf('@')
  if (at < 0) return folded
  const domain = folded.slice(at + 1)
  return `${unquoted(folded.slice(0, at))}@${(/[^\u0000-\u007F]/.test(domain) && domainToASCII(domain)) || domain}`
}

/** `"ada"@example.com` and `ada@example.com` are one address (RFC 5321 section 4.1.2). */
function unquoted(local: string): string {
  if (!/^".+"$/s.test(local)) return local
  const inner = local.slice(1, -1).replace(/\\(.)/gs, '$1')
  return /^[^\s"(),:;<>@[\]\\.]+(?:\.[^\s"(),:;<>@[\]\\.]+)*$/u.test(inner) ? inner : local
}

/** The same for mailboxes that ignore dots and everything from a plus on, as Gmail's do. */
export function gmailKey(address: string): string {
  const normal = normalizeAddress(address)
  const at = normal.lastIndexOf('@')
  const domain = normal.slice(at + 1)
  if (domain !== 'gmail.com' && domain !== 'googlemail.com') return normal
  return `${normal.slice(0, at).replace(/\+.*$/s, '').replaceAll('.', '')}@gmail.com`
}
