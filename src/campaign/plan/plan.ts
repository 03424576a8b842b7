/**
 * Reads the source once, checks and renders every row, and records the plan. Owns the promise that nothing is sent until
 * every row is known to be good; opens no connection.
 */
import { DataError, type Problem, problemsOf } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { DuplicatePolicy, PlanCounts, PlannedRow, SkipReason } from '../../ledger/records.ts'
import { andThen, isPending, type MaybePromise } from '../../maybe-promise.ts'
import type { Row, Source } from '../../source/source.ts'
import type { Followed, FollowUp } from '../run/follow-up.ts'
import type { RowIdentity } from './recipient.ts'
import type { StartTimes } from './recipient-time.ts'
import type { CheckedRow, RowRenderer } from './render-row.ts'
import type { Excluded, Selector } from './select.ts'

export interface PlanOptions {
  /** Columns that the templates and the recipients are made of. */
  readonly used: ReadonlySet<string>
  readonly ledger: Pick<Ledger, 'runs' | 'plans'>
  readonly runId: string
  readonly source: Source
  readonly renderer: RowRenderer
  readonly selector: Selector
  /** Rows that are left out before the selector counts them. */
  readonly excluded: Excluded | undefined
  readonly duplicates: DuplicatePolicy
  /** Column of the recipient key, to name it where two rows share one. */
  readonly key: string | undefined
  /** Plan the good rows and skip the bad ones. */
  readonly skipBad: boolean
  readonly now: Date
  /** When each row may be sent at the earliest. */
  readonly startTimes: StartTimes | undefined
  /** False in a rehearsal, which checks start times and waits for none. */
  readonly waits: boolean
  /** The earlier campaign that this one follows. */
  readonly follow: FollowUp | undefined
  /** Which of the good rows are left out all the same, and why: those who are suppressed. */
  readonly leftOut: LeftOut | undefined
  readonly observer: PlanObserver
  readonly signal: AbortSignal | undefined
}

/** Gives, by key, the rows that are not to be sent although they are good. */
export type LeftOut = (rows: readonly RowIdentity[]) => Promise<ReadonlyMap<RowIdentity, SkipReason>>

/** Who watches a plan being made. */
export interface PlanObserver {
  /** A row that would be sent. */
  readonly onChecked?: (row: Row, checked: CheckedRow) => void
  /** A row that is left out before it is rendered. */
  readonly onSkipped?: (row: Row, skip: SkipReason) => void
  /** Each problem, also those beyond the ones that are kept. */
  readonly onProblem?: (problem: Problem) => void
  /** After each batch of rows, with the number read so far. */
  readonly onBatch?: (rows: readonly Row[], read: number) => void | Promise<void>
}

export interface Planned {
  readonly counts: PlanCounts
  /** Bad rows that `skipBad` let through as skipped. */
  readonly problems: readonly Problem[]
  /** Problems beyond those that are listed. */
  readonly unlisted: number
}

/** Problems listed in full; beyond it they are only counted. */
const LISTED_PROBLEMS = 1000

/** Problems of a plan: all counted, the first thousand kept. */
class ProblemList {
  readonly kept: Problem[] = []
  readonly #onProblem: PlanObserver['onProblem']
  count = 0
  /** Rows that were rendered, or should have been. */
  rendered = 0
  /** The first problem that a template's own text has, and how many rows have it alike. */
  #ofTemplate: { readonly problem: Problem; rows: number } | undefined

  constructor(onProblem: PlanObserver['onProblem']) {
    this.#onProblem = onProblem
  }

  get unlisted(): number {
    return this.count - this.kept.length
  }

  /** The problem that every row has in the same place of the template, if there is one. */
  get ofTemplate(): Problem | undefined {
    const { problem, rows } = this.#ofTemplate ?? { problem: undefined, rows: 0 }
    if (problem === undefined || rows < 2 || rows < this.rendered) return undefined
    const { row: _, ...whole } = problem
    return whole
  }

