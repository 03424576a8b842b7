/** Runs a merge with a person in front of it: signals, the question before sending, the exit code. Shared by run, resume and retry. */
import type { MergeEvent, SummaryEvent } from '../../campaign/events.ts'
import type { MergeHooks, MergeMode, PlanPreview } from '../../campaign/merge.ts'
import { type LedgerMissingError, UnfinishedError } from '../../errors.ts'
import type { Context } from '../command.ts'
import { showError } from '../terminal/errors.ts'
import type { Output } from '../terminal/output.ts'
import { askBesidePipe, askYesNo, canAsk, canAskBesidePipe } from '../terminal/prompt.ts'
import { MergeScreen } from './screen.ts'
import { watchSignals } from './signals.ts'
import { exitCodeOf } from './summary.ts'

export interface DriveOptions {
  readonly mode: MergeMode
  /** Do not ask before sending. */
  readonly yes: boolean
  /** Zone in which times are shown; without it that of this machine. */
  readonly timeZone?: string | undefined
  /** The rows were checked before and are not read again. */
  readonly planned?: boolean
  /** The list comes from standard input, so that answers must come from the terminal itself. */
  readonly listFromStdin?: boolean
}

/** Runs `merge` and gives the exit code of its end. */
export async function driveMerge(
  { io, out }: Context,
  { mode, yes, timeZone, planned = false, listFromStdin = false }: DriveOptions,
  merge: (hooks: MergeHooks) => Promise<SummaryEvent>,
): Promise<number> {
  const screen = new MergeScreen(out, { mode, timeZone, cwd: io.cwd, rowsWere: planned ? 'planned' : 'checked' })
  const asks = !yes && mode === 'send' && (listFromStdin ? canAskBesidePipe(io) : canAsk(io))
  let asking = false
  const signals = watchSignals(io.signals, {
    onFirst: () => {
      if (!asking) out.info('stopping after the messages in flight. Press Ctrl+C again to stop at once.')
    },
    onSecond: () => out.info('stopping at once'),
  })
  let last: SummaryEvent | undefined
  const onEvent = (event: MergeEvent): void => {
    if (event.event === 'summary') last = event
    screen.event(event.event === 'summary' ? { ...event, exitCode: exitCodeOf(event, signals.exitCode) } : event)
  }
  const ask = async (question: string): Promise<boolean> => {
    asking = true
    const options = { onInterrupt: () => signals.raise('SIGINT'), signal: signals.signal }
    const agreed = await (listFromStdin ? askBesidePipe : askYesNo)(io, question, options)
    asking = false
    return agreed && !signals.signal.aborted
  }
  const confirm = (plan: PlanPreview): Promise<boolean> => ask(screen.question(plan))
  const confirmLoss = (error: LedgerMissingError): Promise<boolean> => {
    out.error(error.message)
    return ask('Go on without it? People may be written to a second time.')
  }
  try {
    const summary = await merge({
      onEvent,
      onRows: (rows) => screen.reading(rows),
      note: (text) => screen.note(text),
      signal: signals.signal,
      abort: signals.abort,
      ...(asks ? { confirm, confirmLoss } : {}),
      ...(out.verbose ? { dialogue: (line: string) => screen.dialogue(line) } : {}),
    })
    screen.summary(summary)
    screen.stopReason(summary)
    screen.nextSteps(summary)
    return exitCodeOf(summary, signals.exitCode)
  } catch (error) {
    screen.endProgress()
    // What broke may have broken after much was sent: what came of it, what broke, how to go on.
    if (last !== undefined) screen.summary(last)
    const code = broken(error, signals.exitCode, out)
    if (last !== undefined) screen.nextSteps(last)
    return code
  } finally {
    out.flush()
    signals.dispose()
  }
}

/** The exit code of a merge that broke: what could not be done because of a signal ends as the signal says. */
function broken(error: unknown, signalCode: number | undefined, out: Output): number {
  if (signalCode === undefined) return showError(error, out)
  // Stopped while the rows were still being checked: the plan is dropped, nothing was sent.
  if (error instanceof Error && error.name === 'AbortError') {
    out.info('stopped before anything was sent')
    return signalCode
  }
  return error instanceof UnfinishedError ? signalCode : showError(error, out)
}
