/** `mailmerge resume`: goes on with an unfinished run from its plan; the list is not read again. */
import { IN_DOUBT } from '../../config/words.ts'
import { given } from '../../given.ts'
import type { Action, Context } from '../command.ts'
import { driveMerge } from '../merge/drive.ts'
import { checkWatchOptions, WATCH_OPTIONS, watched } from '../merge/run-page.ts'
import { DELIVERY_OPTIONS, LATE_OPTION, LEDGER_OPTION, settingsFor } from '../settings-options.ts'
import { plural } from '../terminal/format.ts'

export const resume: Action = {
  usage: 'resume [run]',
  describe: 'Continue an unfinished run',
  positionals: { run: { names: 'run', describe: 'Run to continue; default: the newest unfinished one' } },
  options: {
    'in-doubt': {
      choices: IN_DOUBT,
      describe: 'What to do with rows and copies in doubt: send them again, or count them as sent; default: leave them',
    },
    rows: { type: 'string', value: 'LIST', describe: 'Only these rows in doubt: 1-20,33; needs --in-doubt' },
    ...LATE_OPTION,
    ...DELIVERY_OPTIONS,
    ...LEDGER_OPTION,
    report: { type: 'array', string: true, value: 'FILE', describe: 'Results file: .csv, .json or .html; repeatable' },
    ...WATCH_OPTIONS,
  },
  async run(args, context) {
    checkWatchOptions(args)
    const settings = await settingsFor(args, context)
    const { resumeMerge } = await import('../../campaign/run/resume.ts')
    const inDoubt = args.choice('inDoubt', IN_DOUBT)
    const rows = args.text('rows')
    const request = given({ run: args.text('run'), inDoubt, rows, reports: args.texts('report') })
    if (inDoubt !== undefined) {
      const { decideWhileAtWork } = await import('../../campaign/run/control.ts')
      const beside = await decideWhileAtWork(settings, { run: request.run, inDoubt, rows })
      if (beside !== undefined) {
        showDecision(context, inDoubt, beside)
        return 0
      }
    }
    const screen = { mode: 'send', yes: true, planned: true, timeZone: settings.timeZone } as const
    return watched(args, context, settings, (own) =>
      driveMerge(context, screen, (hooks) => resumeMerge(settings, request, own(hooks))),
    )
  },
}

/** Another process delivers the run: it takes up what is to be sent again. */
function showDecision(
  { out }: Context,
  decision: (typeof IN_DOUBT)[number],
  { run, decided }: { readonly run: string; readonly decided: number },
): void {
  if (out.json) {
    out.result(JSON.stringify({ run, decision, decided }))
    return
  }
  if (out.quiet) return
  const rows = plural(decided, 'row')
  if (decided === 0) out.result(`no row in doubt was chosen; ${run} is being sent by another process`)
  else if (decision === 'keep') out.result(`${rows} in doubt counted as sent`)
  else out.result(`${rows} in doubt will be sent again by the process that is sending ${run}`)
}
