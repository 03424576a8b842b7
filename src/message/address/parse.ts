/**
 * Reads one addr-spec, by RFC 5321 section 4.1.2 and RFC 6531 section 3.3. Owns the promise that what it lets
 * through is one address; looks nothing up.
 */
import { isIPv6 } from 'node:net'
import { asciiDomain, labelsFit } from './domain.ts'
import type { Mailbox, ParsedAddress } from './mailbox.ts'

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
