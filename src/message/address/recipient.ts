/** The recipient in a cell of the list. Owns the promise that a cell is one mailbox or a fault, never two. */
import type { Mailbox } from './mailbox.ts'
import { parseAddress, severalFault, unseenFault } from './parse.ts'

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
