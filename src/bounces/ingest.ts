/**
 * What follows from what came back: reports are matched to messages of ours, kept in the ledger, and addresses that
 * bounced, complained or left are suppressed. Owns who is believed: only a report that carries a token which our own
 * messages alone carry changes anything.
 */
import { hash } from 'node:crypto'
import { restoreRow } from '../campaign/plan/row-data.ts'
import type { FeedbackKind, MessageFeedback, SentMessage } from '../ledger/feedback.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Suppression, SuppressionReason } from '../ledger/records.ts'
import { normalizeAddress } from '../message/address/address.ts'
import { returnedToken } from '../return-path.ts'
import { suppressionOf } from '../unsubscribe/suppression-list.ts'
import type { UnsubscribeTarget } from '../unsubscribe/token.ts'
import type { InboundMessage } from './mailbox.ts'
import type { InboundContents } from './read.ts'
import type { Report } from './report.ts'

export interface IngestOptions {
  readonly ledger: Ledger
  /** What a message says; undefined for one that takes too long to read. */
  readonly read: (bytes: Uint8Array) => Promise<InboundContents | undefined>
  /** Return path of our messages, `bounces+*@example.org`, where each has its own. */
  readonly returnPath: string | undefined
  /** Soft bounces within `softDays` after which an address is suppressed; 0 for never. */
  readonly softLimit: number
  readonly softDays: number
  /** Opens the token of an unsubscribe mail. */
  readonly openToken: (token: string) => UnsubscribeTarget | undefined
  /** Campaign group that those leave who ask without a token, in answer to a message. Default: the campaign. */
  readonly group: string | undefined
  readonly now: Date
}

/**
 * What became of one report: `foreign` is about no message of this ledger and changed nothing; `unread` is a message that takes
 * too long to read.
 */
export type IngestOutcome = 'suppressed' | 'recorded' | 'known' | 'foreign' | 'unread'

export interface IngestedReport {
  readonly inbound: InboundMessage
  /** Undefined for a person's answer, and for a message that was not read. */
  readonly report: Report | undefined
  readonly outcome: IngestOutcome
  readonly message: SentMessage | undefined
}

/** One report of an inbound message, and the message of ours that it is about. */
interface Matched {
  readonly inbound: InboundMessage
  readonly report: Report | undefined
  readonly kind: FeedbackKind | 'unknown'
  readonly reason: string
  readonly message: SentMessage | undefined
  readonly target: UnsubscribeTarget | undefined
  /** The copy that the report is about, and not the recipient. */
  readonly copy: string | undefined
}

/** Letters taken in at once: one search in the ledger for all of them. */
export const INGEST_BATCH = 200

/**
 * Records what the messages report. When it resolves all is durable; a message given again changes nothing.
 * Suppressions are recorded first, so that a crash in between leaves them and takes the report again.
 */
export async function ingest(
  messages: readonly InboundMessage[],
  options: IngestOptions,
): Promise<readonly IngestedReport[]> {
  const { ledger, now } = options
  const { matched, unread } = await match(messages, options)
  const wanted = new Map<Matched, Suppression>()
  for (const one of matched) {
    const entry = suppressionFor(one, options)
    if (entry !== undefined) wanted.set(one, entry)
  }
  if (wanted.size > 0) await ledger.suppressions.add([...wanted.values()])
  const feedback = new Map<Matched, MessageFeedback>()
  for (const one of matched) {
    const { message, kind, reason, inbound } = one
    // A copy's bounce says nothing of the row, and a delay says nothing yet.
    if (message === undefined || kind === 'unknown' || one.copy !== undefined || one.report?.isDelay) continue
    const fingerprint = hash('sha256', `${hash('sha256', inbound.bytes)}\n${message.recipient}\n${kind}`)
    const { recipient } = message
    feedback.set(one, { fingerprint, recipient, person: personOf(message), kind, at: now, reason })
  }
  const fresh = feedback.size === 0 ? new Set<string>() : await ledger.feedback.add([...feedback.values()])
  const exhausted = await suppressAfterSoftBounces(matched, feedback, options)
  const ingested = matched.map((one): IngestedReport => {
    const { inbound, report, message, target } = one
    const about = { inbound, report, message }
    if (message === undefined && target === undefined) return { ...about, outcome: 'foreign' }
    const own = feedback.get(one)
    if (own !== undefined && !fresh.has(own.fingerprint)) return { ...about, outcome: 'known' }
    return { ...about, outcome: wanted.has(one) || exhausted.has(one) ? 'suppressed' : 'recorded' }
  })
  const left = unread.map((inbound): IngestedReport => {
    return { inbound, report: undefined, message: undefined, outcome: 'unread' }
  })
  return [...ingested, ...left]
}

/** What an inbound message says, and the tokens that may name the message it is about. */
interface ParsedMessage {
  readonly inbound: InboundMessage
  readonly report: Report | undefined
  readonly tokens: readonly string[]
}

/** What an inbound message says that may concern us. */
function parsedOf(
  inbound: InboundMessage,
  { reports, unmarked, repliedTo }: InboundContents,
  options: IngestOptions,
): readonly ParsedMessage[] {
  if (reports.length > 0) return reports.map((report) => ({ inbound, report, tokens: tokensOf(report, options) }))
  if (unmarked !== undefined && returnedTokens(unmarked, options).length > 0) {
    return [{ inbound, report: unmarked, tokens: tokensOf(unmarked, options) }]
  }
  const tokens = repliedTo.map(leftSide)
  return tokens.length === 0 ? [] : [{ inbound, report: undefined, tokens }]
}

