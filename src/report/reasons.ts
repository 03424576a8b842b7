/** Why a run stopped or waits: the values, and their words for people. Owns both, so that no decision depends on a sentence. */

import { limitWords } from '../config/units.ts'
import type { Bounce, QuotaLeft, ResultRow, SkipReason, UndeliveredCopy } from '../ledger/records.ts'
import type { ReplyCause } from '../replies/cause.ts'
import type { RowReason } from './digest.ts'
import { SUPPRESSION_WORDS } from './suppression-words.ts'
import { causeTitle, titled } from './words.ts'

/** Why a run ended before its last row was sent. */
export type StopReason =
  /** A person said no. */
  | { readonly kind: 'not-confirmed' }
  /** Planned, and not begun: it starts at that time. */
  | {
      readonly kind: 'not-begun'
      readonly startTime: Date
      /** When its last row is to be sent, where rows have start times of their own. */
      readonly last?: Date | undefined
      /** It was asked to return once planned. */
      readonly detached: boolean
    }
  /** The first or second request to stop. */
  | { readonly kind: 'interrupted' }
  /** A person asked for it from outside. */
  | { readonly kind: 'paused' | 'cancelled' }
  /** Rows or copies are deferred, and the settings say not to try again. */
  | { readonly kind: 'deferred' }
  /** The next row is to be sent at that time, and the run was asked not to wait until then. */
  | { readonly kind: 'waiting'; readonly until: Date }
  /** Rows whose start time passed while the machine slept. */
  | { readonly kind: 'late'; readonly startTime: Date }
  | { readonly kind: 'quota'; readonly quota: QuotaLeft | undefined; readonly until: Date }
  /** The server was away for too long. */
  | { readonly kind: 'outage'; readonly said: string }
  /** A limit of the sender's account is reached, or its account is blocked: by the server's own words. */
  | { readonly kind: 'account-limit' | 'account-blocked'; readonly said: string }
  /** The server refuses the sender, not the recipients; `streak` counts policy refusals in a row; 0 when it was another refusal. */
  | {
      readonly kind: 'sender-refused'
      readonly cause: ReplyCause | undefined
      readonly sender: string
      readonly streak: number
      readonly said: string
    }
  /** Of several accounts: those that stopped, each for its own reason; all of them, or the others have sent their own rows. */
  | {
      readonly kind: 'accounts'
      readonly accounts: readonly { readonly account: string; readonly reason: StopReason }[]
      readonly isAll: boolean
    }
  /** An error that ends the run; it is thrown as well. */
  | { readonly kind: 'error'; readonly said: string }

/** Why a run waits before it goes on by itself. */
export type PauseReason =
  | { readonly kind: 'start-time' }
  | { readonly kind: 'deferred' }
  | { readonly kind: 'quota'; readonly quota: QuotaLeft | undefined }
  /** Outside the sending hours, which are as they are written. */
  | { readonly kind: 'window'; readonly hours: string }
  /** The server asked for less. */
  | { readonly kind: 'slow-down'; readonly said: string }
  /** The server is away. */
  | { readonly kind: 'outage'; readonly said: string }

/** The moment that a run waits for which ended only because it does not wait itself. */
export function waitsUntil(reason: StopReason | undefined): Date | undefined {
  if (reason?.kind === 'not-begun') return reason.startTime
  return reason?.kind === 'waiting' ? reason.until : undefined
}

export function stopWords(reason: StopReason): string {
  switch (reason.kind) {
    case 'not-confirmed':
      return 'not confirmed'
    case 'not-begun':
      return 'waiting for its start time'
    case 'interrupted':
      return 'interrupted'
    case 'paused':
      return 'paused'
    case 'cancelled':
      return 'cancelled'
    case 'deferred':
      return 'some rows or copies are deferred'
    case 'waiting':
      return `the next row is to be sent at ${reason.until.toISOString()}`
    case 'late':
      return `some rows were to be sent at ${reason.startTime.toISOString()}, which is long over; resume with --late ok sends them`
    case 'quota':
      return `${quotaWords(reason.quota)} until ${reason.until.toISOString()}`
    case 'outage':
      return `the server was away for too long: ${reason.said}`
    case 'account-limit':
      return `a sending limit of the account is reached: ${reason.said}`
    case 'account-blocked':
      return `the account of the sender is blocked: ${reason.said}`
    case 'sender-refused':
      return senderWords(reason)
    case 'accounts':
      return `${reason.isAll ? 'every account has stopped' : 'some accounts have stopped'}. ${accountWords(reason)}`
    case 'error':
      return reason.said
  }
}

/** `sales: a sending limit of the account is reached: 550 ...; support: ...` */
function accountWords({ accounts }: Extract<StopReason, { kind: 'accounts' }>): string {
  return accounts.map(({ account, reason }) => `${account}: ${stopWords(reason)}`).join('; ')
}

export function pauseWords(reason: PauseReason): string {
  switch (reason.kind) {
    case 'start-time':
      return 'the run begins at its start time'
    case 'deferred':
      return 'waiting to try again what the server deferred'
    case 'quota':
      return quotaWords(reason.quota)
    case 'window':
      return `outside the sending hours (${reason.hours})`
    case 'slow-down':
      return `the server asks for fewer messages: ${reason.said}`
    case 'outage':
      return reason.said
  }
}

