/** What people read for the states of rows and runs, and for what came back. Owns these words; decides nothing by them. */
import type { FeedbackKind } from '../ledger/feedback.ts'
import type { RowStatus } from '../ledger/records.ts'

/** In the order in which they are shown. */
export const STATUS_WORDS: Readonly<Record<RowStatus, string>> = {
  sent: 'Sent',
  deferred: 'Waiting',
  failed: 'Failed',
  in_doubt: 'In doubt',
  skipped: 'Skipped',
}

export const FEEDBACK_WORDS: Readonly<Record<FeedbackKind, string>> = {
  hard: 'Bounced permanently',
  soft: 'Bounced temporarily',
  complaint: 'Complained',
  unsubscribe: 'Unsubscribed',
  auto_reply: 'Answered automatically',
  reply: 'Answered',
  delivered: 'Confirmed',
}
