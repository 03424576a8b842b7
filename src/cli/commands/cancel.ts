/** `mailmerge cancel`: ends a run for good; what was not sent stays unsent. */
import type { Action } from '../command.ts'
import { LEDGER_OPTION, settingsFor } from '../settings-options.ts'

export const cancel: Action = {
  usage: 'cancel [run]',
  describe: 'End a run for good',
  positionals: { run: { names: 'run', describe: 'Run to end; default: the unfinished one' } },
  options: LEDGER_OPTION,
  async run(args, context) {
    const settings = await settingsFor(args, context)
    const { cancelMerge } = await import('../../campaign/run/resume.ts')
    const run = await cancelMerge(settings, args.text('run'))
    const { out } = context
    if (out.json) out.result(JSON.stringify({ run, state: 'cancelled' }))
    else if (!out.quiet) out.result(`${run} is cancelled: what was not sent stays unsent`)
    return 0
  },
}
