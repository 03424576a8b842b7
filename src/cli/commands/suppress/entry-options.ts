/** Options that are kept with entries of the suppression list: the same for `suppress add` and `suppress import`. */
import { SUPPRESSION_REASONS } from '../../../config/words.ts'
import { given } from '../../../given.ts'
import type { EntryDefaults } from '../../../unsubscribe/suppression-list.ts'
import type { Arguments, Option } from '../../command.ts'
import { LEDGER_OPTION } from '../../settings-options.ts'

export const GROUP_OPTION: Readonly<Record<string, Option>> = {
  group: { type: 'string', value: 'NAME', describe: 'Campaign group that it holds for; default every campaign' },
}

/** What is kept with an entry; `reason` is the one of entries that have none of their own. */
export function entryOptions(reason: string): Readonly<Record<string, Option>> {
  return {
    ...GROUP_OPTION,
    reason: {
      choices: SUPPRESSION_REASONS,
      value: 'REASON',
      describe: `${SUPPRESSION_REASONS.join(', ')}; default ${reason}`,
    },
    note: { type: 'string', value: 'TEXT', describe: 'A remark to keep with it' },
    ...LEDGER_OPTION,
  }
}

/** What is kept with entries that say nothing of themselves. */
export function entryDefaults(args: Arguments, reason: EntryDefaults['reason']): EntryDefaults {
  return {
    group: args.text('group') ?? '',
    reason: args.choice('reason', SUPPRESSION_REASONS) ?? reason,
    addedAt: new Date(),
    ...given({ note: args.text('note') }),
  }
}
