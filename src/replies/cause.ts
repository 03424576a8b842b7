/**
 * Whom a server's reply blames: our speed, us, or this recipient. Owns the reading of reply codes (RFC 5321 section 4.2) and
 * enhanced codes (RFC 3463, RFC 5248) for that; decides nothing by itself. Its words for people are in `refusal.ts`.
 */
import type { Reply, Stage } from '../transport/transport.ts'

const RATE_WORDS =
  /throttl|too many messages|rate limit|sending rate|rate exceeded|too fast|unusual rate|quota exceeded.*(send|message)|(send|message).*quota exceeded/i

/**
 * True for replies that ask for fewer messages in a time, and not only for fewer connections: Gmail (4.7.28), Microsoft 365
 * (4.3.2), SES (454 Throttling), in the codes and words that they publish.
 */
export function speaksOfRate(reply: Reply): boolean {
  if (reply.code < 400 || reply.code > 499) return false
  return /^4\.(3\.2|7\.28)$/.test(reply.enhanced ?? '') || RATE_WORDS.test(reply.text)
}

/**
 * True for replies that speak of us and not of the recipient: they pause the lanes, not the row. 421 is the server hanging up
 * (RFC 5321 section 3.8), 4.5.3 a limit of the connection.
 */
export function isThrottling(reply: Reply): boolean {
  if (reply.code < 400 || reply.code > 499) return false
  if (reply.code === 421 || speaksOfRate(reply)) return true
  if (reply.enhanced === '4.5.3') return !/recipient/i.test(reply.text)
  return /too many (connections|concurrent)/i.test(reply.text)
}

/** A recipient, a size, a number of recipients, a kind of content: also where the server says it in answer to MAIL. */
function blamesMessage({ code, enhanced = '' }: Reply): boolean {
  return code === 552 || /^5\.(1\.[0-6]|2\.\d+|3\.4|5\.3|6\.\d+)$/.test(enhanced)
}

/** True for permanent refusals that blame us (policy, spam, relaying, authentication), not this recipient. */
export function blamesSender(reply: Reply, stage: Stage): boolean {
  if (reply.code < 500 || blamesMessage(reply)) return false
  if (stage === 'mail') return true
  if (/^5\.(7|5|1\.[78])/.test(reply.enhanced ?? '')) return true
  return /relay|spam|blocklist|blacklist|policy|authenti/i.test(reply.text)
}