/** Reads the inbound messages and finds those of ours that they are about. */
async function match(messages: readonly InboundMessage[], options: IngestOptions) {
  const parsed: ParsedMessage[] = []
  const unread: InboundMessage[] = []
  for (const inbound of messages) {
    const contents = await options.read(inbound.bytes)
    if (contents === undefined) unread.push(inbound)
    else parsed.push(...parsedOf(inbound, contents, options))
  }
  const found = await options.ledger.feedback.findMessages([...new Set(parsed.flatMap(({ tokens }) => tokens))])
  const matched = parsed.flatMap((one): readonly Matched[] => {
    const message = one.tokens.map((token) => found.get(token)).find((known) => known !== undefined)
    const { inbound, report } = one
    if (report === undefined)
      return message === undefined
        ? []
        : [{ inbound, report, kind: 'reply', reason: 'answered', message, target: undefined, copy: undefined }]
    const { kind, reason, unsubscribeToken } = report
    const target = unsubscribeToken === undefined ? undefined : options.openToken(unsubscribeToken)
    const about = message === undefined ? undefined : whoseReport(report, message)
    if (about === 'unclear') return [{ inbound, report, kind: 'unknown', reason, target, message, copy: undefined }]
    return [{ inbound, report, kind, reason, target, message, copy: about?.copy }]
  })
  return { matched, unread }
}

/** What may name our message: the id of the returned one, or our own return path that the report came to. */
function tokensOf(report: Report, options: IngestOptions): readonly string[] {
  const { messageId } = report
  return [...(messageId === undefined ? [] : [leftSide(messageId)]), ...returnedTokens(report, options)]
}

/** Tokens of our return paths that a report came to or quotes. */
function returnedTokens({ deliveredTo }: Report, { returnPath }: IngestOptions): readonly string[] {
  if (returnPath === undefined) return []
  return deliveredTo.map((address) => returnedToken(address, returnPath)).filter((token) => token !== undefined)
}

/** Reports that speak of one mailbox, which may be that of a copy. */
const OF_A_MAILBOX: ReadonlySet<Report['kind']> = new Set(['hard', 'soft', 'complaint', 'delivered', 'auto_reply'])

/**
 * Whom a report is about: the recipient or one of the copies (cc, bcc), by the address that it says we wrote to, else by the one
 * that failed. An address that is neither may be forwarded to: by the recipient where there are no copies; else it is unclear by
 * whom, and nobody is struck off for a bounce.
 */
function whoseReport(
  { kind, address, originalRecipient, returnedTo = [] }: Report,
  message: SentMessage,
): { readonly copy: string | undefined } | 'unclear' {
  const recipient = { copy: undefined }
  if (!OF_A_MAILBOX.has(kind)) return recipient
  const own = normalizeAddress(message.address)
  const copies = restoreRow(message.data).copies?.map(normalizeAddress) ?? []
  const named = [originalRecipient ?? '', address].filter((one) => one !== '').map(normalizeAddress)
  if (named.includes(own)) return recipient
  const unclear = copies.length > 0 && (kind === 'hard' || kind === 'soft') ? 'unclear' : recipient
  const [reported] = named
  if (reported === undefined) return unclear
  const copy = named.find((one) => copies.includes(one))
  if (copy !== undefined) return { copy }
  const isCopy =
    originalRecipient !== undefined || returnedTo.includes(reported) || message.data.toLowerCase().includes(reported)
  return isCopy ? { copy: reported } : unclear
}

function leftSide(messageId: string): string {
  return messageId.slice(1).split('@', 1)[0] ?? ''
}

function personOf({ address }: SentMessage): string {
  return hash('sha256', normalizeAddress(address))
}

const REASONS: Partial<Readonly<Record<FeedbackKind, SuppressionReason>>> = {
  hard: 'hard_bounce',
  complaint: 'complaint',
  unsubscribe: 'unsubscribed',
}

/** A dead mailbox and a complaint hold for everything that we send; who leaves, leaves a group. */
function suppressionFor(
  { kind, reason, message, target, copy }: Matched,
  options: IngestOptions,
): Suppression | undefined {
  const addedAt = options.now
  if (target !== undefined) {
    const note = 'by mail'
    return suppressionOf(normalizeAddress(target.address), {
      group: target.group,
      reason: 'unsubscribed',
      note,
      addedAt,
    })
  }
  const why = kind === 'unknown' ? undefined : REASONS[kind]
  if (message === undefined || why === undefined) return undefined
  const group = kind === 'unsubscribe' ? (options.group ?? message.campaign) : ''
  return suppressionOf(normalizeAddress(copy ?? message.address), { group, reason: why, note: reason, addedAt })
}

/** Suppresses those whose soft bounces have become too many. Also on reports known before, should a crash have come between. */
async function suppressAfterSoftBounces(
  matched: readonly Matched[],
  feedback: ReadonlyMap<Matched, MessageFeedback>,
  options: IngestOptions,
): Promise<ReadonlySet<Matched>> {
  const { ledger, softLimit, softDays, now } = options
  const exhausted = new Set<Matched>()
  if (softLimit === 0) return exhausted
  const since = new Date(now.getTime() - softDays * 86_400_000)
  for (const one of matched) {
    if (!feedback.has(one) || one.kind !== 'soft' || one.message === undefined) continue
    const count = await ledger.feedback.softBounces(personOf(one.message), since)
    if (count < softLimit) continue
    exhausted.add(one)
    const note = `${count} soft bounces in ${softDays} days, the last: ${one.reason}`
    const address = normalizeAddress(one.message.address)
    await ledger.suppressions.add([suppressionOf(address, { group: '', reason: 'soft_bounces', note, addedAt: now })])
  }
  return exhausted
}