  add(problems: readonly Problem[], list: string): void {
    this.count += problems.length
    for (const problem of problems) {
      this.#onProblem?.(problem)
      if (this.kept.length < LISTED_PROBLEMS) this.kept.push(problem)
      if (problem.file === undefined || problem.file === list) continue
      this.#ofTemplate ??= { problem, rows: 0 }
      if (isSame(this.#ofTemplate.problem, problem)) this.#ofTemplate.rows++
    }
  }
}

function isSame(one: Problem, other: Problem): boolean {
  return (['file', 'line', 'column', 'code', 'message'] as const).every((key) => one[key] === other[key])
}

/** Rows, and bytes of them, that one transaction records. */
const RECORDED_ROWS = 1000
const RECORDED_BYTES = 2_000_000

/** Records rows many at a time, while the next ones are checked: never more than two transactions' worth in memory. */
class Recorder {
  readonly #plans: Ledger['plans']
  readonly #runId: string
  #rows: PlannedRow[] = []
  #bytes = 0
  #recording: Promise<void> = Promise.resolve()

  constructor(plans: Ledger['plans'], runId: string) {
    this.#plans = plans
    this.#runId = runId
  }

  add(row: PlannedRow): void {
    this.#rows.push(row)
    this.#bytes += row.data.length
  }

  /** Records when there is enough for a transaction. */
  async flushFull(): Promise<void> {
    if (this.#rows.length >= RECORDED_ROWS || this.#bytes >= RECORDED_BYTES) await this.#record()
  }

  async end(): Promise<void> {
    if (this.#rows.length > 0) await this.#record()
    await this.#recording
  }

  async #record(): Promise<void> {
    await this.#recording
    this.#recording = this.#plans.add(this.#runId, this.#rows)
    // It is waited for at the next record; until then a failure must not count as unhandled.
    this.#recording.catch(() => {})
    this.#rows = []
    this.#bytes = 0
  }
}

/**
 * Plans a run. The ledger holds the run as `planning` before, and as `ready` after; when this throws the run is gone.
 * @throws DataError with every problem by row and column, when a row is bad and `skipBad` is not set.
 */
export async function planRows(options: PlanOptions): Promise<Planned> {
  const { ledger, runId } = options
  try {
    return await readAndComplete(options)
  } catch (error) {
    await ledger.runs.drop(runId).catch(() => {})
    throw error
  }
}

async function readAndComplete(options: PlanOptions): Promise<Planned> {
  const { ledger, runId, source, skipBad, observer } = options
  const bad = new ProblemList(observer.onProblem)
  const recorder = new Recorder(ledger.plans, runId)
  let rows = 0
  for await (const batch of source.rows()) {
    options.signal?.throwIfAborted()
    const followed = await options.follow?.find(batch.map((row) => options.renderer.identify(row).key))
    const excluded = await options.excluded?.(batch)
    const startTimes = await options.startTimes?.(batch)
    const plans: PlannedRow[] = []
    for (const row of batch) {
      const outcome = planRow(row, options, bad, followed, excluded?.get(row.number), startTimes?.get(row.number))
      const { planned, checked } = isPending(outcome) ? await outcome : outcome
      plans.push(planned)
      if (checked !== undefined) observer.onChecked?.(row, checked)
      if (planned.skip === undefined || planned.skip.kind === 'bad') bad.rendered++
      else observer.onSkipped?.(row, planned.skip)
    }
    const leftOut = await options.leftOut?.(plans.filter(({ skip }) => skip === undefined))
    for (const planned of plans) {
      const skip = leftOut?.get(planned)
      recorder.add(skip === undefined ? planned : { ...planned, data: '', skip })
    }
    rows += batch.length
    await recorder.flushFull()
    await observer.onBatch?.(batch, rows)
  }
  await recorder.end()
  if (rows === 0) {
    throw new DataError(`${source.name} has no rows`, {
      hint: 'A list needs a line of column names and at least one row below it.',
    })
  }
  // Rows that are bad are skipped on request, and so is the second of two.
  const duplicates = skipBad && options.duplicates === 'error' ? 'skip' : options.duplicates
  const counts = bad.count > 0 && !skipBad ? undefined : await ledger.plans.complete(runId, { duplicates })
  if (counts !== undefined) return { counts, problems: bad.kept, unlisted: bad.unlisted }
  if (duplicates === 'error') bad.add(await duplicateProblems(options), source.name)
  throw refused(source.name, bad)
}

interface RowOutcome {
  readonly planned: PlannedRow
  /** Where the row would be sent. */
  readonly checked?: CheckedRow
}

function planRow(
  row: Row,
  options: PlanOptions,
  bad: ProblemList,
  earlier: ReadonlyMap<string, Followed> | undefined,
  excluded: SkipReason | undefined,
  startTime: Date | DataError | undefined,
): MaybePromise<RowOutcome> {
  const { renderer } = options
  let unselected = excluded
  try {
    unselected ??= options.selector(row)
  } catch (error) {
    return badRow(row, [...problemsIn(row, options.used), ...problemsOf(error, 'bad-row')], options, bad)
  }
  if (unselected !== undefined) return skipped(row, unselected, renderer)
  const problems = problemsIn(row, options.used)
  if (problems.length > 0) return badRow(row, problems, options, bad)
  const failed = (error: unknown): RowOutcome => badRow(row, problemsOf(error, 'bad-row'), options, bad)
  try {
    const { follow } = options
    const followed = earlier && follow && followedBy(row, renderer, follow, earlier)
    if (followed?.stop !== undefined) return skipped(row, followed.stop, renderer)
    if (startTime instanceof DataError) throw startTime
    const notBefore = later(options.waits ? startTime : undefined, followed?.notBefore)
    const checked = renderer.check(row, options.now, followed?.thread)
    return andThen(checked, (good) => goodRow(row, good, notBefore), failed)
  } catch (error) {
    return failed(error)
  }
}

/** What is wrong with the row itself. */
function problemsIn(row: Row, used: ReadonlySet<string>): readonly Problem[] {
  const { problems = [], unreadable } = row
  if (unreadable === undefined) return problems
  return [...problems, ...unreadable.filter(({ column }) => column === undefined || used.has(column))]
}

function followedBy(
  row: Row,
  renderer: RowRenderer,
  follow: FollowUp,
  earlier: ReadonlyMap<string, Followed>,
): Followed {
  return earlier.get(renderer.identify(row).key) ?? { stop: follow.absent }
}

function later(one: Date | undefined, other: Date | undefined): Date | undefined {
  return one === undefined || (other !== undefined && other > one) ? other : one
}

function goodRow(row: Row, checked: CheckedRow, notBefore: Date | undefined): RowOutcome {
  const { rendered: _, ...rest } = checked
  // A copy, not a literal: while rows wait to be recorded, V8 would allocate every later one as old (see `BATCH_ROWS`).
  return { planned: { ...rest, row: row.number, notBefore }, checked }
}

function badRow(row: Row, problems: readonly Problem[], options: PlanOptions, bad: ProblemList): RowOutcome {
  const placed = problems.map((problem) => ({
    ...problem,
    // A problem in a template's own text keeps that file and line; all else is in the list.
    line: problem.file === undefined ? (row.line ?? problem.line) : problem.line,
    file: problem.file ?? options.source.name,
    row: row.number,
  }))
  bad.add(placed, options.source.name)
  const [problem] = problems
  return skipped(row, { kind: 'bad', detail: problem?.message ?? 'not readable' }, options.renderer)
}

/** A row that is not sent is planned too, with the key it would have, so that the report knows it. */
function skipped(row: Row, skip: SkipReason, renderer: RowRenderer): RowOutcome {
  return { planned: { row: row.number, ...renderer.identify(row), data: '', skip } }
}

async function duplicateProblems({ ledger, runId, source, key: column }: PlanOptions): Promise<readonly Problem[]> {
  const duplicates = await ledger.plans.duplicates(runId, LISTED_PROBLEMS)
  return duplicates.map(({ key, row, firstRow }) => ({
    severity: 'error',
    code: 'duplicate',
    message: `the same ${column ?? 'address'} as row ${firstRow}`,
    hint: 'Remove one of them, or choose --duplicates skip (the first counts) or --duplicates all.',
    file: source.name,
    row,
    value: key,
    column,
  }))
}

function refused(name: string, bad: ProblemList): DataError {
  const { ofTemplate } = bad
  if (ofTemplate !== undefined) {
    return new DataError(`the template has a problem in every row: ${ofTemplate.message}; nothing was sent`, {
      problems: [ofTemplate],
      hint: 'Fix the template and give the command again.',
    })
  }
  const some = bad.count === 1 ? 'one problem' : `${bad.count} problems`
  return new DataError(`${some} in ${name}; nothing was sent`, {
    problems: bad.kept,
    unlisted: bad.unlisted,
    hint: 'Fix the list and give the command again, or send the good rows with --skip-bad.',
  })
}
