/**
 * Reads what comes back: delivery reports (RFC 3464, and the free texts of software that follows no standard), complaints
 * (RFC 5965), automatic answers (RFC 3834) and requests to unsubscribe. Owns what a message says; whether it is
 * believed is decided in `ingest.ts`, by the Message-ID or token that only our own messages carry.
 */
import { decodeWords } from '../message/encoded-words.ts'
import { automaticAnswer, readReceipt, unsubscribeWish } from './answers.ts'
import { freeReports, machineReports, outerParts, reportTexts } from './delivery-report.ts'
import { allParts, headerOf, type MimePart, readFieldBlocks, readMime } from './mime.ts'
import type { RecipientReport, Report, ReportKind } from './report.ts'
import { serviceNotices } from './ses.ts'
import { addressesIn } from './text.ts'

const ID = /<[^<>\s]{3,250}>/g

/** Characters of a header that are searched. */
const MAX_HEADER = 1000

const REPORT_SENDER =
  /mailer-?daemon|postmaster|mail delivery (sub)?system|mdaemon|delivery[- ]?(status|notification|agent)|system administrator|^<>$|bounce|mail ?deliver|symantec|no-?reply.{0,80}deliver|post[-_]master|ndr administrator/i
const REPORT_SUBJECT =
  /undeliver|return(ed|ing) (mail|message|to)|deliver(y|ed|able)?[ :-].{0,80}(fail|status|error|problem|report|notification|delay|temporar|incomplete)|fail(ure|ed)?[ :-].{0,80}(notice|deliver|notification)|not (be )?delivered|delivery (has )?failed|mail(er)? (system )?(error|failure)|non[- ]?(remis|deliver)|unzustellbar|mail delivery|could not (be|send)|postmaster notify|rejected|warning: (could|message)|unknown (user|recipient)|message delayed|action required|no longer|undelivered|not member|notification d'[eé]tat|failure notice/i

/** Everything that a message may mean for us. */
export interface InboundContents {
  readonly reports: readonly Report[]
  /** What a message of the empty sender says that has none of the known forms. */
  readonly unmarked: Report | undefined
  /** Message-IDs that it answers, the nearest first. */
  readonly repliedTo: readonly string[]
}

/** Reads one message in every way. Never throws; costs no more than its first two megabytes. */
export function readInbound(bytes: Uint8Array): InboundContents {
  const message = readMime(bytes)
  const reports = readParts(message)
  if (reports.length > 0) return { reports, unmarked: undefined, repliedTo: [] }
  return { reports, unmarked: nullSenderReport(message), repliedTo: repliedTo(message) }
}

/** Message-IDs that a message answers (RFC 5322 section 3.6.4), the nearest first. */
function repliedTo(message: MimePart): readonly string[] {
  const named = `${headerOf(message, 'in-reply-to')} ${(headerOf(message, 'references').match(ID) ?? []).reverse().join(' ')}`
  return [...new Set(named.match(ID) ?? [])].slice(0, 50)
}

/** What a message reports; an ordinary mail reports nothing. */
function readParts(message: MimePart): readonly Report[] {
  const parts = allParts(message)
  const deliveredTo = deliveryAddresses(message)
  const complained = parts.find(({ headers }) => headers.has('x-hmxmroriginalrecipient'))
  if (complained !== undefined) {
    const address = addressesIn(headerOf(complained, 'x-hmxmroriginalrecipient'))[0] ?? ''
    return [{ kind: 'complaint', address, reason: 'complaint', deliveredTo, ...idOf(message, parts) }]
  }
  const feedback = parts.find(({ type }) => type === 'message/feedback-report')
  if (feedback !== undefined) return complaints(message, feedback, parts, deliveredTo)
  const notices = serviceNotices(message)
  if (notices.length > 0) return notices.map((notice) => ({ ...notice, deliveredTo }))
  const receipt = readReceipt(message, parts)
  if (receipt !== undefined) return [{ ...receipt, deliveredTo, ...idOf(message, parts) }]
  if (mayBeAnswer(message, parts)) {
    const answer = unsubscribeWish(message, parts) ?? automaticAnswer(message, parts)
    if (answer !== undefined) return [{ ...answer, deliveredTo, ...idOf(message, parts) }]
  }
  if (!looksLikeReport(message, parts)) return []
  const outer = outerParts(parts)
  const wrapped = wrappedReport(message, outer)
  if (wrapped !== undefined) return readParts(wrapped)
  const texts = reportTexts(outer)
  // X-Original-To is not among them: dma puts the recipient that failed there.
  const own = new Set(
    addressesIn(['delivered-to', 'envelope-to', 'to'].map((name) => headerOf(message, name)).join(' ')),
  )
  const machine = machineReports(outer, texts)
  const found = machine.length > 0 ? machine : freeReports(message, texts, own)
  const returnedTo = returnedRecipients(message, parts)
  return found.map((report) => ({ ...report, deliveredTo, returnedTo, ...idOf(message, parts) }))
}

