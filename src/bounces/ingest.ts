/**
 * What follows from what came back: reports are matched to messages of ours, kept in the ledger, and addresses that
 * bounced, complained or left are suppressed. Owns who is believed: only a report that carries a token which our own
 * messages alone carry changes anything.
 */
import { hash } from 'node:crypto'
import type { Feedback, FeedbackKind, SentMessage } from '../ledger/feedback.ts'
import type { Ledger, Suppression, SuppressionReason } from '../ledger/ledger.ts'
import { normalizeAddress } from '../message/address/mailbox.ts'
import { returnedToken } from '../return-path.ts'
import { suppressionOf } from '../unsubscribe/suppression-list.ts'
import type { Leaving } from '../unsubscribe/token.ts'
import type { Letter } from './mailbox.ts'
import { readReports, repliedTo } from './read.ts'
import type { Report } from './report.ts'

export interface IntakeOptions {
  readonly ledger: Ledger
  /** Return path of our messages, `bounces+*@example.org`, where each has its own. */
  readonly returnPath?: string
  /** An address with so many soft bounces in the days before is suppressed; 0 for never. */
  readonly softLimit: number
  readonly softDays: number
  /** Opens the token of an unsubscribe mail. */
  readonly leaving: (token: string) => Leaving | undefined
  /** Campaign group that those leave who ask without a token, in answer to a message. Default: the campaign. */
  readonly group?: string
  readonly now: Date
}

/** What became of one report: `foreign` is about no message of this ledger and changed nothing. */
export type IntakeOutcome = 'suppressed' | 'recorded' | 'known' | 'foreign'

export interface Taken {
  readonly letter: Letter
  /** Undefined for a person's answer. */
  readonly report?: Report
  readonly outcome: IntakeOutcome
  readonly message?: SentMessage
}

/** One report of one letter, on its way. */
interface Matched {
  readonly letter: Letter
  readonly report?: Report
  readonly kind: FeedbackKind | 'unknown'
  readonly reason: string
  readonly message?: SentMessage
  readonly leaving?: Leaving | undefined
}

/** Letters taken in at once: one search in the ledger for all of them. */
export const INTAKE_LETTERS = 200

/**
 * Takes letters in. When it resolves all is durable; letters given again are known and change nothing.
 * Suppressions are recorded first, so that a crash in between leaves them and takes the report again.
 */
export async function takeIn(letters: readonly Letter[], options: IntakeOptions): Promise<readonly Taken[]> {
  const { ledger, now } = options
  const matched = await match(letters, options)
  const wanted = new Map<Matched, Suppression>()
  for (const one of matched) {
    const entry = suppressionFor(one, options)
    if (entry !== undefined) wanted.set(one, entry)
  }
  if (wanted.size > 0) await ledger.suppress([...wanted.values()])
  const feedback = new Map<Matched, Feedback>()
  for (const one of matched) {
    const { message, kind, reason, letter } = one
    if (message === undefined || kind === 'unknown') continue
    const fingerprint = hash('sha256', `${hash('sha256', letter.octets)}\n${message.recipient}\n${kind}`)
    const { recipient } = message
    feedback.set(one, { fingerprint, recipient, person: personOf(message), kind, at: now, reason })
  }
  const fresh = feedback.size === 0 ? new Set<string>() : await ledger.feedback.take([...feedback.values()])
  const tired = await suppressTired(matched, options)
  return matched.map((one) => {
    const { letter, report, message, leaving } = one
    const about = { letter, ...(report === undefined ? {} : { report }), ...(message === undefined ? {} : { message }) }
    if (message === undefined && leaving === undefined) return { ...about, outcome: 'foreign' }
    const own = feedback.get(one)
    if (own !== undefined && !fresh.has(own.fingerprint)) return { ...about, outcome: 'known' }
    return { ...about, outcome: wanted.has(one) || tired.has(one) ? 'suppressed' : 'recorded' }
  })
}

/** What a letter says, and the tokens that may name the message it is about. */
interface Said {
  readonly letter: Letter
  readonly report?: Report
  readonly tokens: readonly string[]
}

/** Reads the letters and finds the messages that they are about. */
async function match(letters: readonly Letter[], options: IntakeOptions): Promise<readonly Matched[]> {
  const said = letters.flatMap((letter): readonly Said[] => {
    const reports = readReports(letter.octets)
    if (reports.length > 0) return reports.map((report) => ({ letter, report, tokens: tokensOf(report, options) }))
    const tokens = repliedTo(letter.octets).map(leftSide)
    return tokens.length === 0 ? [] : [{ letter, tokens }]
  })
  const found = await options.ledger.feedback.find([...new Set(said.flatMap(({ tokens }) => tokens))])
  return said.flatMap((one): readonly Matched[] => {
    const message = one.tokens.map((token) => found.get(token)).find((known) => known !== undefined)
    const known = message === undefined ? {} : { message }
    const { letter, report } = one
    if (report === undefined)
      return message === undefined ? [] : [{ letter, kind: 'reply', reason: 'answered', ...known }]
    const { kind, reason, unsubscribeToken } = report
    const leaving = unsubscribeToken === undefined ? undefined : options.leaving(unsubscribeToken)
    return [{ letter, report, kind, reason, leaving, ...known }]
  })
}

/** What may name our message: the id of the returned one, or our own return path that the report came to. */
function tokensOf({ messageId, deliveredTo }: Report, { returnPath }: IntakeOptions): readonly string[] {
  const returned = returnPath === undefined ? [] : deliveredTo.map((address) => returnedToken(address, returnPath))
  return [...(messageId === undefined ? [] : [leftSide(messageId)]), ...returned].filter((token) => token !== undefined)
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
function suppressionFor({ kind, reason, message, leaving }: Matched, options: IntakeOptions): Suppression | undefined {
  const addedAt = options.now
  if (leaving !== undefined) {
    const note = 'by mail'
    return suppressionOf(normalizeAddress(leaving.address), {
      group: leaving.group,
      reason: 'unsubscribed',
      note,
      addedAt,
    })
  }
  const why = kind === 'unknown' ? undefined : REASONS[kind]
  if (message === undefined || why === undefined) return undefined
  const group = kind === 'unsubscribe' ? (options.group ?? message.campaign) : ''
  return suppressionOf(normalizeAddress(message.address), { group, reason: why, note: reason, addedAt })
}

/** Suppresses those whose soft bounces have become too many. Also on reports known before, should a crash have come between. */
async function suppressTired(matched: readonly Matched[], options: IntakeOptions): Promise<ReadonlySet<Matched>> {
  const { ledger, softLimit, softDays, now } = options
  const tired = new Set<Matched>()
  if (softLimit === 0) return tired
  const since = new Date(now.getTime() - softDays * 86_400_000)
  for (const one of matched) {
    if (one.kind !== 'soft' || one.message === undefined) continue
    const count = await ledger.feedback.softBounces(personOf(one.message), since)
    if (count < softLimit) continue
    tired.add(one)
    const note = `${count} soft bounces in ${softDays} days, the last: ${one.reason}`
    const address = normalizeAddress(one.message.address)
    await ledger.suppress([suppressionOf(address, { group: '', reason: 'soft_bounces', note, addedAt: now })])
  }
  return tired
}
