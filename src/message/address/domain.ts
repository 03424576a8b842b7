/** Domain names as the wire wants them: A-labels (RFC 5890) within the limits of RFC 1035. Asks no name server. */
import { domainToASCII } from 'node:url'

/** The domain of an address, in lower case; the whole text where it has no `@`. */
export function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1).toLowerCase()
}

/** True when no label from `from` on is longer than 63 bytes. */
export function labelsFit(text: string, from: number): boolean {
  let start = from
  for (let at = from; at <= text.length; at++) {
    if (at !== text.length && text.charCodeAt(at) !== 46) continue
    if (at - start > 63) return false
    start = at + 1
  }
  return true
}

/** The domain in A-labels (UTS 46, not transitional), or why it is none. */
export function asciiDomain(domain: string): string | { readonly why: string } {
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
