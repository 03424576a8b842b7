/** What is wrong with the rows of a plan: all of it counted, the first thousand kept. Owns where each problem is placed. */
import type { Problem } from '../../errors.ts'
import type { SkipReason } from '../../ledger/records.ts'
import type { Row } from '../../source/source.ts'
import type { PlanObserver } from './plan-options.ts'

/** Problems listed in full; beyond it they are only counted. */
export const LISTED_PROBLEMS = 1000

/** Problems of a plan: all counted, the first thousand kept. */
export class ProblemList {
  readonly kept: Problem[] = []
  /** Rows of kept problems whose message is made without them, with its first row. */
  readonly withoutBad = new Map<number, number>()
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

  /** Adds what is wrong with a row, in its place, and gives the reason why that is skipped. */
  addRow(row: Pick<Row, 'number' | 'line'>, problems: readonly Problem[], list: string): SkipReason {
    const placed = problems.map((problem) => ({
      ...problem,
      // A problem in a template's own text keeps that file and line; all else is in the list.
      line: problem.file === undefined ? (row.line ?? problem.line) : problem.line,
      file: problem.file ?? list,
      row: row.number,
    }))
    this.add(placed, list)
    const [problem] = problems
    return { kind: 'bad', detail: problem?.message ?? 'not readable' }
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
