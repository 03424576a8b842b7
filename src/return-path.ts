/**
 * Return paths that say by themselves which message came back (VERP): `bounces+TOKEN@example.org`. Owns making and reading
 * them; the token is the left side of the Message-ID.
 */

/** True for a text with one `*` in its local part, whose place the token takes (RFC 5321 section 4.5.3.1.1: 64 bytes). */
export function isReturnPath(text: string): boolean {
  return (
    /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[^\s@*]+$/.test(text) && text.split('*').length === 2 && text.indexOf('@') <= 32
  )
}

/** The return path of one message. */
export function returnPathOf(pattern: string, messageId: string): string {
  return pattern.replace('*', messageId.slice(1).split('@', 1)[0] ?? '')
}

/** The token of an address that something came back to; undefined for any other address. */
export function returnedToken(address: string, pattern: string): string | undefined {
  const [before = '', after = ''] = pattern.toLowerCase().split('*')
  const lower = address.toLowerCase()
  if (!lower.startsWith(before) || !lower.endsWith(after)) return undefined
  const token = lower.slice(before.length, lower.length - after.length)
  return /^[a-z0-9]+$/.test(token) ? token : undefined
}
