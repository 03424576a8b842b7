/** Replies about how much is sent at once. Owns the reading of codes that mean this without saying it; decides nothing. */
import { causeOf } from './cause.ts'
import type { Reply } from './reply.ts'

/** Asks for fewer messages in a time, by whatever code, and not only for fewer connections. */
export function speaksOfRate(reply: Reply): boolean {
  return reply.code >= 400 && causeOf(reply)?.cause === 'rate'
}

/**
 * About us and not about the recipient: it pauses the lanes, not the row. 421 is the server hanging up (RFC 5321 section 3.8),
 * 4.5.3 a limit of the connection.
 */
export function isThrottling(reply: Reply): boolean {
  if (reply.code < 400) return false
  const cause = causeOf(reply)?.cause
  if (cause === 'rate') return true
  if (reply.code >= 500) return false
  if (reply.enhanced === '4.5.3') return !/recipient/i.test(reply.text)
  return reply.code === 421 || cause === 'connection-limit' || cause === 'session-limit'
}

/** The server accepts no more messages on this connection: the next goes over a new one. */
export function endsSession(reply: Reply): boolean {
  if (reply.code >= 500) return false
  if (reply.enhanced === '4.5.3' || causeOf(reply)?.cause === 'session-limit') return true
  return /too many (messages|mails?|transactions)(?![^.;]{0,40}\b(second|minute|hour|day)\b)/i.test(reply.text)
}

/** Asks this client for fewer or slower messages: 4.3.2 and the policy codes of RFC 3463. */
export function asksForLess({ code, enhanced = '' }: Reply): boolean {
  return code < 500 && /^4\.(3\.2|7\.\d+)$/.test(enhanced)
}

/** A 421 that only reports a time without commands; it does not ask for less. */
export function hungUpOnIdle({ enhanced, text }: Reply): boolean {
  return enhanced === '4.4.2' || /time[d -]*out|\bidle\b/i.test(text)
}
