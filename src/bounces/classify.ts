/**
 * What a delivery report says of an address: gone for good, or only this time. Owns the reading of status codes (RFC
 * 3463, RFC 5248) and of the sentences that servers write; pure. When in doubt an address is kept, because a person
 * struck off by mistake hears nothing more.
 */
import type { RecipientReport } from './report.ts'
import { addressesIn } from './text.ts'

export interface Diagnosis {
  /** Enhanced status, `5.1.1`; empty when the report has none. */
  readonly status: string
  readonly smtpCode: number | undefined
  /** What the server said about this recipient. */
  readonly text: string
  /** The refusal came in answer to the message itself, not to its recipient. */
  readonly atEndOfData?: boolean
}

/** `gone` only for an address that cannot receive mail at all, now or later. */
export interface Verdict {
  readonly gone: boolean
  readonly reason: string
}

/** Read in this order: the first that fits decides. */
const SENTENCES: readonly (readonly [reason: string, gone: boolean, pattern: RegExp])[] = [
  ['virus found', false, /\b(virus|malware|infected|trojan)\b/i],
  [
    'sender not authenticated',
    false,
    /\b(spf|dkim|dmarc)\b|unauthenticated|not (pass|authenticat)\w* .*(check|mail|sender)|authentication (checks?|required|failed)/i,
  ],
  [
    'refused as spam',
    false,
    /\bspam|\bjunk\b|unsolicited|bulk e?-?mail|advertis|content (rejected|filter)|looks like/i,
  ],
  [
    'server refuses our host',
    false,
    /black ?-?list|block ?-?list|\b[dr]n?s?bl\b|spamhaus|spamcop|reputation|reverse (dns|lookup)|\bptr\b|cannot find your (hostname|reverse)|(client|\bip|your (host|server|network))( address)?\b.*(blocked|denied|rejected|banned|listed)|access denied.*\[?\d+\.\d+\.\d+|bad (helo|ehlo)/i,
  ],
  [
    'relaying denied',
    false,
    /relay(ing)? (access )?(denied|not (allowed|permitted))|unable to relay|not (allowed|permitted) to relay|we do not relay/i,
  ],
  [
    'mailbox full',
    false,
    /(mail ?box|inbox|quota|storage|disk|account|user)[^.;]{0,40}\b(is |are |was )?(full|exceeded|over|exhausted|out of)|over ?quota|(exceed|over)\w* [^.;]{0,40}(quota|storage|allocation|allotted)|insufficient (disk|system storage|space)|no (disk )?space|not enough (disk |storage )?space|boite? .*pleine/i,
  ],
  [
    'message too large',
    false,
    /(message|mail|size|content)[^.;]{0,30}(too (large|big)|exceed\w* [^.;]{0,30}(size|limit|maximum))|size limit|too (large|big)/i,
  ],
  [
    'sender refused',
    false,
    /(sender|from|return.?path|reverse.?path|originat\w+)( e?mail)?( address)?[^.;]{0,40}(reject|refus|denied|not (exist|allowed|accept|valid|verified|permitted)|invalid|unknown|does ?n[o']t|must)|not (a )?member|only members|subscribers? only|not (allowed|authorized|permitted) to (send|post)|permission to (post|send)/i,
  ],
  [
    'account suspended',
    false,
    /suspend|(account|mailbox|user|recipient|e?-?mail)(?:[^.;]|\.\w){0,60}(disabled|inactive|deactivated|locked|frozen|expired|not active|temporar(y|ily))|disabled (account|mailbox)|inactive (user|account|mailbox)/i,
  ],
  [
    'mailbox unknown',
    true,
    /\b(user|usr|recipient|mail ?box|mailbox|account|alias|addressee|address|e-?mail account|local part|person|member)s?\b( name)?( [<"'][^>"']{1,100}[>"'])?( \([^)]{1,100}\))?[^.;\n]{0,40}?\b(unknown|not found|un?available|(does|do|did)( not|n'?t) exist|not exist|doesn'?t have|not (known|recogni[sz]ed|listed|local|valid|here)|no longer|never existed|is(n't| not) (valid|known|listed|recogni[sz]ed|a (known|valid)|an? active)|invalid|no such|closed|removed|deleted|non-?existent)/i,
  ],
  [
    'mailbox unknown',
    true,
    /\b(unknown|no such|invalid|bad|non-?existent|not a (valid|known)|no) (local |virtual |final |destination |e-?mail )?(user|recipient|mail ?box|account|address|alias|person|addressee|name|local.part)\b|user ?unknown|unrouteable address|unknown local.?part|no (mailbox|account) (here|by that name|with)|recipient address rejected: (access denied|undeliverable|user)|can'?t find (user|mailbox)|does(n't| not) have an? .{0,20}account|(mailbox|user|recipient)[^.;\n]{0,20} not (be )?(found|exist)|delivery to (this|the) .{0,20}address .{0,10}not|resolver\.adr\.(recip)?(ient)?not ?found|not listed in [^.;\n]{0,40}directory|name is not recogni[sz]ed|この宛先|宛先.{0,10}(不明|見つか)|(アドレス|宛先).{0,10}存在しません/i,
  ],
  [
    'domain takes no mail',
    true,
    /null ?mx|does(n't| not) accept (any )?(mail|e-?mail)|no (mx|smtp service)|no mx record|mail (service )?not (accepted|supported) (at|by|for) (this|the) (domain|host)|host does not accept|smtp protocol returned a permanent error 521/i,
  ],
  [
    'name service failed',
    false,
    /name service error(?![^\n]*not found)|(dns|name server)[^.;\n]{0,30}(timed? ?out|temporar|fail)/i,
  ],
  [
    'domain unknown',
    true,
    /(host|domain|hostname|server|machine|site)( name)?( [<"'\w.-]{1,80})?( \([^)]{0,60}\))?\b[^.;\n]{0,30}(unknown|not found|does ?n[o']t exist|non-?existent|no such|unroutable|unrouteable|could not be found|couldn'?t be found|lookup did not)|(unknown|no such|invalid|non-?existent|bad) (host|domain|hostname)\b|nxdomain|name or service not known|domain (is |was )?(not reachable|unreachable)|unrouteable (mail )?domain|domain.{0,20} (may )?not exist|couldn'?t find any host named/i,
  ],
  [
    'mailbox has moved',
    true,
    /(has )?moved( permanently)? to|user has moved|no longer (at|with|works?|employed)|new address is/i,
  ],
  ['too many at once', false, /too many|rate limit|throttl|try again later|quota.*(hour|day)/i],
  [
    'given up',
    false,
    /expired|timed? ?out|time limit|retry (timeout|time)|could not be delivered (for|within)|been in the queue|too long|giving up|delay/i,
  ],
  [
    'no connection',
    false,
    /connection (refused|timed|reset|lost|dropped|closed)|could not connect|unable to connect|network|unreachable|loop|too many hops|no route|deferred/i,
  ],
  ['refused by policy', false, /polic|prohibit|not allowed|not accept|reject|refus|denied|blocked|filter|violat/i],
]

/** Codes that say by themselves that an address is gone; a sentence that says otherwise wins over them. */
const GONE = /^5\.(1\.[12346]|1\.10|4\.4|1\.351)$/
const BY_CODE: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/^5\.1\.(1|3|351)$/, 'mailbox unknown'],
  [/^5\.1\.10$/, 'mailbox unknown or domain takes no mail'],
  [/^5\.(1\.2|4\.4)$/, 'domain unknown'],
  [/^5\.1\.[46]$/, 'mailbox has moved'],
  [/^[45]\.1\.[78]$/, 'sender refused'],
  [/^[45]\.2\.1$/, 'mailbox disabled'],
  [/^[45]\.2\.2$/, 'mailbox full'],
  [/^[45]\.(2\.3|3\.4)$/, 'message too large'],
  [/^[45]\.4\.7$/, 'given up'],
  [/^[45]\.4\./, 'no connection'],
  [/^[45]\.6\./, 'content not accepted'],
  [/^[45]\.7\./, 'refused by policy'],
]

/** Says so much that it is believed also after the message was read, when some providers look for the account. */
const NO_ACCOUNT = /\b(?:user|recipient) does(?:n't| not) have an? [\w.-]+ account/i

/** Judges one recipient of one report. */
export function judge(diagnosis: Diagnosis): Verdict {
  const { status, smtpCode, text, atEndOfData } = unwrapped(diagnosis)
  const sentence = SENTENCES.find(([, , pattern]) => pattern.test(text))
  const temporary =
    status.startsWith('4') || (status === '' && smtpCode !== undefined && smtpCode >= 400 && smtpCode < 500)
  if (temporary) return { gone: false, reason: sentence?.[0] ?? byCode(status) ?? 'given up' }
  const exact = /^5\.[1-7]\.[1-9]/.test(status)
  // A server that took the recipient and spoke up only after the message was read is a filter, whatever it pretends.
  if (atEndOfData && !GONE.test(status) && sentence?.[1] === true && !NO_ACCOUNT.test(text))
    return { gone: false, reason: 'refused by a filter' }
  if (sentence !== undefined) {
    const [reason, gone] = sentence
    // Policy, size and full mailboxes are never the end of an address, whatever the sentence looks like.
    if (gone) return { gone: !/^5\.(2\.[23]|3\.4|1\.[78]|6\.|7\.(?!27$))/.test(status), reason }
    // A general word beside an exact code: the code knows better.
    if (!GONE.test(status) || !/^(refused by policy|no connection|given up|too many)/.test(reason))
      return { gone: false, reason }
  }
  if (exact && GONE.test(status)) return { gone: true, reason: byCode(status) ?? 'mailbox unknown' }
  return { gone: false, reason: byCode(status) ?? 'refused' }
}

/** Some gateways put a reason of their own before the one that they were given: the inner one counts. */
function unwrapped(diagnosis: Diagnosis): Diagnosis {
  const inner = /\b[245]\.\d\.\d - [^'"\n]{3,60} (\d{3})-'([\s\S]*)/.exec(diagnosis.text)
  if (inner === null) return diagnosis
  const [, code, text = ''] = inner
  const status = /^\s*([245]\.\d{1,3}\.\d{1,3})\b/.exec(text)?.[1] ?? diagnosis.status
  return { ...diagnosis, status, smtpCode: Number(code), text }
}

function byCode(status: string): string | undefined {
  return BY_CODE.find(([pattern]) => pattern.test(status))?.[1]
}

const FULL = 'mailbox full'

/** The verdict on one recipient, of an action (RFC 3464 section 2.3.3) and a diagnosis. */
export function diagnose(address: string, action: string, diagnosis: Diagnosis, human: string): RecipientReport {
  const { status, smtpCode } = diagnosis
  const said = { address, enhancedCode: status === '' ? undefined : status, smtpCode }
  if (/^(delivered|relayed|expanded)/.test(action) || status.startsWith('2'))
    return { kind: 'delivered', reason: action || 'delivered', ...said }
  if (action === 'delayed') return { kind: 'soft', reason: 'delayed, still tried', ...said }
  // What was said about this address counts first; the whole text only when that says nothing.
  const first = judge(diagnosis)
  const verdict = first.reason === 'refused' && human !== '' ? judge({ ...diagnosis, text: human }) : first
  // Two stories in one report: the one that leaves hope is believed.
  const alone = verdict.gone && human !== '' && addressesIn(human).length <= 1
  if (alone && judge({ status: '', smtpCode: undefined, text: human }).reason === FULL)
    return { kind: 'soft', reason: FULL, ...said }
  return { kind: verdict.gone ? 'hard' : 'soft', reason: verdict.reason, ...said }
}
