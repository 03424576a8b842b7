/**
 * Reads what comes back: delivery reports (RFC 3464, and the free texts of software that knows no better), complaints
 * (RFC 5965), automatic answers (RFC 3834) and requests to unsubscribe. Owns what a message says; whether it is believed
 * is decided where the ledger is at hand, by the Message-ID or token that only our own messages carry.
 */
import { decodeWords } from '../message/encoded-words.ts'
import { type Diagnosis, judge } from './bounce-verdict.ts'
import { allParts, headerOf, type MimePart, readFieldBlocks, readMime } from './mime-tree.ts'

export type ReportKind = 'hard' | 'soft' | 'complaint' | 'auto_reply' | 'delivered' | 'unsubscribe' | 'unknown'

/** What a message says about one recipient. */
export interface Report {
  readonly kind: ReportKind
  /** The recipient reported on, lower-cased; empty when the report names none. */
  readonly address: string
  readonly enhancedCode?: string
  readonly smtpCode?: number
  readonly reason: string
  /** Message-ID of the message that the report is about, with brackets. */
  readonly messageId?: string
  /** Where the report was sent to: a variable envelope return path is recognised by it. */
  readonly deliveredTo: readonly string[]
}

const ADDRESS =
  /[A-Za-z0-9.!#$%&*+/=?^_{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{1,62}/g

/** Where the returned message begins in a report that is not divided into parts. */
const RETURNED =
  /^.{0,20}(-{2,} ?(original message|this is a copy|below this line|the (header|body|original|unsent)|unsent message|message (header|body|follows|text)|returned (message|mail)|forwarded|original mail|undelivered message|copy of|start of|included is|transcript of message)|original message (follows|header|text|-)|received: (from|by)|return-path:|a copy of (the|your) message|the (header|original message|message) (of|follows|that)|(your|the) original message (is|was|follows))/im

const REPORT_SENDER =
  /mailer-?daemon|postmaster|mail delivery (sub)?system|mdaemon|delivery[- ]?(status|notification|agent)|system administrator|^<>$|bounce|mail ?deliver|symantec|no-?reply.*deliver/i
const REPORT_SUBJECT =
  /undeliver|return(ed|ing) (mail|message|to)|deliver(y|ed|able)?[ :-].*(fail|status|error|problem|report|notification|delay|temporar|incomplete)|fail(ure|ed)?[ :-].*(notice|deliver|notification)|not (be )?delivered|delivery (has )?failed|mail(er)? (system )?(error|failure)|non[- ]?(remis|deliver)|unzustellbar|mail delivery|could not (be|send)|postmaster notify|rejected|warning: (could|message)|unknown (user|recipient)|message delayed|action required|no longer|undelivered|not member|notification d'[eé]tat|failure notice/i

/** Reads one message. An ordinary mail gives an empty list. Never throws; costs no more than its first two megabytes. */
export function readReports(octets: Uint8Array): readonly Report[] {
  const message = readMime(octets)
  const parts = allParts(message)
  const deliveredTo = addressesIn(
    ['delivered-to', 'x-original-to', 'envelope-to', 'to'].map((name) => headerOf(message, name)).join(' '),
  )
  if (message.headers.has('x-hmxmroriginalrecipient')) {
    const address = addressesIn(headerOf(message, 'x-hmxmroriginalrecipient'))[0] ?? ''
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

/** The transcript shows that the refusal answered the message, not the recipient. */
const END_OF_DATA = /in reply to end of data|after end of data|>>> data\b(?![\s\S]*>>> rcpt)/i

type Bare = Omit<Report, 'deliveredTo' | 'messageId'>

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

/** Amazon SES tells of bounces and complaints as JSON, mailed by SNS. */
function serviceNotices(message: MimePart): readonly (Bare & { messageId?: string })[] {
  const text = message.text.trim()
  if (!text.startsWith('{"') || !/amazon(aws|ses)\.com/i.test(headerOf(message, 'from'))) return []
  const notice = firstJson(text)
  const kind = String(notice?.notificationType ?? notice?.eventType ?? '')
  const messageId =
    typeof notice?.mail?.messageId === 'string' ? { messageId: `<${notice.mail.messageId}@email.amazonses.com>` } : {}
  const lower = (address: unknown): string => String(address ?? '').toLowerCase()
  if (kind === 'Complaint') {
    return (notice?.complaint?.complainedRecipients ?? []).map(({ emailAddress }) => ({
      kind: 'complaint',
      address: lower(emailAddress),
      reason: 'complaint',
      ...messageId,
    }))
  }
  if (kind === 'Bounce') {
    return (notice?.bounce?.bouncedRecipients ?? []).map((recipient) => ({
      ...report(
        lower(recipient.emailAddress),
        recipient.action ?? '',
        {
          status: recipient.status ?? '',
          smtpCode: smtpCodeOf(recipient.diagnosticCode ?? ''),
          text: recipient.diagnosticCode ?? '',
        },
        '',
      ),
      ...messageId,
    }))
  }
  return (kind === 'Delivery' ? (notice?.delivery?.recipients ?? []) : []).map((address) => ({
    kind: 'delivered',
    address: lower(address),
    reason: 'delivered',
    ...messageId,
  }))
}

/** The fields of an SES notice that are read here; all may be absent or of another type. */
interface SesNotice {
  readonly notificationType?: unknown
  readonly eventType?: unknown
  readonly mail?: { readonly messageId?: unknown }
  readonly complaint?: { readonly complainedRecipients?: readonly { readonly emailAddress?: unknown }[] }
  readonly bounce?: {
    readonly bouncedRecipients?: readonly {
      readonly emailAddress?: unknown
      readonly action?: string
      readonly status?: string
      readonly diagnosticCode?: string
    }[]
  }
  readonly delivery?: { readonly recipients?: readonly unknown[] }
}

/** The JSON object that a text begins with; lines may have been wrapped, and a footer may follow. */
function firstJson(text: string): SesNotice | undefined {
  for (const candidate of [
    text,
    text.split('\n')[0] ?? '',
    text.slice(0, text.lastIndexOf('}\n') + 1),
    text.replaceAll('\n', ''),
  ]) {
    try {
      return JSON.parse(candidate) as SesNotice
    } catch {
      // The next reading may fit.
    }
  }
  return undefined
}

/** A holiday note, an acknowledgement, a wish to leave the list. */
function automaticAnswer(message: MimePart, parts: readonly MimePart[]): Bare | undefined {
  if (parts.some(({ type }) => type === 'message/delivery-status')) return undefined
  const from = addressesIn(headerOf(message, 'from'))[0] ?? ''
  const subject = decodeWords(headerOf(message, 'subject')).trim()
  if (/^(re: *)?(unsubscribe|abmelden|d[ée]sabonn\w*|desuscribir\w*|darse de baja|remove( me)?)\b/i.test(subject)) {
    return { kind: 'unsubscribe', address: from, reason: 'asked to be unsubscribed' }
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

/** The parts of the report itself, without those of the message that it returns. */
function outerParts(parts: readonly MimePart[]): readonly MimePart[] {
  const returned = new Set(
    parts.filter(({ type }) => RETURNED_TYPES.has(type)).flatMap((part) => part.parts.flatMap(allParts)),
  )
  return parts.filter((part) => !returned.has(part))
}

const RETURNED_TYPES: ReadonlySet<string> = new Set(['message/rfc822', 'text/rfc822-headers', 'message/global'])

/** Human text of a report. */
function reportTexts(outer: readonly MimePart[]): readonly string[] {
  return outer
    .filter(({ type, text }) => text.trim() !== '' && (type.startsWith('text/') || type.startsWith('multipart/')))
    .map(({ type, text }) => (type === 'text/html' ? plain(text) : text))
    .map((text) => {
      const at = text.search(RETURNED)
      return at > 0 ? text.slice(0, at) : text
    })
}

/** The blocks that RFC 3464 asks for, also where software forgot to say that they are such. */
function machineReports(parts: readonly MimePart[], texts: readonly string[]): readonly Bare[] {
  const stated = parts
    .filter(({ type }) => type === 'message/delivery-status' || type === 'message/global-delivery-status')
    .map(({ text }) => text)
  const loose =
    stated.length > 0
      ? stated
      : parts.filter(({ text }) => /^(final|original)-recipient:/im.test(text)).map(({ text }) => text)
  const human = texts.join('\n')
  const reports = new Map<string, Bare>()
  for (const fields of loose.flatMap((text) => readFieldBlocks(text))) {
    const field = (name: string): string => (fields.get(name) ?? []).join(' ')
    if (!fields.has('final-recipient') && !fields.has('original-recipient')) continue
    // The address that we wrote to is the original one; forwarding may have put another in its place.
    const address = [field('x-actual-recipient'), field('original-recipient'), field('final-recipient')].flatMap(
      (text) => addressesIn(text),
    )
    const ours =
      addressesIn(field('original-recipient'))[0] ?? addressesIn(field('final-recipient'))[0] ?? address[0] ?? ''
    const action = field('action').trim().toLowerCase()
    const diagnostic = field('diagnostic-code').replace(/^\s*[\w-]+\s*;\s*/, '')
    const status = statusOf(field('status'), diagnostic)
    const smtpCode = smtpCodeOf(diagnostic)
    const about = [
      diagnostic === '' ? field('status') : diagnostic,
      ...address.map((name) => linesAbout(human, name)),
    ].join('\n')
    const text = about.trim() === '' ? human : about
    reports.set(
      `${ours} ${status}`,
      report(ours, action, { status, smtpCode, text, atEndOfData: END_OF_DATA.test(human) }, human),
    )
  }
  return [...reports.values()]
}

function report(address: string, action: string, diagnosis: Diagnosis, human: string): Bare {
  const { status, smtpCode } = diagnosis
  const codes = { ...(status === '' ? {} : { enhancedCode: status }), ...(smtpCode === undefined ? {} : { smtpCode }) }
  if (/^(delivered|relayed|expanded)/.test(action) || status.startsWith('2'))
    return { kind: 'delivered', address, reason: action || 'delivered', ...codes }
  if (action === 'delayed') return { kind: 'soft', address, reason: 'delayed, still tried', ...codes }
  // What was said about this address counts first; the whole text only when that says nothing.
  const first = judge(diagnosis)
  const verdict = first.reason === 'refused' && human !== '' ? judge({ ...diagnosis, text: human }) : first
  return { kind: verdict.gone ? 'hard' : 'soft', address, reason: verdict.reason, ...codes }
}

/** Reports in words only: the addresses named, each judged by what stands next to it. */
function freeReports(message: MimePart, texts: readonly string[], own: ReadonlySet<string>): readonly Bare[] {
  const human = texts.join('\n')
  const failed = addressesIn(headerOf(message, 'x-failed-recipients'))
  const subject = decodeWords(headerOf(message, 'subject'))
  const named =
    failed.length > 0
      ? failed
      : addressesIn(human.replace(/^[\w-]*message-id:.*$/gim, '')).filter(
          (address) => !own.has(address) && !/^(mailer-daemon|postmaster|abuse|helpdesk|support)@/.test(address),
        )
  const judged = new Map<string, Bare>()
  for (const address of named.slice(0, 200)) {
    const about = linesAbout(human, address)
    const text = `${about}\n${named.length === 1 || about.trim() === address ? `${human}\n${subject}` : ''}`
    const status = statusOf('', text)
    const smtpCode = smtpCodeOf(text)
    if (!judged.has(address))
      judged.set(
        address,
        report(address, '', { status, smtpCode, text: about, atEndOfData: END_OF_DATA.test(text) }, text),
      )
  }
  if (judged.size > 0) return [...judged.values()]
  if (human.trim() === '') return []
  const verdict = judge({ status: statusOf('', human), smtpCode: smtpCodeOf(human), text: `${subject}\n${human}` })
  return [{ kind: verdict.gone ? 'hard' : 'soft', address: '', reason: verdict.reason }]
}

/** The lines that name an address, each with the few that explain it, up to the next address. */
function linesAbout(text: string, address: string): string {
  const lines = text.split('\n')
  const about: string[] = []
  for (const [index, line] of lines.entries()) {
    if (!line.toLowerCase().includes(address)) continue
    if (/^\s*(to|from|cc|sender|message-id|references):/i.test(line)) continue
    about.push(line)
    for (const next of lines.slice(index + 1, index + 7)) {
      const other = addressesIn(next)
      if (other.some((name) => name !== address) && other.length > 0 && !other.includes(address)) break
      about.push(next)
    }
    if (about.length > 60) break
  }
  return about.join('\n')
}

function statusOf(field: string, text: string): string {
  const own = /\b([245]\.\d{1,3}\.\d{1,3})\b/.exec(field)?.[1] ?? ''
  const said = /(?:^|[\s#(:<-])([245]\.\d{1,3}\.\d{1,3})(?![\d.])/.exec(text)?.[1] ?? ''
  // A class of its own (5.0.0) is worth less than what the server itself said.
  if (own === '' || (/^[45]\.0\.0$/.test(own) && said !== '' && said[0] === own[0])) return said || own
  return own
}

function smtpCodeOf(text: string): number | undefined {
  const code = /(?:^|[\s:(<>"'-])([2-5][0-5]\d)(?=[\s:.\-#)])/.exec(text)?.[1]
  return code === undefined ? undefined : Number(code)
}

/** Message-ID of the returned message, wherever it is quoted. */
function idOf(message: MimePart, parts: readonly MimePart[]): { messageId?: string } {
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
  return id === undefined ? {} : { messageId: id }
}

function addressesIn(text: string): readonly string[] {
  return [...new Set([...text.slice(0, 100_000).matchAll(ADDRESS)].map(([address]) => address.toLowerCase()))]
}

function plain(html: string): string {
  return html
    .replace(/<(style|script)\b[\s\S]{0,50000}?<\/\1>/gi, ' ')
    .replace(/<(br|p|div|tr|li|h\d)\b[^>]{0,500}>/gi, '\n')
    .replace(/<[^>]{0,500}>/g, '')
    .replace(/&nbsp;/g, ' ')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&#0*39;|&apos;/g, "'")
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, '&')
}
