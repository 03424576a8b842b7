/** `mailmerge resume`: goes on with an unfinished run from its plan; the list is not read again. */
import { IN_DOUBT } from '../../config/words.ts'
import { given } from '../../given.ts'
import type { Action } from '../command.ts'
import { driveMerge } from '../merge/drive.ts'
import { DELIVERY_OPTIONS, LATE_OPTION, LEDGER_OPTION, settingsFor } from '../settings-options.ts'

export const resume: Action = {
  usage: 'resume [run]',
  describe: 'Continue an unfinished run',
  positionals: { run: { names: 'run', describe: 'Run to continue; default: the newest unfinished one' } },
  options: {
    'in-doubt': {
      choices: IN_DOUBT,
      describe: 'What to do with rows in doubt: send them again, or count them as sent; default: leave them',
    },
    ...LATE_OPTION,
    ...DELIVERY_OPTIONS,
    ...LEDGER_OPTION,
    report: { type: 'array', string: true, value: 'FILE', describe: 'Results file: .csv, .json or .html; repeatable' },
  },
  async run(args, context) {
    const settings = await settingsFor(args, context)
    const { resumeMerge } = await import('../../campaign/run/resume.ts')
    const request = given({
      run: args.text('run'),
      inDoubt: args.choice('inDoubt', IN_DOUBT),
      reports: args.texts('report'),
    })
    return driveMerge(context, { mode: 'send', yes: true, planned: true, timeZone: settings.timeZone }, (hooks) =>
      resumeMerge(settings, request, hooks),
    )
  },
}
