/**
 * The seam to what came back to us: bounces, complaints, answers. Owns the words and the promises that a report is taken
 * once and only about a message of ours; never decides what follows from it.
 */
import type { Campaign, RowStatus } from './ledger.ts'

export type FeedbackKind = 'hard' | 'soft' | 'complaint' | 'auto_reply' | 'delivered' | 'unsubscribe' | 'reply'

/** A message of ours that somebody reports on. */
export interface SentMessage {
  readonly recipient: number
  /** With its angle brackets. */
  readonly messageId: string
  /** Where it went, as planned. */
  readonly address: string
  readonly campaign: string
}

/** What one report says of one message. */
export interface Feedback {
  /** Tells this report on this message from every other: SHA-256 in hex. */
  readonly fingerprint: string
  readonly recipient: number
  /** SHA-256 in hex of the normalised address, so that soft bounces of a person can be counted over campaigns. */
  readonly person: string
  readonly kind: FeedbackKind
  readonly at: Date
  /** In words: `mailbox full`. */
  readonly reason: string
}

/** What became of the message to one recipient key of a campaign. */
export interface MessageFate {
  readonly status: RowStatus
  readonly row: number
  /** The row's cells as they were planned. */
  readonly data: string
  readonly variant?: string
  readonly messageId?: string
  readonly finishedAt?: Date
  /** The worst that came back: `hard: mailbox unknown`. */
  readonly bounce?: string
  /** A person answered. */
  readonly answered: boolean
}

/** Every change is durable when it resolves. */
export interface FeedbackLedger {
  /**
   * Messages by the left side of their Message-ID, which nobody can guess. What is not found was not sent from this
   * ledger, or is forgotten.
   */
  find(tokens: readonly string[]): Promise<ReadonlyMap<string, SentMessage>>
  /** Takes what was not taken before; gives the fingerprints of those. The results say the worst that came of a row. */
  take(feedback: readonly Feedback[]): Promise<ReadonlySet<string>>
  /** What became of messages of a campaign, by recipient key. */
  fates(campaign: Campaign, keys: readonly string[]): Promise<ReadonlyMap<string, MessageFate>>
  /** Rows of a run by the worst that came back of them. */
  counts(runId: string): Promise<ReadonlyMap<FeedbackKind, number>>
  /** Soft bounces of a person since `since`, of different messages; what came in between is not asked. */
  softBounces(person: string, since: Date): Promise<number>
  /** How far a mailbox has been read, in words of who reads it. */
  mailboxMark(mailbox: string): Promise<string | undefined>
  setMailboxMark(mailbox: string, mark: string): Promise<void>
}
