/**
 * Reads the source once, checks and renders every row, and records the plan. Owns the promise that nothing is sent until
 * every row is known to be good; opens no connection.
 */
import { DataError, type Problem, problemsOf } from '../../errors.ts'
import type { PlanCounts, PlannedRow, SkipReason } from '../../ledger/records.ts'
import { andThen, isPending, type MaybePromise } from '../../maybe-promise.ts'
import { problemsIn, type Row } from '../../source/source.ts'
import { laterOf } from '../clock.ts'
import type { Followed, FollowUp } from '../run/follow-up.ts'
import { planGroups } from './plan-groups.ts'
import type { PlanOptions } from './plan-options.ts'
import { LISTED_PROBLEMS, ProblemList } from './problem-list.ts'
import { Recorder } from './recorder.ts'
import type { CheckedRow, RowRenderer } from './render-row.ts'

export interface Planned {
  readonly counts: PlanCounts
  /** Bad rows that `skipBad` let through as skipped. */
  readonly problems: readonly Problem[]
  /** Problems beyond those that are listed. */
  readonly unlisted: number
  /** Bad rows, of those problems, whose message is made of its other rows: the first of these by the number of the bad row. */
  readonly withoutBad: ReadonlyMap<number, number>
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
  const { grouping } = options
  const rows =
    grouping === undefined ? await readRows(options, bad, recorder) : await planGroups(options, grouping, bad, recorder)
  await recorder.end()
  if (rows === 0) {
    throw new DataError(`${source.name} has no rows`, {
      hint: 'A list needs a line of column names and at least one row below it.',
    })
  }
  // Rows that are bad are skipped on request, and so is the second of two.
  const duplicates = skipBad && options.duplicates === 'error' ? 'skip' : options.duplicates
  const counts = bad.count > 0 && !skipBad ? undefined : await ledger.plans.complete(runId, { duplicates })
  if (counts !== undefined) return { counts, problems: bad.kept, unlisted: bad.unlisted, withoutBad: bad.withoutBad }
  if (duplicates === 'error') bad.add(await duplicateProblems(options), source.name)
  throw refused(source.name, bad)
}

/** Each row as a message. Gives the number of rows. */
async function readRows(options: PlanOptions, bad: ProblemList, recorder: Recorder): Promise<number> {
  const { source, observer } = options
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
  return rows
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
    const notBefore = laterOf(options.waits ? startTime : undefined, followed?.notBefore)
    const checked = renderer.check(row, options.now, followed?.thread)
    return andThen(checked, (good) => goodRow(row, good, notBefore), failed)
  } catch (error) {
    return failed(error)
  }
}

function followedBy(
  row: Row,
  renderer: RowRenderer,
  follow: FollowUp,
  earlier: ReadonlyMap<string, Followed>,
): Followed {
  return earlier.get(renderer.identify(row).key) ?? { stop: follow.absent }
}

function goodRow(row: Row, checked: CheckedRow, notBefore: Date | undefined): RowOutcome {
  const { rendered: _, rows: __, ...rest } = checked
  // A copy, not a literal: while rows wait to be recorded, V8 would allocate every later one as old (see `BATCH_ROWS`).
  return { planned: { ...rest, row: row.number, notBefore }, checked }
}

function badRow(row: Row, problems: readonly Problem[], options: PlanOptions, bad: ProblemList): RowOutcome {
  return skipped(row, bad.addRow(row, problems, options.source.name), options.renderer)
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
