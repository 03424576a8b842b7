/**
 * Reads the source once, checks and renders every row, and records the plan. Owns the promise that nothing is sent until
 * every row is known to be good; opens no connection.
 */
import type { Settings } from '../../config/settings.ts'
import { DataError, MailmergeError, type Problem } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { PlanCounts, PlannedRow, SkipReason } from '../../ledger/records.ts'
import type { Row, Source } from '../../source/source.ts'
import { unmark } from '../../template/marked-text.ts'
import type { Rendered } from '../../template/template.ts'
import type { Followed, FollowUp } from '../run/follow-up.ts'
import type { Prepared, Preparer } from './render-row.ts'
import type { Selector } from './select.ts'

export interface PlanOptions {
  readonly ledger: Ledger
  readonly runId: string
  readonly source: Source
  readonly preparer: Preparer
  readonly selector: Selector
  readonly settings: Settings
  /** Plan the good rows and skip the bad ones. */
  readonly skipBad: boolean
  readonly now: Date
  /** Told after each batch, with the rows read so far. */
  readonly onRows?: (rows: number) => void
  /** Told each problem, also those beyond the ones that are kept. */
  readonly onProblem?: (problem: Problem) => void
  readonly signal?: AbortSignal
  /** Not before this moment, row by row. Throws DataError for a row that has no such moment. */
  readonly notBefore?: (row: Row) => Date | undefined
  /** The earlier campaign that this one follows. */
  readonly follow?: FollowUp
}

/** The first row that is going to be sent, to show what the run is about. */
export interface FirstMessage {
  readonly address: string
  readonly from: string
  readonly subject: string
}

export interface Planned {
  readonly counts: PlanCounts
  /** Bad rows that `skipBad` let through as skipped. */
  readonly problems: readonly Problem[]
  readonly first?: FirstMessage
}

/** Problems listed in full; beyond it they are only counted. */
const LISTED_PROBLEMS = 1000

/** Problems of a plan: all counted, so many kept. */
class ProblemList {
  readonly kept: Problem[] = []
  readonly #tell: ((problem: Problem) => void) | undefined
  count = 0

  constructor(tell: ((problem: Problem) => void) | undefined) {
    this.#tell = tell
  }

  add(problems: readonly Problem[]): void {
    this.count += problems.length
    for (const problem of problems) {
      this.#tell?.(problem)
      if (this.kept.length < LISTED_PROBLEMS) this.kept.push(problem)
    }
  }
}

/** Rows, and octets of them, that one transaction records. */
const RECORDED_ROWS = 1000
const RECORDED_OCTETS = 2_000_000

/** Records rows many at a time, while the next ones are checked: never more than two transactions' worth in memory. */
class Recorder {
  readonly #ledger: Ledger
  readonly #runId: string
  #rows: PlannedRow[] = []
  #octets = 0
  #recording: Promise<void> = Promise.resolve()

  constructor(ledger: Ledger, runId: string) {
    this.#ledger = ledger
    this.#runId = runId
  }

  add(row: PlannedRow): void {
    this.#rows.push(row)
    this.#octets += row.data.length
  }

