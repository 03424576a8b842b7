/** When two addresses are the same person's. Owns the keys of duplicates and suppressions; judges nothing. */
import { domainToASCII } from 'node:url'

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
