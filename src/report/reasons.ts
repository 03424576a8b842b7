/** Why a run stopped or waits: the values, and their words for people. Owns both, so that no decision depends on a sentence. */

import type { RateLimit } from '../config/settings.ts'
import { limitWords } from '../config/units.ts'
import type { Bounce, ResultRow, SkipReason } from '../ledger/records.ts'

/** What is left of a quota. */
export interface QuotaLeft extends RateLimit {
  readonly left: number
}

/** Why a run ended before its last row was sent. */
export type StopReason =
  /** A person said no. */
  | { readonly kind: 'not-confirmed' }
  /** Planned, and not begun: it starts at that time. */
  | { readonly kind: 'not-begun'; readonly startTime: Date }
  /** The first or second request to stop. */
  | { readonly kind: 'interrupted' }
  /** Rows are deferred, and the settings say not to try again. */
  | { readonly kind: 'deferred' }
  /** Rows whose start time passed while the machine slept. */
  | { readonly kind: 'late'; readonly startTime: Date }
  | { readonly kind: 'quota'; readonly quota: QuotaLeft | undefined; readonly until: Date }
  /** The server was away for too long. */
  | { readonly kind: 'outage'; readonly said: string }
  /** The server refuses the sender, not the recipients. `said` is a whole sentence. */
  | { readonly kind: 'sender-refused'; readonly said: string }
  /** An error that ends the run; it is thrown as well. */
  | { readonly kind: 'error'; readonly said: string }

/** Why a run waits before it goes on by itself. */
export type PauseReason =
  | { readonly kind: 'start-time' }
  | { readonly kind: 'deferred' }
  | { readonly kind: 'quota'; readonly quota: QuotaLeft | undefined }
  /** The server asked for less. */
  | { readonly kind: 'slow-down'; readonly said: string }
  /** The server is away. */
  | { readonly kind: 'outage'; readonly said: string }

export function stopWords(reason: StopReason): string {
  switch (reason.kind) {
    case 'not-confirmed':
      return 'not confirmed'
    case 'not-begun':
      return 'it waits for its hour'
    case 'interrupted':
      return 'interrupted'
    case 'deferred':
      return 'some rows are deferred'
    case 'late':
      return `some rows were for ${reason.startTime.toISOString()}, which is long past; resume with --late ok sends them`
    case 'quota':
      return `${quotaWords(reason.quota)} until ${reason.until.toISOString()}`
    case 'outage':
      return `the server was away for too long: ${reason.said}`
    case 'sender-refused':
    case 'error':
      return reason.said
  }
}

export function pauseWords(reason: PauseReason): string {
  switch (reason.kind) {
    case 'start-time':
      return 'the run begins at its hour'
    case 'deferred':
      return 'waiting to try deferred rows again'
    case 'quota':
      return quotaWords(reason.quota)
    case 'slow-down':
      return `the server asks for less: ${reason.said}`
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
    case 'forgotten':
      return 'forgotten'
    case 'unplanned':
      return 'the run was never planned to its end'
    case 'follow-up':
    case 'other':
      return detail
  }
}

/** Why a row is in its state, in words. */
export function reasonWords({ reason, skip }: Pick<ResultRow, 'reason' | 'skip'>): string {
  return skip === undefined ? reason : skipWords(skip)
}

/** `hard: mailbox unknown` */
export function bounceWords({ kind, reason }: Bounce): string {
  return `${kind}: ${reason}`
}

function quotaWords(quota: QuotaLeft | undefined): string {
  if (quota === undefined) return 'the quota is used up'
  const words = `the quota of ${limitWords(quota)}`
  return quota.left > 0 ? `${words} has ${quota.left} left, too few for the next message` : `${words} is used up`
}
