/**
 * What a server's reply means for a row and for the run, in words that a person can act on. Owns the reading of reply
 * codes (RFC 5321 section 4.2) and enhanced codes (RFC 3463, RFC 5248); decides nothing by itself.
 */
import type { Reply, Stage } from '../transport/transport.ts'

const BY_ENHANCED: readonly (readonly [pattern: RegExp, words: string])[] = [
  [/^[45]\.1\.1$/, 'mailbox unknown'],
  [/^[45]\.1\.2$/, 'domain of the recipient unknown'],
  [/^[45]\.1\.3$/, 'address not valid for this server'],
  [/^[45]\.1\.6$/, 'mailbox has moved'],
  [/^[45]\.1\.[78]$/, 'sender address refused'],
  [/^[45]\.1\.10$/, 'domain takes no mail'],
  [/^[45]\.2\.1$/, 'mailbox disabled'],
  [/^[45]\.2\.2$/, 'mailbox full'],
  [/^[45]\.2\.3$/, 'message too large for this mailbox'],
  [/^[45]\.3\.4$/, 'message too large for this server'],
  [/^[45]\.4\.[0-9]+$/, 'no route to the recipient'],
  [/^[45]\.5\.3$/, 'too many recipients'],
  [/^[45]\.6\.[0-9]+$/, 'content not accepted'],
  [/^[45]\.7\.1$/, 'refused by policy or as spam'],
  [/^[45]\.7\.(8|9|11|30)$/, 'login needed'],
  [/^[45]\.7\.(20|21|22|23|24|25|26|27|509|515)$/, 'sender not authenticated (SPF, DKIM, DMARC or reverse DNS)'],
  [/^[45]\.7\.[0-9]+$/, 'refused by policy'],
]

const BY_TEXT: readonly (readonly [pattern: RegExp, words: string])[] = [
  [/relay/i, 'relaying denied'],
  [/spam|junk|blacklist|blocklist|block list|spamhaus|reputation/i, 'refused as spam'],
  [/too (large|big)|size exceeds|maximum.*size/i, 'message too large'],
  [
    /(user|mailbox|recipient|address|account).*(unknown|not found|does ?n[o']t exist|unavailable|invalid)|no such (user|mailbox|recipient)|unknown (user|mailbox|recipient)/i,
    'mailbox unknown',
  ],
  [/(mailbox|quota).*(full|exceeded)|over quota/i, 'mailbox full'],
  [/greylist|graylist/i, 'greylisted'],
]

/** Why, in a few words: from the enhanced code, else from the text, else from where it was said. */
export function reasonOf(reply: Reply, stage: Stage): string {
  // 5.7.1 is used for everything, so a text that says what it is about wins over it.
  const byText = BY_TEXT.find(([pattern]) => pattern.test(reply.text))?.[1]
  const { enhanced } = reply
  if (enhanced !== undefined && !(byText !== undefined && /^[45]\.(7\.1|0\.0|\d\.0)$/.test(enhanced))) {
    const words = BY_ENHANCED.find(([pattern]) => pattern.test(enhanced))?.[1]
    if (words !== undefined) return words
  }
  if (byText !== undefined) return byText
  if (reply.code === 552) return 'message too large or mailbox full'
  if (reply.code === 550 && stage === 'rcpt') return 'recipient refused'
  switch (stage) {
    case 'mail':
      return 'sender refused'
    case 'rcpt':
      return 'recipient refused'
    case 'data':
    case 'end-of-data':
      return 'message refused'
    default:
      return 'refused'
  }
}

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

/** True for permanent refusals that blame us (policy, spam, relaying, authentication), not this recipient. */
export function blamesSender(reply: Reply, stage: Stage): boolean {
  if (reply.code < 500) return false
  if (stage === 'mail') return true
  if (/^5\.1\.[0-6]$|^5\.2\./.test(reply.enhanced ?? '')) return false
  if (/^5\.(7|5|1\.[78])/.test(reply.enhanced ?? '')) return true
  return /relay|spam|blocklist|blacklist|policy|authenti/i.test(reply.text)
}
