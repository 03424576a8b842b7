/** Words for the reasons of suppressions, for reports and pages. Owns these words; imports no code, so that a page can have it too. */
import type { SUPPRESSION_REASONS } from '../config/words.ts'

export const SUPPRESSION_WORDS: Readonly<Record<(typeof SUPPRESSION_REASONS)[number], string>> = {
  unsubscribed: 'Unsubscribed',
  complaint: 'Complained',
  hard_bounce: 'Bounced before',
  soft_bounces: 'Bounced several times',
  manual: 'Added by hand',
  imported: 'Imported',
}