  /** Records when enough came together. */
  async turn(): Promise<void> {
    if (this.#rows.length >= RECORDED_ROWS || this.#octets >= RECORDED_OCTETS) await this.#record()
  }

  async end(): Promise<void> {
    if (this.#rows.length > 0) await this.#record()
    await this.#recording
  }

  async #record(): Promise<void> {
    await this.#recording
    this.#recording = this.#ledger.plans.add(this.#runId, this.#rows)
    // It is waited for at the next turn; until then nobody hears it fail.
    this.#recording.catch(() => {})
    this.#rows = []
    this.#octets = 0
  }
}

/**
 * Plans a run. The ledger holds the run as `planning` before, and as `ready` after; when this throws the run is gone.
 * @throws DataError with every problem by row and column, when a row is bad and `skipBad` is not set.
 */
export async function planRows(options: PlanOptions): Promise<Planned> {
  const { ledger, runId } = options
  try {
    return await readAndSettle(options)
  } catch (error) {
    await ledger.runs.drop(runId).catch(() => {})
    throw error
  }
}

async function readAndSettle(options: PlanOptions): Promise<Planned> {
  const { ledger, runId, source, settings, skipBad } = options
  const bad = new ProblemList(options.onProblem)
  let first: Rendered | undefined
  let firstAddress = ''
  let rows = 0
  const recorder = new Recorder(ledger, runId)
  for await (const batch of source.rows()) {
    options.signal?.throwIfAborted()
    const followed = await options.follow?.look(batch.map((row) => options.preparer.identify(row).key))
    for (const row of batch) {
      const outcome = planRow(row, options, bad, followed)
      const settled = outcome instanceof Promise ? await outcome : outcome
      recorder.add(settled.planned)
      if (settled.rendered !== undefined && first === undefined) {
        first = settled.rendered
        firstAddress = settled.planned.address
      }
    }
    rows += batch.length
    await recorder.turn()
    options.onRows?.(rows)
  }
  await recorder.end()
  if (rows === 0) {
    throw new DataError(`${source.name} has no rows`, {
      hint: 'A list needs a line of column names and at least one row below it.',
    })
  }
  // Rows that are bad are skipped on request, and so is the second of two.
  const duplicates = skipBad && settings.duplicates === 'error' ? 'skip' : settings.duplicates
  const counts = bad.count > 0 && !skipBad ? undefined : await ledger.plans.complete(runId, { duplicates })
  if (counts === undefined) {
    if (duplicates === 'error') await listDuplicates(options, bad)
    throw refused(source.name, bad)
  }
  return {
    counts,
    problems: bad.kept,
    ...(first === undefined
      ? {}
      : { first: { address: firstAddress, from: unmark(first.from), subject: first.subject } }),
  }
}

interface PlannedOutcome {
  readonly planned: PlannedRow
  readonly rendered?: Rendered
}

function planRow(
  row: Row,
  options: PlanOptions,
  bad: ProblemList,
  earlier: ReadonlyMap<string, Followed> | undefined,
): PlannedOutcome | Promise<PlannedOutcome> {
  const unselected = options.selector(row)
  if (unselected !== undefined) return { planned: skipped(row, unselected, options) }
  if (row.problems !== undefined && row.problems.length > 0) return badRow(row, row.problems, options, bad)
  try {
    const { follow, preparer } = options
    const followed = earlier && follow && followedBy(row, preparer, follow, earlier)
    if (followed?.stop !== undefined) return { planned: skipped(row, followed.stop, options) }
    const notBefore = later(options.notBefore?.(row), followed?.notBefore)
    const checked = options.preparer.check(row, options.now, followed?.thread)
    if (!(checked instanceof Promise)) return goodRow(row, checked, notBefore)
    return checked.then(
      (prepared) => goodRow(row, prepared, notBefore),
      (error: unknown) => badRow(row, problemsOf(error), options, bad),
    )
  } catch (error) {
    return badRow(row, problemsOf(error), options, bad)
  }
}

function followedBy(row: Row, preparer: Preparer, follow: FollowUp, earlier: ReadonlyMap<string, Followed>): Followed {
  return earlier.get(preparer.identify(row).key) ?? { stop: follow.absent }
}

function later(one: Date | undefined, other: Date | undefined): Date | undefined {
  return one === undefined || (other !== undefined && other > one) ? other : one
}

function goodRow(
  row: Row,
  { key, address, data, rendered, variant }: Prepared,
  notBefore: Date | undefined,
): PlannedOutcome {
  const planned = {
    row: row.number,
    key,
    address,
    data,
    ...(notBefore === undefined ? {} : { notBefore }),
    ...(variant === undefined ? {} : { variant }),
  }
  return { planned, rendered }
}

function badRow(row: Row, problems: readonly Problem[], options: PlanOptions, bad: ProblemList): PlannedOutcome {
  const placed = problems.map((problem) => ({
    ...problem,
    // A problem in a template's own text keeps that file and line; all else is in the list.
    ...(problem.file === undefined && row.line !== undefined ? { line: row.line } : {}),
    file: problem.file ?? options.source.name,
    row: row.number,
  }))
  bad.add(placed)
  const [problem] = problems
  return { planned: skipped(row, { kind: 'bad', detail: problem?.message ?? 'not readable' }, options) }
}

/** A row that is not sent is planned too, with the key it would have, so that the report knows it. */
function skipped(row: Row, skip: SkipReason, { preparer }: PlanOptions): PlannedRow {
  return { row: row.number, ...preparer.identify(row), data: '', skip }
}

/** What a broken row says for itself; anything that is not about the row stops the plan. */
function problemsOf(error: unknown): readonly Problem[] {
  if (!(error instanceof MailmergeError) || error.exitCode !== 65) throw error
  if (error.problems.length > 0) return error.problems
  return [
    {
      severity: 'error',
      code: 'bad-row',
      message: error.message,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    },
  ]
}

async function listDuplicates({ ledger, runId, source, settings }: PlanOptions, bad: ProblemList): Promise<void> {
  const duplicates = await ledger.plans.duplicates(runId, LISTED_PROBLEMS)
  bad.add(
    duplicates.map(({ key, row, firstRow }) => ({
      severity: 'error',
      code: 'duplicate',
      message: `the same ${settings.key ?? 'address'} as row ${firstRow}`,
      hint: 'Remove one of them, or choose --duplicates skip (the first counts) or --duplicates all.',
      file: source.name,
      row,
      value: key,
      ...(settings.key === undefined ? {} : { column: settings.key }),
    })),
  )
}

function refused(name: string, bad: ProblemList): DataError {
  const some = bad.count === 1 ? 'one problem' : `${bad.count} problems`
  return new DataError(`${some} in ${name}; nothing was sent`, {
    problems: bad.kept,
    hint: 'Mend the list and give the command again, or send the good rows with --skip-bad.',
  })
}
