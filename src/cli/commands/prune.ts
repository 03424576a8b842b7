/** `mailmerge prune`: removes campaigns that ended long ago. Parses and prints; the work is in campaign/run/forget.ts. */
import { UsageError } from '../../errors.ts'
import type { Action } from '../command.ts'
import { LEDGER_OPTION, settingsFor } from '../settings-options.ts'
import { moment, plural } from '../terminal/format.ts'

export const prune: Action = {
  usage: 'prune',
  describe: 'Remove old campaigns, with their rows and results',
  epilogue:
    'Suppressions stay. After that nobody knows who got the campaign: the same command would send it to everybody again.',
  options: {
    'older-than': { type: 'string', value: 'TIME', describe: 'Remove campaigns whose last run is older: 90d, 12w' },
    ...LEDGER_OPTION,
  },
  async run(args, context) {
    const { out } = context
    const age = args.text('olderThan')
    if (age === undefined) {
      throw new UsageError('prune needs --older-than', { hint: 'For example: mailmerge prune --older-than 90d' })
    }
    const { DURATION_HINT, readDuration } = await import('../../config/units.ts')
    const milliseconds = readDuration(age)
    if (milliseconds === undefined) {
      throw new UsageError(`'${age}' is not a valid duration for --older-than`, { hint: DURATION_HINT })
    }
    const settings = await settingsFor(args, context)
    const { pruneRuns } = await import('../../campaign/run/forget.ts')
    const before = new Date(Date.now() - milliseconds)
    const { campaigns, runs } = await pruneRuns(settings, before)
    if (out.json) out.result(JSON.stringify({ campaigns, runs, before: before.toISOString() }))
    else if (!out.quiet) {
      out.result(
        campaigns === 0
          ? `nothing to remove: no campaign ended before ${moment(before)}`
          : `${plural(campaigns, 'campaign')} with ${plural(runs.length, 'run')} removed: ended before ${moment(before)}`,
      )
    }
    return 0
  },
}
