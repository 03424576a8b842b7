/**
 * Which rows of the source a run is about: `--rows`, `--limit`, `--where`. Owns their syntax; a row that is not
 * selected is planned as skipped, so that the report still adds up to the source.
 */
import { UsageError } from '../errors.ts'
import type { Row } from '../source/source.ts'
import { parseCondition } from './condition.ts'

export interface Selection {
  /** `1-20,33,40-` */
  readonly rows?: string
  readonly limit?: number
  /** `column=value`, `column!=value`, `column>value` ... all of which must hold. */
  readonly where?: readonly string[]
}

/** Says why a row is not selected, or nothing when it is. Stateful where `limit` counts: ask once a row, in order. */
export type Selector = (row: Row) => string | undefined

interface Range {
  readonly from: number
  readonly to: number
}

/**
 * Reads `1-20,33` into ranges; an open end (`40-`) runs to the last row.
 * @throws UsageError for anything else.
 */
export function parseRowRanges(text: string): readonly Range[] {
  return text.split(',').map((part) => {
    const match = /^\s*(\d+)\s*(?:(-)\s*(\d+)?)?\s*$/.exec(part)
    const from = Number(match?.[1])
    const to = match?.[2] === undefined ? from : match[3] === undefined ? Number.POSITIVE_INFINITY : Number(match[3])
    if (match === null || from < 1 || to < from) {
      throw new UsageError(`--rows does not understand '${part.trim()}'`, {
        hint: 'Rows are counted from 1 without the header: --rows 1-20,33,40-',
      })
    }
    return { from, to }
  })
}

/**
 * Makes the selector of a run.
 * @throws UsageError when the selection cannot be understood or names a column that the source has not.
 */
export function createSelector(selection: Selection, columns: readonly string[]): Selector {
  const ranges = selection.rows === undefined ? undefined : parseRowRanges(selection.rows)
  const conditions = (selection.where ?? []).map((text) => parseCondition(text, columns))
  const limit = selection.limit ?? Number.POSITIVE_INFINITY
  if (!(limit >= 0)) throw new UsageError('--limit needs a number of rows, 0 or more')
  let taken = 0
  return (row) => {
    if (ranges !== undefined && !ranges.some(({ from, to }) => row.number >= from && row.number <= to)) {
      return 'not selected by --rows'
    }
    for (const condition of conditions) {
      if (!condition.holds(row.data)) return `not selected by --where ${condition.text}`
    }
    if (taken >= limit) return 'not selected by --limit'
    taken++
    return undefined
  }
}
