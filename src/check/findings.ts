/**
 * Everything that a check found, in the order of its weight. Owns counting and the bound on what is kept, so that a list of
 * a million wrong rows does not fill the memory; judges nothing.
 */
import type { Problem, Severity } from '../errors.ts'

/** Problems of one code that are kept; more are counted. */
const KEPT = 1_000
/** Different sayings of one code about messages that are kept. */
const KEPT_SAYINGS = 50

const WEIGHT: Readonly<Record<Severity, number>> = { error: 0, warning: 1, info: 2 }

export type SeverityCounts = Readonly<Record<Severity, number>>

interface Counted {
  readonly problem: Problem
  rows: number
}

interface OfCode {
  readonly kept: Problem[]
  readonly severity: Severity
  more: number
}

export class Findings {
  readonly #codes = new Map<string, OfCode>()
  readonly #sayings = new Map<string, Map<string, Counted>>()
  readonly #counts: Record<Severity, number> = { error: 0, warning: 0, info: 0 }

  get counts(): SeverityCounts {
    return this.#counts
  }

  /** One thing that is wrong in one place. */
  add(problem: Problem): void {
    this.#counts[problem.severity]++
    const of = this.#codes.get(problem.code) ?? { kept: [], severity: problem.severity, more: 0 }
    this.#codes.set(problem.code, of)
    if (of.kept.length < KEPT) of.kept.push(problem)
    else of.more++
  }

  /** One thing that many rows may have alike: said once, with the first row and the number of rows. */
  addAlike(problem: Problem): void {
    const sayings = this.#sayings.get(problem.code) ?? new Map<string, Counted>()
    this.#sayings.set(problem.code, sayings)
    const key = `${problem.message}\n${problem.value ?? ''}`
    const known = sayings.get(key)
    if (known !== undefined) known.rows++
    else if (sayings.size < KEPT_SAYINGS) {
      sayings.set(key, { problem, rows: 1 })
      this.#counts[problem.severity]++
    }
  }

  /** All of them: errors first, then warnings, then what is only worth knowing; each in the order of the rows. */
  sorted(rows: number): readonly Problem[] {
    const problems: Problem[] = []
    for (const [code, { kept, severity, more }] of this.#codes) {
      problems.push(...kept)
      if (more > 0) problems.push({ severity, code, message: `and ${more.toLocaleString('en-US')} more of this kind` })
    }
    for (const sayings of this.#sayings.values()) {
      for (const { problem, rows: count } of sayings.values()) problems.push(withRows(problem, count, rows))
    }
    return problems
      .map((problem, order) => ({ problem, order }))
      .sort((a, b) => compare(a.problem, b.problem) || a.order - b.order)
      .map(({ problem }) => problem)
  }
}

function compare(a: Problem, b: Problem): number {
  return WEIGHT[a.severity] - WEIGHT[b.severity] || (a.row ?? 0) - (b.row ?? 0)
}

/** What all rows have alike is the template's matter and names no row. */
function withRows(problem: Problem, count: number, rows: number): Problem {
  if (count === 1 && rows > 1) return problem
  const { row: _, ...whole } = problem
  if (count >= rows) return whole
  return { ...problem, message: `${problem.message}, in ${count.toLocaleString('en-US')} rows from this one on` }
}
