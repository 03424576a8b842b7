/**
 * Runs a merge with a person in front of it: signals, the question before sending, what is shown meanwhile, the exit code.
 * Shared by run, resume and retry.
 */
import type { MergeEvent, PlannedEvent, RowEvent, SummaryEvent } from '../../campaign/events.ts'
import type { MergeHooks, MergeMode, PlanPreview } from '../../campaign/merge.ts'
import { type LedgerMissingError, UnfinishedError } from '../../errors.ts'
import { answeredWords, stopHint, stopWords } from '../../report/reasons.ts'
import { escapeInvisible } from '../../text/visible.ts'
import type { Context } from '../command.ts'
import { showError } from '../terminal/errors.ts'
import { count } from '../terminal/format.ts'
import type { Output } from '../terminal/output.ts'
import { askBesidePipe, askYesNo, canAsk, canAskBesidePipe } from '../terminal/prompt.ts'
import { cut } from '../terminal/table.ts'
import { confirmLines } from './confirm.ts'
import { eventFields } from './json-events.ts'
import { Progress } from './progress.ts'
import { watchSignals } from './signals.ts'
import { exitCodeOf, nextSteps, summaryLines } from './summary.ts'

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

export interface ScreenOptions {
  readonly mode: MergeMode
  /** Zone in which times are shown; undefined for that of this machine. */
  readonly timeZone: string | undefined
  /** Folder that paths are shown from. */
  readonly cwd: string
  /** What was done to the rows before sending: read and checked now, or planned before. */
  readonly rowsWere: 'checked' | 'planned'
}

/** Rows that went wrong and are shown as they happen, without --verbose. */
const SHOWN_ROWS = 10

/**
 * What a person sees of a merge: how far it is, rows that went wrong, the summary, what to do next; `--json` prints the events
 * instead. Starts and stops nothing.
 */
export class MergeScreen {
  readonly #out: Output
  readonly #options: ScreenOptions
  readonly #progress: Progress
  #planned: PlannedEvent | undefined
  #shownRows = 0
  #hiddenRows = 0

  constructor(out: Output, options: ScreenOptions) {
    this.#out = out
    this.#options = options
    this.#progress = new Progress(out, undefined, options.timeZone)
  }

  event(event: MergeEvent): void {
    if (this.#out.json) this.#out.result(JSON.stringify(eventFields(event)))
    switch (event.event) {
      case 'planned':
        this.#planned = event
        this.#progress.planned(event, this.#options.rowsWere)
        break
      case 'progress':
        this.#progress.update(event)
        break
      case 'paused':
        this.#progress.paused(event.reason, event.until, event.account)
        break
      case 'summary':
        break
      default:
        this.#row(event)
    }
  }

  /** Rows read so far while planning. */
  reading(rows: number): void {
    this.#progress.reading(rows)
  }

  note(text: string): void {
    this.#out.info(escapeInvisible(text))
  }

  dialogue(line: string): void {
    this.#out.info(this.#out.style('dim', escapeInvisible(line)))
  }

  /** Shows what is going to be sent, and gives the question. */
  question(plan: PlanPreview): string {
    for (const line of confirmLines(plan, this.#out, this.#options.timeZone)) this.#out.error(line)
    const number = plan.messages?.deferred ?? plan.toSend
    const messages = number === 1 ? 'this message' : `these ${count(number)} messages`
    return plan.drafts === true ? `Put ${messages} into Drafts?` : `Send ${messages}?`
  }

  /** Takes the live line away: something else is shown now. */
  endProgress(): void {
    this.#progress.end()
  }

  /** What came of the merge. */
  summary(summary: SummaryEvent): void {
    const out = this.#out
    this.#progress.end()
    if (this.#hiddenRows > 0) out.info(`and ${count(this.#hiddenRows)} more; the results list each`)
    if (out.json || summary.stopped?.kind === 'not-confirmed' || (out.quiet && summary.outcome === 'done')) return
    const { mode, cwd } = this.#options
    for (const line of summaryLines(summary, mode, out, cwd, this.#planned)) {
      if (out.quiet) out.error(line)
      else out.result(line)
    }
  }

  /** Why it stopped before its last row. */
  stopReason({ stopped }: SummaryEvent): void {
    if (stopped === undefined || stopped.kind === 'not-confirmed' || stopped.kind === 'not-begun') return
    this.#out.info(`stopped: ${escapeInvisible(stopWords(stopped))}`)
    const hint = stopHint(stopped)
    if (hint !== undefined) this.#out.info(`hint: ${hint}`)
  }

  /** What a person may do next. */
  nextSteps(summary: SummaryEvent): void {
    for (const line of nextSteps(summary, this.#options.mode, this.#options.timeZone)) this.#out.info(line)
  }

  /** A row that went wrong is shown as it happens; under --verbose every row is. */
  #row(event: RowEvent): void {
    const out = this.#out
    const wrong = event.event === 'failed' || event.event === 'in_doubt'
    if (!out.verbose && !wrong) return
    if (!out.verbose && this.#shownRows >= SHOWN_ROWS) {
      this.#hiddenRows++
      return
    }
    if (wrong) this.#shownRows++
    const line = rowLine(event)
    out.info(wrong ? out.style(event.event === 'failed' ? 'red' : 'yellow', line) : line)
  }
}

/** `row 7 ada@example.com failed: mailbox unknown: 550 5.1.1 No such user` */
function rowLine(event: RowEvent): string {
  const who = event.address === '' ? event.key : event.address
  const why = answeredWords(event)
  const words = event.event.replace('_', ' ')
  return `row ${event.row} ${escapeInvisible(who)} ${words}${why === '' ? '' : `: ${cut(escapeInvisible(why), 300)}`}`
}
