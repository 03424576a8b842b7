/** `mailmerge pause` and `cancel`: hold a run, or end it for good; also one that another process is delivering. */
import type { RunControlResult } from '../../campaign/run/control.ts'
import type { Action } from '../command.ts'
import { watchSignals } from '../merge/signals.ts'
import { LEDGER_OPTION, settingsFor } from '../settings-options.ts'

type Control = typeof import('../../campaign/run/control.ts')

export const pause = controlAction('pause', ({ pauseMerge }) => pauseMerge, {
  describe: 'Hold a run until mailmerge resume',
  run: 'Run to hold; default: the unfinished one',
})

export const cancel = controlAction('cancel', ({ cancelMerge }) => cancelMerge, {
  describe: 'End a run for good',
  run: 'Run to end; default: the unfinished one',
})

/** 75 where the process that delivers the run was asked and has not stopped yet. */
function controlAction(
  name: string,
  functionOf: (control: Control) => Control['pauseMerge' | 'cancelMerge'],
  help: { readonly describe: string; readonly run: string },
): Action {
  return {
    usage: `${name} [run]`,
    describe: help.describe,
    positionals: { run: { names: 'run', describe: help.run } },
    options: LEDGER_OPTION,
    async run(args, context) {
      const { io, out } = context
      const settings = await settingsFor(args, context)
      const control = functionOf(await import('../../campaign/run/control.ts'))
      const signals = watchSignals(io.signals)
      try {
        const { run, state } = await control(settings, args.text('run'), signals.signal)
        if (out.json) out.result(JSON.stringify({ run, state }))
        else if (!out.quiet) out.result(WORDS[state](run))
        return state === 'asked' ? (signals.exitCode ?? 75) : 0
      } finally {
        signals.dispose()
      }
    },
  }
}

const WORDS: Readonly<Record<RunControlResult['state'], (run: string) => string>> = {
  paused: (run) => `${run} is paused; mailmerge resume ${run} continues it`,
  cancelled: (run) => `${run} is cancelled: what was not sent stays unsent`,
  asked: (run) =>
    `the process that sends ${run} has been asked to stop and has not stopped yet; mailmerge status shows it`,
}
