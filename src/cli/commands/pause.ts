/** `mailmerge pause` and `cancel`: hold a run, or end it for good; also one that another process is delivering. */
import type { RunControlResult } from '../../campaign/run/control.ts'
import type { Action, Context } from '../command.ts'
import { watchSignals } from '../merge/signals.ts'
import { LEDGER_OPTION, settingsFor } from '../settings-options.ts'

export const pause: Action = {
  usage: 'pause [run]',
  describe: 'Hold a run until mailmerge resume',
  positionals: { run: { names: 'run', describe: 'Run to hold; default: the unfinished one' } },
  options: LEDGER_OPTION,
  async run(args, context) {
    const settings = await settingsFor(args, context)
    const { pauseMerge } = await import('../../campaign/run/control.ts')
    return control(context, (signal) => pauseMerge(settings, args.text('run'), signal))
  },
}

export const cancel: Action = {
  usage: 'cancel [run]',
  describe: 'End a run for good',
  positionals: { run: { names: 'run', describe: 'Run to end; default: the unfinished one' } },
  options: LEDGER_OPTION,
  async run(args, context) {
    const settings = await settingsFor(args, context)
    const { cancelMerge } = await import('../../campaign/run/control.ts')
    return control(context, (signal) => cancelMerge(settings, args.text('run'), signal))
  },
}

/** 75 where the process that delivers the run was asked and has not stopped yet. */
async function control({ io, out }: Context, act: (signal: AbortSignal) => Promise<RunControlResult>): Promise<number> {
  const signals = watchSignals(io.signals)
  try {
    const { run, state } = await act(signals.signal)
    if (out.json) out.result(JSON.stringify({ run, state }))
    else if (!out.quiet) out.result(WORDS[state](run))
    return state === 'asked' ? (signals.exitCode ?? 75) : 0
  } finally {
    signals.dispose()
  }
}

const WORDS: Readonly<Record<RunControlResult['state'], (run: string) => string>> = {
  paused: (run) => `${run} is paused; mailmerge resume ${run} continues it`,
  cancelled: (run) => `${run} is cancelled: what was not sent stays unsent`,
  asked: (run) =>
    `the process that sends ${run} has been asked to stop and has not stopped yet; mailmerge status shows it`,
}
