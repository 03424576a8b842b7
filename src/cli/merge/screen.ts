/**
 * A merge with a person in front of it: progress, questions, signals, summary. Shared by run, resume and retry; the merge
 * itself is the function handed in.
 */
import type { MergeEvent, PlannedEvent, RowEvent, SummaryEvent } from '../../campaign/events.ts'
import type { MergeHooks, MergeMode, PlanPreview } from '../../campaign/merge.ts'
import { UnfinishedError } from '../../errors.ts'
import { stopWords } from '../../report/reasons.ts'
import { escapeInvisible } from '../../text/visible.ts'
import type { Context } from '../command.ts'
import { showError } from '../terminal/errors.ts'
import { count } from '../terminal/format.ts'
import { askYesNo, canAsk } from '../terminal/prompt.ts'
import { cut } from '../terminal/table.ts'
import { confirmLines } from './confirm.ts'
import { eventFields } from './json-events.ts'
import { Progress } from './progress.ts'
import { watchSignals } from './signals.ts'
import { exitCodeOf, nextSteps, summaryLines } from './summary.ts'

export interface DriveOptions {
  readonly mode: MergeMode
  /** No question before sending. */
  readonly yes: boolean
  /** Whose clocks hours are told by; without it those of this machine. */
  readonly timeZone?: string | undefined
  /** The rows were checked before and are not read again. */
  readonly planned?: boolean
}

/** Rows that went wrong and are told as they happen, without --verbose. */
const TOLD_ROWS = 10

/** Runs `merge` and gives the exit code of its end. */
export async function driveMerge(
  { io, out }: Context,
  options: DriveOptions,
  merge: (hooks: MergeHooks) => Promise<SummaryEvent>,
): Promise<number> {
  const progress = new Progress(out)
  const teller = new RowTeller(out)
  let asking = false
  const signals = watchSignals(io.signals, {
    onFirst: () => {
      if (!asking) out.info('stopping: finishing what is in flight. Once more to stop at once.')
    },
    onSecond: () => out.info('stopping at once'),
  })
  const exitCode = (summary: SummaryEvent): number => exitCodeOf(summary, signals.exitCode)
  let before: PlannedEvent | undefined
  let last: SummaryEvent | undefined
  const conclude = (summary: SummaryEvent): void => {
    progress.end()
    teller.end()
    if (!out.json && summary.stopped?.kind !== 'not-confirmed' && !(out.quiet && summary.outcome === 'done')) {
      const print = out.quiet ? (line: string) => out.error(line) : (line: string) => out.result(line)
      for (const line of summaryLines(summary, options.mode, out, io.cwd, before)) print(line)
    }
  }
  const advise = (summary: SummaryEvent): void => {
    for (const line of nextSteps(summary, options.mode, options.timeZone)) out.info(line)
  }
  const onEvent = (event: MergeEvent): void => {
    if (out.json)
      out.result(
        JSON.stringify(eventFields(event.event === 'summary' ? { ...event, exitCode: exitCode(event) } : event)),
      )
    switch (event.event) {
      case 'planned':
        before = event
        progress.planned(event, options.planned ? 'planned' : 'checked')
        break
      case 'progress':
        progress.update(event)
        break
      case 'paused':
        progress.paused(event.reason, event.until)
        break
      case 'summary':
        last = event
        break
      default:
        teller.row(event)
    }
  }
  const asks = !options.yes && options.mode === 'send' && canAsk(io)
  const confirm = async (plan: PlanPreview): Promise<boolean> => {
    for (const line of confirmLines(plan, out, options.timeZone)) out.error(line)
    asking = true
    const agreed = await askYesNo(
      io,
      `Send ${plan.toSend === 1 ? 'this message' : `these ${count(plan.toSend)} messages`}?`,
      {
        onInterrupt: () => signals.raise('SIGINT'),
        signal: signals.signal,
      },
    )
    asking = false
    return agreed && !signals.signal.aborted
  }
  try {
    const summary = await merge({
      onEvent,
      onRows: (rows) => progress.reading(rows),
      note: (text) => out.info(escapeInvisible(text)),
      signal: signals.signal,
      abort: signals.abort,
      ...(asks ? { confirm } : {}),
      ...(out.verbose ? { dialogue: (line: string) => out.info(out.style('dim', escapeInvisible(line))) } : {}),
    })
    const { stopped } = summary
    conclude(summary)
    if (stopped !== undefined && stopped.kind !== 'not-confirmed' && stopped.kind !== 'not-begun')
      out.info(`stopped: ${escapeInvisible(stopWords(stopped))}`)
    advise(summary)
    return exitCode(summary)
  } catch (error) {
    progress.end()
    // What broke may have broken after much was sent: what came of it, what broke, how to go on.
    if (last !== undefined && signals.exitCode === undefined) {
      conclude(last)
      const code = showError(error, out)
      advise(last)
      return code
    }
    if (last !== undefined) {
      conclude(last)
      advise(last)
    }
    // Stopped while the rows were still being checked: the plan is dropped, nothing was sent.
    if (signals.exitCode !== undefined && error instanceof Error && error.name === 'AbortError') {
      out.info('stopped before anything was sent')
      return signals.exitCode
    }
    // What could not be done because of the signal is told by the signal.
    if (signals.exitCode !== undefined && error instanceof UnfinishedError) return signals.exitCode
    throw error
  } finally {
    out.flush()
    signals.dispose()
  }
}

/** Tells rows that went wrong as they happen; under --verbose every row. */
class RowTeller {
  readonly #out: Context['out']
  #told = 0
  #untold = 0

  constructor(out: Context['out']) {
    this.#out = out
  }

  row(event: RowEvent): void {
    const wrong = event.event === 'failed' || event.event === 'in_doubt'
    if (!this.#out.verbose && !wrong) return
    if (!this.#out.verbose && this.#told >= TOLD_ROWS) {
      this.#untold++
      return
    }
    if (wrong) this.#told++
    const who = event.address === '' ? event.key : event.address
    const words = event.event.replace('_', ' ')
    const answer = [event.smtpCode, event.enhancedCode, event.response].filter((part) => part !== undefined).join(' ')
    const why = [event.reason, answer].filter((part) => part !== '').join(': ')
    const line = `row ${event.row} ${escapeInvisible(who)} ${words}${why === '' ? '' : `: ${cut(escapeInvisible(why), 300)}`}`
    this.#out.info(wrong ? this.#out.style(event.event === 'failed' ? 'red' : 'yellow', line) : line)
  }

  end(): void {
    if (this.#untold > 0) this.#out.info(`and ${count(this.#untold)} more; the results list each`)
  }
}
