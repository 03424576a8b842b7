/**
 * The facet of what came back to us: bounces, complaints, answers. Owns the words and the promises that a report is
 * recorded once and only about a message of ours; never decides what follows from it.
 */

export type FeedbackKind = 'hard' | 'soft' | 'complaint' | 'auto_reply' | 'delivered' | 'unsubscribe' | 'reply'

/** A message of ours that somebody reports on. */
export interface SentMessage {
  readonly recipient: number
  /** With its angle brackets. */
  readonly messageId: string
  /** Where it went, as planned. */
  readonly address: string
  readonly campaign: string
  /** The row as JSON: a copy that bounces is found by it. */
  readonly data: string
}

/** What one report says of one message. */
export interface MessageFeedback {
  /** Identifies this report on this message: SHA-256 in hex. */
  readonly fingerprint: string
  readonly recipient: number
  /** SHA-256 in hex of the normalised address, so that soft bounces of a person can be counted over campaigns. */
  readonly person: string
  readonly kind: FeedbackKind
  readonly at: Date
  /** In words: `mailbox full`. */
  readonly reason: string
}

/** Every change is durable when it resolves. */
export interface Feedback {
  /**
   * Messages by the left side of their Message-ID, which nobody can guess. What is not found was not sent from this
   * ledger, or is forgotten.
   */
  findMessages(tokens: readonly string[]): Promise<ReadonlyMap<string, SentMessage>>
  /** Records what is new; gives the fingerprints of those. The results show the worst that came back of a row. */
  add(feedback: readonly MessageFeedback[]): Promise<ReadonlySet<string>>
  /** Rows of a run by the worst that came back of them. */
  counts(runId: string): Promise<ReadonlyMap<FeedbackKind, number>>
  /** Soft bounces of a person since `since`, of different messages; what came in between is not asked. */
  softBounces(person: string, since: Date): Promise<number>
  /** How far a mailbox has been read, in the words of its reader. */
  mailboxPosition(mailbox: string): Promise<string | undefined>
  setMailboxPosition(mailbox: string, position: string): Promise<void>
}
