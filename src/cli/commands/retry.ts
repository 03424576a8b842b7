/** `mailmerge retry`: tries again what failed for good in a run. */
import { given } from '../../given.ts'
import type { Action } from '../command.ts'
import { driveMerge } from '../merge/drive.ts'
import { checkWatchOptions, WATCH_OPTIONS, watched } from '../merge/run-page.ts'
import { DELIVERY_OPTIONS, LEDGER_OPTION, settingsFor } from '../settings-options.ts'

export const retry: Action = {
  usage: 'retry [run]',
  describe: 'Try failed messages again',
  positionals: { run: { names: 'run', describe: 'Run; default: the newest' } },
  options: {
    failed: { type: 'boolean', default: true, hidden: true, describe: 'Failed rows; always so' },
    ...DELIVERY_OPTIONS,
    ...LEDGER_OPTION,
    report: { type: 'array', string: true, value: 'FILE', describe: 'Results file: .csv, .json or .html; repeatable' },
    ...WATCH_OPTIONS,
  },
  async run(args, context) {
    checkWatchOptions(args)
    const settings = await settingsFor(args, context)
    const { retryMerge } = await import('../../campaign/run/resume.ts')
    const request = given({ run: args.text('run'), reports: args.texts('report') })
    const screen = { mode: 'send', yes: true, planned: true, timeZone: settings.timeZone } as const
    return watched(args, context, settings, (own) =>
      driveMerge(context, screen, (hooks) => retryMerge(settings, request, own(hooks))),
    )
  },
}
