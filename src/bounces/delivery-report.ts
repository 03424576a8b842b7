/**
 * What a delivery report says of each recipient: the fields of RFC 3464 where it has them, else its sentences. Owns the way
 * from a report's parts to its recipients; whether a message is a report is decided in `read.ts`.
 */
import { decodeWords } from '../message/encoded-words.ts'
import { diagnose, judge, unwrapped } from './classify.ts'
import { allParts, headerOf, type MimePart, readFieldBlocks } from './mime.ts'
import type { RecipientReport } from './report.ts'
import { addressesIn, htmlWords, smtpCodeOf, statusOf } from './text.ts'

/** Where the returned message begins in a report that is not divided into parts. */
const RETURNED =
  /^.{0,20}(-{2,} ?(original message|this is a copy|below this line|the (header|body|original|unsent)|unsent message|message (header|body|follows|text)|returned (message|mail)|forwarded|original mail|undelivered message|copy of|start of|included is|transcript of message)|original message (follows|header|text|-)|received: (from|by)|return-path:|a copy of (the|your)( original)? (message|mail)|the (header|original message|message) (of|follows|that)|(your|the) original message (is|was(?! received)|follows))/im

/** The transcript shows that the refusal answered the message, not the recipient. */
const AFTER_DATA = /in reply to end of data|after end of data|smtp command[ \t]{0,20}\n{1,3}[ \t]{0,20}data\b/i
/** Commands went in one group, and what answered DATA only says that the recipient was refused before (RFC 2920). */
const NO_RECIPIENT_LEFT = /no valid recipients/i

function isAfterData(text: string): boolean {
  return (AFTER_DATA.test(text) || endsWithData(text.toLowerCase())) && !NO_RECIPIENT_LEFT.test(text)
}

/** A transcript whose last command for the message was DATA. */
function endsWithData(transcript: string): boolean {
  const data = transcript.lastIndexOf('>>> data')
  return data >= 0 && transcript.indexOf('>>> rcpt', data) < 0
}

/** The parts of the report itself, without those of the message that it returns. */
export function outerParts(parts: readonly MimePart[]): readonly MimePart[] {
  const returned = new Set(
    parts.filter(({ type }) => RETURNED_TYPES.has(type)).flatMap((part) => part.parts.flatMap(allParts)),
  )
  return parts.filter((part) => !returned.has(part))
}

const RETURNED_TYPES: ReadonlySet<string> = new Set(['message/rfc822', 'text/rfc822-headers', 'message/global'])

/** Characters of the human text that are read. */
const MAX_TEXT = 100_000

/** Human text of a report. */
export function reportTexts(outer: readonly MimePart[]): readonly string[] {
  return outer
    .filter(({ type, text }) => text.trim() !== '' && (type.startsWith('text/') || type.startsWith('multipart/')))
    .map(({ type, text }) => (type === 'text/html' ? htmlWords(text) : text))
    .map((text) => text.slice(0, MAX_TEXT))
    .map((text) => {
      const at = text.search(RETURNED)
      return at > 0 ? text.slice(0, at) : text
    })
}

/** The blocks that RFC 3464 asks for, also where software forgot to say that they are such. */
export function machineReports(parts: readonly MimePart[], texts: readonly string[]): readonly RecipientReport[] {
  const stated = parts
    .filter(({ type }) => type === 'message/delivery-status' || type === 'message/global-delivery-status')
    .map(({ text }) => text)
  const loose =
    stated.length > 0
      ? stated
      : parts.filter(({ text }) => /^(final|original)-recipient:/im.test(text)).map(({ text }) => text)
  const human = texts.join('\n')
  const reports = new Map<string, RecipientReport>()
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
    const diagnostic = field('diagnostic-code').replace(/^[\w-]{1,40}[ \t]{0,10};\s*/, '')
    const explained = address.map((name) => linesAbout(human, name)).join('\n')
    // Codes are the server's own, of the innermost answer; where it is not quoted, of the line beside the address.
    const answer = unwrapped({ status: '', smtpCode: undefined, text: diagnostic === '' ? explained : diagnostic })
    const status = statusOf(
      field('status'),
      answer.status === '' || answer.status.endsWith('.0.0') ? answer.text : answer.status,
    )
    const smtpCode = answer.smtpCode ?? smtpCodeOf(answer.text)
    const about = `${diagnostic === '' ? field('status') : diagnostic}\n${explained}`
    const text = about.trim() === '' ? human : about
    const originalRecipient = addressesIn(field('original-recipient'))[0]
    reports.set(`${ours} ${status}`, {
      ...diagnose(ours, action, { status, smtpCode, text, atEndOfData: isAfterData(human) }, human),
      originalRecipient,
    })
  }
  return [...reports.values()]
}

/** Reports in words only: the addresses named, each judged by what stands next to it. */
export function freeReports(
  message: MimePart,
  texts: readonly string[],
  own: ReadonlySet<string>,
): readonly RecipientReport[] {
  const human = texts.join('\n')
  const failed = addressesIn(headerOf(message, 'x-failed-recipients'))
  const subject = decodeWords(headerOf(message, 'subject'))
  const named =
    failed.length > 0
      ? failed
      : addressesIn(human.replace(/^[\w-]*message-id:.*$/gim, '')).filter(
          (address) => !own.has(address) && (!ROLE.test(address) || hasCode(human, address)),
        )
  const judged = new Map<string, RecipientReport>()
  for (const address of named.slice(0, 200)) {
    const about = linesAbout(human, address)
    const text = `${about}\n${named.length === 1 || about.trim() === address ? `${human}\n${subject}` : ''}`
    const status = statusOf('', text)
    const smtpCode = smtpCodeOf(text)
    if (!judged.has(address))
      judged.set(
        address,
        diagnose(address, '', { status, smtpCode, text: about, atEndOfData: isAfterData(text) }, text),
      )
  }
  if (judged.size > 0) {
    const isDelay = STILL_TRIED.test(human)
    return [...judged.values()].map((one) => (isDelay && one.kind === 'soft' ? { ...one, isDelay } : one))
  }
  if (human.trim() === '') return []
  const verdict = judge({ status: statusOf('', human), smtpCode: smtpCodeOf(human), text: `${subject}\n${human}` })
  const status = statusOf('', human)
  return [
    {
      kind: verdict.gone ? 'hard' : 'soft',
      address: '',
      reason: verdict.reason,
      enhancedCode: status === '' ? undefined : status,
      smtpCode: smtpCodeOf(human),
    },
  ]
}

/** Addresses that are usually named as a contact. */
const ROLE = /^(mailer-daemon|postmaster|abuse|helpdesk|support)@/

/** True when a code stands in a line with the address: the line is about it. */
function hasCode(text: string, address: string): boolean {
  return text
    .split('\n')
    .some((line) => line.toLowerCase().includes(address) && /\b[45]\d\d\b|\b[45]\.\d\.\d/.test(line))
}

/** A report that says in words that the message is still tried. */
const STILL_TRIED =
  /\b(will (be )?(keep|continue|retry|retried|try)|still (being )?(trying|tried)|no action is required|warning message only|do not need to resend)/i

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
