/**
 * Replies that speak of the connection and not of the message. Owns the reading of what servers really say there; the
 * reading of what they say of a message is the campaign's.
 */
import type { Reply } from '../transport.ts'

/** As Exim, OpenSMTPD, Exchange and the large providers word it. */
const TOO_MANY =
  /too many (messages|mails?|transactions)|max(imum)? (number of )?(messages|transactions)|messages? (limit|per (connection|session))|limit .*(messages|session)/i

/** So many messages a connection: a new connection takes the next. */
export function limitsMessages({ code, enhanced, text }: Reply): boolean {
  return code < 500 && (enhanced === '4.5.3' || TOO_MANY.test(text))
}

/** Fewer or slower, from this client: 4.3.2 and the policy codes of RFC 3463. */
export function asksForLess({ code, enhanced = '' }: Reply): boolean {
  return code < 500 && /^4\.(3\.2|7\.\d+)$/.test(enhanced)
}

/** A 421 that only says that nothing was said for a while; nobody asks for less by it. */
export function hungUpOnIdle({ enhanced, text }: Reply): boolean {
  return enhanced === '4.4.2' || /time[d -]*out|\bidle\b/i.test(text)
}
