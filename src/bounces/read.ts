/**
 * Reads what comes back: delivery reports (RFC 3464, and the free texts of software that follows no standard), complaints
 * (RFC 5965), automatic answers (RFC 3834) and requests to unsubscribe. Owns what a message says; whether it is
 * believed is decided in `ingest.ts`, by the Message-ID or token that only our own messages carry.
 */
import { decodeWords } from '../message/encoded-words.ts'
import { freeReports, machineReports, outerParts, reportTexts } from './delivery-report.ts'
import { allParts, headerOf, type MimePart, readFieldBlocks, readMime } from './mime.ts'
import type { RecipientReport, Report, ReportKind } from './report.ts'
import { serviceNotices } from './ses.ts'
import { addressesIn } from './text.ts'

const ID = /<[^<>\s]{3,250}>/g

const REPORT_SENDER =
  /mailer-?daemon|postmaster|mail delivery (sub)?system|mdaemon|delivery[- ]?(status|notification|agent)|system administrator|^<>$|bounce|mail ?deliver|symantec|no-?reply.*deliver/i
const REPORT_SUBJECT =
  /undeliver|return(ed|ing) (mail|message|to)|deliver(y|ed|able)?[ :-].*(fail|status|error|problem|report|notification|delay|temporar|incomplete)|fail(ure|ed)?[ :-].*(notice|deliver|notification)|not (be )?delivered|delivery (has )?failed|mail(er)? (system )?(error|failure)|non[- ]?(remis|deliver)|unzustellbar|mail delivery|could not (be|send)|postmaster notify|rejected|warning: (could|message)|unknown (user|recipient)|message delayed|action required|no longer|undelivered|not member|notification d'[eé]tat|failure notice/i

/** Message-IDs that a message answers (RFC 5322 section 3.6.4), the nearest first. */
export function repliedTo(bytes: Uint8Array): readonly string[] {
  const message = readMime(bytes)
  const named = `${headerOf(message, 'in-reply-to')} ${(headerOf(message, 'references').match(ID) ?? []).reverse().join(' ')}`
  return [...new Set(named.match(ID) ?? [])].slice(0, 50)
}

/** Reads one message. An ordinary mail gives an empty list. Never throws; costs no more than its first two megabytes. */
export function readReports(bytes: Uint8Array): readonly Report[] {
  const message = readMime(bytes)
  const parts = allParts(message)
  const deliveredTo = addressesIn(
    ['delivered-to', 'x-original-to', 'envelope-to', 'to'].map((name) => headerOf(message, name)).join(' '),
  )
  const complained = parts.find(({ headers }) => headers.has('x-hmxmroriginalrecipient'))
  if (complained !== undefined) {
    const address = addressesIn(headerOf(complained, 'x-hmxmroriginalrecipient'))[0] ?? ''
    return [{ kind: 'complaint', address, reason: 'complaint', deliveredTo, ...idOf(message, parts) }]
  }
  const feedback = parts.find(({ type }) => type === 'message/feedback-report')
  if (feedback !== undefined) return complaints(message, feedback, parts, deliveredTo)
  const notices = serviceNotices(message)
  if (notices.length > 0) return notices.map((notice) => ({ ...notice, deliveredTo }))
  const automatic = automaticAnswer(message, parts)
  if (automatic !== undefined) return [{ ...automatic, deliveredTo, ...idOf(message, parts) }]
  if (!looksLikeReport(message, parts)) return []
  const outer = outerParts(parts)
  const texts = reportTexts(outer)
  const own = new Set(deliveredTo)
  const machine = machineReports(outer, texts)
  const found = machine.length > 0 ? machine : freeReports(message, texts, own)
  return found.map((report) => ({ ...report, deliveredTo, ...idOf(message, parts) }))
}

function complaints(
  message: MimePart,
  feedback: MimePart,
  parts: readonly MimePart[],
  deliveredTo: readonly string[],
): readonly Report[] {
  const fields = readFieldBlocks(feedback.text)
  const field = (name: string): string => fields.flatMap((block) => block.get(name) ?? []).join(' ')
  const type = field('feedback-type').trim().toLowerCase()
  const original = parts.find((part) => part !== message && part.headers.has('message-id'))
  const named = addressesIn(`${field('original-rcpt-to')} ${field('removal-recipient')}`)
  const addresses =
    named.length > 0
      ? named
      : addressesIn(headerOf(original ?? message, 'to')).filter((to) => !deliveredTo.includes(to))
  const kind: ReportKind =
    type === 'not-spam' ? 'unknown' : type === 'opt-out' || type === 'opt-out-list' ? 'unsubscribe' : 'complaint'
  const reason = type === '' ? 'complaint' : `complaint: ${type.slice(0, 40)}`
  return (addresses.length > 0 ? addresses : ['']).map((address) => ({
    kind,
    address,
    reason,
    deliveredTo,
    ...idOf(message, parts),
  }))
}

