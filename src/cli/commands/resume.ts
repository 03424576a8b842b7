/** `mailmerge resume`: goes on with an unfinished run from its plan; the list is not read again. */
import { type Command, given } from '../command.ts'
import { driveMerge } from '../merge/screen.ts'
import { DELIVERY_OPTIONS, LATE_OPTION, LEDGER_OPTION, settingsFor } from '../settings-options.ts'

export const resume: Command = {
  usage: 'resume [run]',
  describe: 'Go on with an unfinished run',
  positionals: { run: { describe: 'Id of the run; default the newest unfinished one' } },
  options: {
    'in-doubt': {
      choices: ['resend', 'keep'],
      describe: 'Rows in doubt: send them again, or take them as sent; without it they stay as they are',
    },
    ...LATE_OPTION,
    ...DELIVERY_OPTIONS,
    ...LEDGER_OPTION,
    report: { type: 'array', string: true, value: 'FILE', describe: 'Results file: .csv, .json or .html; repeatable' },
  },
  async run(args, context) {
    const settings = await settingsFor(args, context)
    const { resumeMerge } = await import('../../campaign/run/resume.ts')
    const request = {
      ...given('run', args.text('run')),
      ...given('inDoubt', args.choice('inDoubt', ['resend', 'keep'])),
      ...given('reports', args.texts('report')),
    }
    return driveMerge(context, { mode: 'send', yes: true, planned: true, timeZone: settings.timeZone }, (hooks) =>
      resumeMerge(settings, request, hooks),
    )
  },
}
