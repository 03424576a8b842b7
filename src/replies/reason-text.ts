/**
 * Why a server refused, in a few words that a person can act on. Owns the reading of enhanced codes (RFC 3463, RFC 7505, RFC
 * 8616 and the others of IANA's registry, with those that Microsoft added) and of the sentences around codes that say little;
 * decides nothing.
 */
import type { Reply, Stage } from '../transport/transport.ts'

/** By class-less code, `1.1` for 5.1.1 and 4.1.1. */
const WORDS: Readonly<Record<string, string>> = {
  '1.1': 'mailbox unknown',
  '1.2': 'domain of the recipient unknown',
  '1.3': 'address not valid for this server',
  '1.4': 'address fits several mailboxes',
  '1.6': 'mailbox has moved',
  '1.7': 'sender address refused',
  '1.8': 'domain of the sender unknown',
  '1.10': 'domain takes no mail',
  '1.90': 'daily number of recipients used up',
  '2.1': 'mailbox disabled',
  '2.2': 'mailbox full',
  '2.3': 'message too large for this mailbox',
  '2.4': 'mailing list cannot be expanded',
  '2.121': 'mailbox gets more mail than it may',
  '2.122': 'mailbox gets more mail than it may',
  '2.252': 'this login may not send as this sender',
  '3.1': 'server has no room',
  '3.2': 'server takes no mail now',
  '3.3': 'server cannot do what the message needs',
  '3.4': 'message too large for this server',
  '3.5': 'server is set up wrongly',
  '4.1': 'server of the recipient does not answer',
  '4.2': 'connection broke',
  '4.3': 'name service does not answer',
  '4.4': 'no route to the recipient',
  '4.5': 'server has too much to do',
  '4.6': 'mail goes in a circle',
  '4.7': 'delivery took too long',
  '5.3': 'too many recipients',
  '6.6': 'server cannot read the content',
  '6.7': 'server takes no international addresses',
  '6.8': 'server takes no international addresses',
  '6.9': 'server takes no international addresses',
  '7.1': 'refused by policy or as spam',
  '7.2': 'mailing list refuses the sender',
  '7.8': 'login needed',
  '7.9': 'login not safe enough',
  '7.10': 'TLS needed',
  '7.11': 'TLS needed for the login',
  '7.12': 'password must be renewed',
  '7.13': 'account of the sender disabled',
  '7.17': 'mailbox belongs to somebody else now',
  '7.18': 'domain belongs to somebody else now',
  '7.27': 'sender address takes no mail itself',
  '7.28': 'sent more than the server allows',
  '7.29': 'signature of a forwarder not valid (ARC)',
  '7.30': 'login needed',
  '7.57': 'login needed',
  '7.60': 'this login may not send as this sender',
  '7.64': 'relaying denied',
  '7.501': 'refused as spam',
  '7.502': 'refused as spam',
  '7.503': 'refused as spam',
  '7.511': 'sending host blocked',
  '7.705': 'sent more than the server allows',
  '7.708': 'sending host blocked',
}

/** Codes that come in families. */
const FAMILIES: readonly (readonly [code: RegExp, words: string])[] = [
  [/^4\./, 'no route to the recipient'],
  [/^6\./, 'content not accepted'],
  [/^7\.(2[0-6]|509|515)$/, 'sender not authenticated (SPF, DKIM, DMARC or reverse DNS)'],
  [/^7\.6\d\d$/, 'sending host blocked'],
  [/^7\.[1-9]/, 'refused by policy'],
]

/** Codes that servers give for everything: a sentence that says what it is about is worth more. */
const SAYS_LITTLE = /^(\d+\.0|2\.1|5\.[0124]|7\.1|7\.30|3\.2|7\.[5-9]\d\d)$/

/** In this order: the first that fits decides. */
const SENTENCES: readonly (readonly [sentence: RegExp, words: string])[] = [
  [
    /relay(ing)?\b.*(denied|not (allowed|permitted)|prohibited)|unable to relay|(not|no) .{0,20}\brelay/i,
    'relaying denied',
  ],
  [
    /\b(spf|dkim|dmarc)\b|unauthenticated (mail|email)|reverse (dns|lookup)|\bptr record/i,
    'sender not authenticated (SPF, DKIM, DMARC or reverse DNS)',
  ],
  [/requiretls/i, 'server does not promise TLS on the whole way'],
  [/receiving mail (at a rate|too (quickly|fast|often))/i, 'mailbox gets more mail than it may'],
  [/virus|malware|\binfected/i, 'refused for a virus'],
  [/gr[ea]y-?list/i, 'greylisted'],
  [
    /\b(ip|host|client)\b.{0,60}(block|ban|black|listed)|black-?list|block-?list|\brbl\b|spamhaus|spamcop/i,
    'sending host blocked',
  ],
  [/spam|\bjunk\b|unsolicited|bulk mail|reputation/i, 'refused as spam'],
  [/authenticat(e|ion) (is )?(required|needed|first)|must (authenticate|log ?in)|not logged in/i, 'login needed'],
  [/must issue a starttls|(tls|encryption) (is )?(required|needed)/i, 'TLS needed'],
  [/too (large|big)|size (limit )?exceed|exceeds? .{0,30}size|maximum .{0,20}size/i, 'message too large'],
  [
    /(mail ?box|quota|storage|inbox).{0,30}(full|exceed)|(full|over|exceed\w*|out of) ?(quota|storage)|insufficient (system )?storage/i,
    'mailbox full',
  ],
  [/(mail ?box|user|account|recipient).{0,40}(disabled|suspended|inactive|locked)/i, 'mailbox disabled'],
  [
    /sender .{0,40}(reject|refus|denied|not (allowed|exist|valid)|invalid|unknown)|not (allowed|permitted|owned) .{0,20}(send|by user)/i,
    'sender address refused',
  ],
  [
    /(user|mail ?box|recipient|address|account).{0,60}(unknown|not found|does(n't| not) exist|unavailable|invalid|no longer)|no such (user|mail ?box|recipient|person|account)|unknown (user|mail ?box|recipient)|unrouteable address|no mailbox/i,
    'mailbox unknown',
  ],
  [
    /domain.{0,40}(not found|unknown|does(n't| not) exist)|null ?mx|does not accept mail/i,
    'domain of the recipient unknown',
  ],
  [/rate.?limit|too (many|fast)|throttl|sending (rate|limit)|quota/i, 'sent more than the server allows'],
]

/** Why, in a few words: from the enhanced code where it says something, else from the sentence, else from where it was said. */
export function reasonOf(reply: Reply, stage: Stage): string {
  const code = reply.enhanced?.slice(2)
  const byCode = code === undefined ? undefined : wordsOf(code)
  if (byCode !== undefined && code !== undefined && !SAYS_LITTLE.test(code)) return byCode
  return SENTENCES.find(([sentence]) => sentence.test(reply.text))?.[1] ?? byCode ?? whereSaid(reply.code, stage)
}

function wordsOf(code: string): string | undefined {
  return WORDS[code] ?? FAMILIES.find(([family]) => family.test(code))?.[1]
}

/** A code without words: what was refused is all that can be told. */
function whereSaid(code: number, stage: Stage): string {
  if (code === 552) return 'message too large or mailbox full'
  if (code === 530) return 'login needed'
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
