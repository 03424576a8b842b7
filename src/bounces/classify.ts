/**
 * What a delivery report says of an address: gone for good, or only this time. Owns which causes of `replies/cause.ts` mean that
 * an address is gone; pure. When in doubt an address is kept, because a person struck off by mistake hears nothing more.
 */
import {
  CAUSE_WORDS,
  causeOfCode,
  causeOfSentence,
  isGeneral,
  type ReplyCause,
  withoutAddresses,
} from '../replies/cause.ts'
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

/** Causes of an address that cannot receive mail at all. */
const GONE_CAUSES: ReadonlySet<ReplyCause> = new Set([
  'mailbox-unknown',
  'mailbox-moved',
  'domain-unknown',
  'domain-takes-no-mail',
])
/** Codes that say by themselves that an address is gone; a sentence that says otherwise wins over them. */
const GONE_CODE = /^5\.(1\.[12346]|1\.10|4\.4|1\.351)$/
/** Says enough to be believed even after the message was read, when some providers look for the account. */
const NO_ACCOUNT = /\b(?:user|recipient) does(?:n't| not) have an? [\w.-]+ account/i

/** Judges one recipient of one report. */
export function judge(diagnosis: Diagnosis): Verdict {
  const { status, smtpCode, text: said, atEndOfData } = unwrapped(diagnosis)
  const text = bounded(said)
  const sentence = causeOfSentence(withoutAddresses(text))
  const byCode = status === '' ? undefined : causeOfCode(status)
  const temporary =
    status.startsWith('4') || (status === '' && smtpCode !== undefined && smtpCode >= 400 && smtpCode < 500)
  const words = sentence === undefined ? undefined : CAUSE_WORDS[sentence]
  if (temporary) return { gone: false, reason: words ?? byCode?.words ?? CAUSE_WORDS['given-up'] }
  const gone = sentence !== undefined && GONE_CAUSES.has(sentence)
  // A server that took the recipient and spoke up only after the message was read is a filter, whatever it pretends.
  if (atEndOfData && !GONE_CODE.test(status) && gone && !NO_ACCOUNT.test(text))
    return { gone: false, reason: 'refused by a filter' }
  if (sentence !== undefined && words !== undefined) {
    // Policy, size and full mailboxes are never the end of an address, whatever the sentence looks like.
    if (gone) {
      const otherwise = /^5\.(2\.[23]|3\.4|1\.[78]|6\.|7\.(?!27$))/.test(status)
      return { gone: !otherwise, reason: (otherwise && byCode?.words) || words }
    }
    // A general word beside an exact code: the code is worth more.
    if (!GONE_CODE.test(status) || !isGeneral(sentence)) return { gone: false, reason: words }
  }
  if (GONE_CODE.test(status)) return { gone: true, reason: byCode?.words ?? CAUSE_WORDS['mailbox-unknown'] }
  return { gone: false, reason: byCode?.words ?? REFUSED }
}

/** Characters of a text that are judged; no explanation is longer. */
const MAX_TEXT = 20_000

/** A text that costs little to search: folded lines joined, endless words and blanks cut. */
function bounded(text: string): string {
  return text
    .slice(0, MAX_TEXT)
    .replace(/\S{300,}/g, (word) => word.slice(0, 300))
    .replace(/[ \t]{2,}/g, ' ')
    .replace(/\n (?=\S)/g, ' ')
}

/** Neither code nor sentence said why. */
const REFUSED = 'refused'

/** Some gateways put a reason of their own before the one that they were given: the inner one counts. */
export function unwrapped(diagnosis: Diagnosis): Diagnosis {
  const inner = /\b[245]\.\d\.\d - [^'"\n]{3,60} (\d{3})-'([\s\S]*)/.exec(diagnosis.text)
  if (inner === null) return diagnosis
  const [, code, text = ''] = inner
  const status = /^\s*([245]\.\d{1,3}\.\d{1,3})\b/.exec(text)?.[1] ?? diagnosis.status
  return { ...diagnosis, status, smtpCode: Number(code), text }
}

/** Stories that leave hope. */
const HOPEFUL: ReadonlySet<string> = new Set([CAUSE_WORDS['mailbox-full'], CAUSE_WORDS['mailbox-disabled']])

/** The verdict on one recipient, of an action (RFC 3464 section 2.3.3) and a diagnosis. */
export function diagnose(address: string, action: string, diagnosis: Diagnosis, human: string): RecipientReport {
  const { status, smtpCode } = diagnosis
  const said = { address, enhancedCode: status === '' ? undefined : status, smtpCode }
  if (/^(delivered|relayed|expanded)/.test(action) || status.startsWith('2'))
    return { kind: 'delivered', reason: action || 'delivered', ...said }
  if (action === 'delayed') return { kind: 'soft', reason: 'delayed, still tried', isDelay: true, ...said }
  // What was said about this address counts first; the whole text only when that says nothing.
  const first = judge(diagnosis)
  const verdict = first.reason === REFUSED && human !== '' ? judge({ ...diagnosis, text: human }) : first
  // Two stories in one report: the one that leaves hope is believed.
  const alone = verdict.gone && human !== '' && addressesIn(human).length <= 1
  const other = alone ? judge({ status: '', smtpCode: undefined, text: human }).reason : ''
  if (HOPEFUL.has(other)) return { kind: 'soft', reason: other, ...said }
  return { kind: verdict.gone ? 'hard' : 'soft', reason: verdict.reason, ...said }
}
