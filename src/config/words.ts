/** Words that options, mailmerge.yaml and the ledger share. Owns each list once; imports nothing, so that the help stays fast. */

/** What is done with two rows of one recipient key. */
export const DUPLICATES = ['error', 'skip', 'all'] as const

/** What is done with occurrences of a schedule that were missed. */
export const CATCH_UP = ['skip', 'last', 'all'] as const
export type CatchUp = (typeof CATCH_UP)[number]

/** Why an address is suppressed. */
export const SUPPRESSION_REASONS = [
  'unsubscribed',
  'hard_bounce',
  'soft_bounces',
  'complaint',
  'manual',
  'imported',
] as const

/** What is done with rows in doubt when a run goes on. */
export const IN_DOUBT = ['resend', 'keep'] as const

/** What happens to rows that a workbook hides or filters out. */
export const HIDDEN_ROWS = ['skip', 'send'] as const

/** What a notice is about: a run that ended, one that stopped and can be resumed, one that needs a person. */
export const NOTICE_KINDS = ['ended', 'stopped', 'needs_you'] as const