/** Words of a skipped row in the results. */
export function skipWords({ kind, detail }: SkipReason): string {
  switch (kind) {
    case 'bad':
      return detail === '' ? 'bad row' : `bad row: ${detail}`
    case 'unselected':
      return detail === '' ? 'not selected' : `not selected by ${detail}`
    case 'hidden':
      return 'hidden in the workbook'
    case 'duplicate':
      return `duplicate of row ${detail}`
    case 'suppressed':
      return `suppressed: ${detail.replaceAll('_', ' ')}`
    case 'sent-before':
      return 'sent before'
    case 'has-message':
      return detail === 'in_doubt'
        ? 'its recipient may have the message already (in doubt), without this row'
        : 'its recipient has the message already, without this row'
    case 'held-back':
      return `held back: row ${detail} of the same message is bad`
    case 'forgotten':
      return 'forgotten'
    case 'unplanned':
      return 'the run was never planned to its end'
    case 'follow-up':
    case 'other':
      return detail
  }
}

/** Why rows are skipped, as a short title over all that have the same reason. */
function skipTitle({ kind, detail }: SkipReason): string {
  switch (kind) {
    case 'bad':
      return 'Problem in the row'
    case 'unselected':
      return detail === '' ? 'Not selected' : `Not selected by ${detail}`
    case 'hidden':
      return 'Hidden in the workbook'
    case 'duplicate':
      return 'Duplicate'
    case 'suppressed':
      return SUPPRESSED[detail] ?? LISTED
    case 'sent-before':
      return 'Got it before'
    case 'has-message':
      return 'New, for someone who has the message'
    case 'held-back':
      return 'Another row of the message has a problem'
    case 'forgotten':
      return 'Forgotten'
    case 'unplanned':
      return 'The run was never planned to its end'
    case 'follow-up':
    case 'other':
      return detail === '' ? 'Left out' : titled(detail)
  }
}

/** That a person made the entry says nothing of the recipient. */
const LISTED = 'On the suppression list'
const SUPPRESSED: Readonly<Record<string, string>> = { ...SUPPRESSION_WORDS, manual: LISTED, imported: LISTED }

/** Why rows are not sent, as a short title over all that have the same reason. */
export function reasonTitle(reason: RowReason): string {
  switch (reason.kind) {
    case 'cause':
      return causeTitle(reason.cause)
    case 'skip':
      return skipTitle(reason.skip)
    case 'untried':
      return 'Not tried yet'
    case 'unanswered':
      return 'Handed over, no answer'
    case 'rest':
      return 'Other reasons'
    case 'text':
      return reason.text === '' ? 'No reason is known' : titled(reason.text)
  }
}

/** Why a row is in its state, in words, and what became of its copies where they did not go with it. */
export function reasonWords({ reason, skip, copies = [] }: Pick<ResultRow, 'reason' | 'skip' | 'copies'>): string {
  const own = skip === undefined ? reason : skipWords(skip)
  return [...(own === '' ? [] : [own]), ...copies.map(copyWords)].join('; ')
}

/** The same with what the server said: `mailbox unknown: 550 5.1.1 no such user`. */
export function answeredWords(
  row: Pick<ResultRow, 'reason' | 'skip' | 'copies' | 'smtpCode' | 'enhancedCode' | 'response'>,
): string {
  const answer = [row.smtpCode, row.enhancedCode, row.response].filter((part) => part !== undefined).join(' ')
  return [reasonWords(row), answer].filter((part) => part !== '').join(': ')
}

/** `copy to boss@example.com refused: 550 no such user` */
function copyWords({ address, status, reason = '', smtpCode, response = '' }: UndeliveredCopy): string {
  const said = smtpCode === undefined ? reason : `${smtpCode} ${response}`
  return `copy to ${address} ${copyStateWords(status, smtpCode)}${said === '' ? '' : `: ${said}`}`
}

function copyStateWords(status: UndeliveredCopy['status'], smtpCode: number | undefined): string {
  switch (status) {
    case 'deferred':
      return 'waits to be tried again'
    case 'in_doubt':
      return 'in doubt'
    case 'refused':
      if (smtpCode === undefined) return 'not sent'
      return smtpCode < 500 ? 'given up' : 'refused'
    case 'sent':
      return 'sent later'
  }
}

/** `hard: mailbox unknown` */
export function bounceWords({ kind, reason }: Bounce): string {
  return `${kind}: ${reason}`
}

function quotaWords(quota: QuotaLeft | undefined): string {
  if (quota === undefined) return 'the quota is used up'
  if (quota.isRampUp) return `the limit of ${quota.count} messages for this day (rampUp) is used up`
  const words = `the quota of ${limitWords(quota)}`
  return quota.left > 0 ? `${words} has ${quota.left} left, too few for the next message` : `${words} is used up`
}

function senderWords({ cause, sender, streak, said }: Extract<StopReason, { kind: 'sender-refused' }>): string {
  if (streak > 0)
    return `the server refused ${streak} messages in a row for policy reasons, not because of the recipients: ${said}`
  if (cause === 'helo-rejected') return `the server refuses the name that we greet it with: ${said}`
  if (cause === 'relay-denied') return `the server does not relay for us: ${said}`
  if (cause === 'host-blocked') return `the server blocks our host: ${said}`
  return `the server refuses the sender ${sender === '' ? '<>' : sender}: ${said}`
}

/** What to do about it, where there is something. */
export function stopHint(reason: StopReason): string | undefined {
  if (reason.kind === 'account-limit')
    return 'The other rows are still to come: mailmerge resume continues when the limit opens again.'
  if (reason.kind === 'account-blocked') return 'Ask the provider of the account; then mailmerge resume continues.'
  if (reason.kind !== 'sender-refused') return undefined
  switch (reason.cause) {
    case 'helo-rejected':
      return 'Set smtp.name to the full name of this host, as DNS has it; then mailmerge resume continues.'
    case 'relay-denied':
      return 'It may want a login (smtp.user), or know this network only as a stranger; then mailmerge resume continues.'
    case 'sender-unverified':
      return 'Have the sender address or its domain verified by the provider; then mailmerge resume continues.'
    default:
      return 'The rows are still to come: mailmerge resume continues.'
  }
}