/** A holiday note, an acknowledgement, a wish to leave the list. */
function automaticAnswer(message: MimePart, parts: readonly MimePart[]): RecipientReport | undefined {
  if (parts.some(({ type }) => type === 'message/delivery-status')) return undefined
  const from = addressesIn(headerOf(message, 'from'))[0] ?? ''
  const subject = decodeWords(headerOf(message, 'subject')).trim()
  if (/^(re: *)?(unsubscribe|abmelden|d[ée]sabonn\w*|desuscribir\w*|darse de baja|remove( me)?)\b/i.test(subject)) {
    const token = /^\S+\s+([\w-]{20,})$/.exec(subject.replace(/^(re|aw|sv): */i, ''))?.[1]
    return {
      kind: 'unsubscribe',
      address: from,
      reason: 'asked to be unsubscribed',
      unsubscribeToken: token,
    }
  }
  const submitted = headerOf(message, 'auto-submitted').toLowerCase()
  const marked =
    submitted.startsWith('auto-replied') ||
    /auto_?reply|vacation/i.test(
      `${headerOf(message, 'precedence')} ${headerOf(message, 'x-autoreply')} ${headerOf(message, 'x-auto-response-suppress') === '' ? '' : headerOf(message, 'x-autorespond')}`,
    ) ||
    ['x-autoreply', 'x-autorespond', 'x-autoresponse'].some((name) => message.headers.has(name))
  const titled =
    /^(auto(matic|matische|matique)?[ -]?(re(ply|sponse|spuesta)|antwort)|automatische antwort|r[ée]ponse automatique|respuesta autom|out of (the )?office|abwesenheit|on (vacation|holiday)|absence|i am (out|away))/i.test(
      subject,
    )
  if (!(marked || titled) || REPORT_SENDER.test(headerOf(message, 'from'))) return undefined
  return { kind: 'auto_reply', address: from, reason: 'automatic answer' }
}

function looksLikeReport(message: MimePart, parts: readonly MimePart[]): boolean {
  if (parts.some(({ type }) => type === 'message/delivery-status' || type === 'message/global-delivery-status'))
    return true
  if (message.type === 'multipart/report') return true
  if (message.headers.has('x-failed-recipients')) return true
  const sender = REPORT_SENDER.test(headerOf(message, 'from')) || /^<\s*>$/.test(headerOf(message, 'return-path'))
  const subject = REPORT_SUBJECT.test(decodeWords(headerOf(message, 'subject')))
  if (sender && subject) return true
  const said = parts.filter(({ type }) => type.startsWith('text/')).map(({ text }) => text.slice(0, 20_000))
  const states = said.some(
    (text) =>
      /^(final|original)-recipient:.*@/im.test(text) ||
      /\b[45]\d\d[ -][45]\.\d\.\d+/.test(text) ||
      /^Hi\. This is the/im.test(text),
  )
  return (
    sender &&
    (states ||
      said.some((text) =>
        /(could|can|was|were|not be|been) ?n[o']t (be )?(deliver|reach|sen[dt])|undeliver|user unknown|delivery (error|problem|fail)|did not reach the following/i.test(
          text,
        ),
      ))
  )
}

/** Message-ID of the returned message, wherever it is quoted. */
function idOf(message: MimePart, parts: readonly MimePart[]): { messageId: string | undefined } {
  for (const part of parts) {
    if (part === message) continue
    const id = /<[^<>\s]{3,250}>/.exec(headerOf(part, 'message-id'))?.[0]
    if (id !== undefined) return { messageId: id }
  }
  for (const part of parts) {
    const id = /^message-id:\s*(<[^<>\s]{3,250}>)/im.exec(part.text)?.[1]
    if (id !== undefined) return { messageId: id }
  }
  const id = /<[^<>\s]{3,250}>/.exec(`${headerOf(message, 'in-reply-to')} ${headerOf(message, 'references')}`)?.[0]
  return { messageId: id }
}