/** Where a message was delivered to. */
function deliveryAddresses(message: MimePart): readonly string[] {
  return addressesIn(
    ['delivered-to', 'x-original-to', 'envelope-to', 'to'].map((name) => headerOf(message, name)).join(' '),
  )
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
    deliveredTo: [...deliveredTo, ...addressesIn(field('original-mail-from')), ...returnPaths(message, parts)],
    ...idOf(message, parts),
  }))
}

/** True when neither its form nor its sender says that the message is a delivery report. */
function mayBeAnswer(message: MimePart, parts: readonly MimePart[]): boolean {
  if (parts.some(({ type }) => STATUS_TYPES.has(type))) return false
  return !REPORT_SENDER.test(headerOf(message, 'from').slice(0, MAX_HEADER))
}

const STATUS_TYPES: ReadonlySet<string> = new Set(['message/delivery-status', 'message/global-delivery-status'])

function looksLikeReport(message: MimePart, parts: readonly MimePart[]): boolean {
  if (parts.some(({ type }) => STATUS_TYPES.has(type))) return true
  if (message.type === 'multipart/report') return true
  if (message.headers.has('x-failed-recipients')) return true
  const sender = isReportSender(message)
  const subject = REPORT_SUBJECT.test(decodeWords(headerOf(message, 'subject')).slice(0, MAX_HEADER))
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
        /(could|can|was|were|not be|been) ?n[o']t (be )?(deliver|reach|sen[dt])|undeliver|user unknown|delivery (error|problem|fail)|did not reach the following|no such user|invalid user address/i.test(
          text,
        ),
      ))
  )
}

/** A report that a gateway put into a message of its own; one that a person forwarded is none. */
function wrappedReport(message: MimePart, outer: readonly MimePart[]): MimePart | undefined {
  if (!isReportSender(message) || outer.some(({ type }) => STATUS_TYPES.has(type))) return undefined
  const inner = outer.filter(({ type }) => type === 'message/rfc822').flatMap(({ parts }) => parts)
  return inner.find((part) => part.parts.some(({ type }) => STATUS_TYPES.has(type)))
}

function isReportSender(message: MimePart): boolean {
  return REPORT_SENDER.test(headerOf(message, 'from').slice(0, MAX_HEADER)) || hasNullSender(message)
}

/** True for a message that nobody is to answer (RFC 5321 section 4.5.5). */
function hasNullSender(message: MimePart): boolean {
  return /^<\s*>$/.test(headerOf(message, 'return-path'))
}

/** Return paths of the message that a complaint returns. */
function returnPaths(message: MimePart, parts: readonly MimePart[]): readonly string[] {
  const returned = parts.filter((part) => part !== message)
  return addressesIn(
    returned.flatMap((part) => ['return-path', 'x-envelope-from'].map((name) => headerOf(part, name))).join(' '),
  )
}

/** To whom the returned message says that it went. */
function returnedRecipients(message: MimePart, parts: readonly MimePart[]): readonly string[] {
  const returned = parts.find((part) => part !== message && part.headers.has('message-id'))
  if (returned === undefined) return []
  return addressesIn(['to', 'cc'].map((name) => headerOf(returned, name)).join(' '))
}

/**
 * A message of the empty sender that is neither a report in a known form nor a marked answer: what it says, as far as its
 * words can be read. For messages that came to the return path of one of ours.
 */
function nullSenderReport(message: MimePart): Report | undefined {
  if (!hasNullSender(message)) return undefined
  const parts = allParts(message)
  const [first] = freeReports(message, reportTexts(outerParts(parts)), new Set())
  const report: RecipientReport = first ?? { kind: 'unknown', address: '', reason: 'a report that cannot be read' }
  // Words alone may be anybody's: they strike nobody off.
  const isSure = report.enhancedCode !== undefined || report.smtpCode !== undefined
  const kind = report.kind === 'hard' && !isSure ? 'soft' : report.kind
  return { ...report, kind, deliveredTo: deliveryAddresses(message), ...idOf(message, parts) }
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
