/**
 * Which rows of the source a run is about: `--rows`, `--where`, `--segment`, `--sample`, `--limit`. Owns their syntax; a row
 * that is not selected is planned as skipped, so that the report still adds up to the source.
 */
import { hash } from 'node:crypto'
import type { Settings } from '../../config/settings.ts'
import type { HIDDEN_ROWS } from '../../config/words.ts'
import { didYouMean } from '../../did-you-mean.ts'
import { DataError, UsageError } from '../../errors.ts'
import type { RowRange, SkipReason } from '../../ledger/records.ts'
import { offsetAt } from '../../source/cells/date.ts'
import type { Row, Source } from '../../source/source.ts'
import { type Condition, type ConditionReading, parseCondition } from './condition.ts'

export interface Selection {
  /** `1-20,33,40-` */
  readonly rows?: string
  /** What happens to rows that a workbook hides or filters out; `skip` without it. */
  readonly hiddenRows?: (typeof HIDDEN_ROWS)[number]
  readonly limit?: number
  /** Conditions (`city=Paris and age >= 18`), all of which must hold. */
  readonly where?: readonly string[]
  /** Campaigns and lists: whoever got one of them, or is in one of them, is left out. */
  readonly notIn?: readonly string[]
  /** Name of a segment of the project. */
  readonly segment?: string
  /** Rows of those that all else but `limit` selects: that many at random, or the few that show all cases of the template. */
  readonly sample?: number | 'cases'
  /** Another seed draws other rows; the same seed and list the same. */
  readonly seed?: string
}

/** Segments of the project: conditions by name. */
export type Segments = Readonly<Record<string, readonly string[]>>

/**
 * Says why a row is not selected, or nothing when it is. Stateful where `limit` counts: ask once a row, in order.
 * @throws DataError for a row with a cell that cannot be compared.
 */
export type Selector = (row: Row) => SkipReason | undefined

/** Of rows of the list, by their number, those that are left out before anything else is asked of them, and why. */
export type Excluded = (rows: readonly Row[]) => Promise<ReadonlyMap<number, SkipReason>>

/** Chooses a few rows, by their numbers, of all that are selected. */
export type ChooseRows = (selected: AsyncIterable<readonly Row[]>) => Promise<ReadonlySet<number>>

/** How the settings say that the list is written; `now` is the moment at which it is read. */
export function readingOf({ locale, timeZone }: Pick<Settings, 'locale' | 'timeZone'>, now: Date): ConditionReading {
  return {
    locale,
    timeZone,
    today: new Date(now.getTime() + offsetAt(now.getTime(), timeZone)).toISOString().slice(0, 10),
  }
}

/**
 * Reads `1-20,33` into ranges; an open end (`40-`) runs to the last row.
 * @throws UsageError for anything else.
 */
export function parseRowRanges(text: string): readonly RowRange[] {
  return text.split(',').map((part) => {
    const match = /^(\d+)(?:\s*(-)\s*(\d*))?$/.exec(part.trim())
    const from = Number(match?.[1])
    const to = match?.[2] === undefined ? from : match[3] === '' ? Number.POSITIVE_INFINITY : Number(match[3])
    if (match === null || from < 1 || to < from) {
      throw new UsageError(`--rows does not understand '${part.trim()}'`, {
        hint: 'Rows are counted from 1 without the header: --rows 1-20,33,40-',
      })
    }
    return { from, to }
  })
}

/**
 * Makes the selector of a run. A sample is drawn by reading the list once before it is planned.
 * @throws UsageError when the selection cannot be understood, names a column that the list has not, or asks for a sample
 *   of a list that can be read only once.
 */
export async function openSelector(
  selection: Selection,
  columns: readonly string[],
  segments: Segments,
  reading: ConditionReading,
  again: () => Promise<Source>,
  excluded?: Excluded,
  findCases?: ChooseRows,
): Promise<Selector> {
  const choose = samplerOf(selection, findCases)
  if (choose === undefined) return createSelector(selection, columns, segments, reading)
  const { limit, sample, seed, ...others } = selection
  const selects = createSelector(others, columns, segments, reading)
  const chosen = await choose(selectedRows(await again(), selects, excluded))
  return createSelector(selection, columns, segments, reading, chosen)
}

/**
 * Draws the sample of a selection; undefined where it asks for none.
 * @throws UsageError for a sample that is not valid, or not possible here, and for a seed without one.
 */
export function samplerOf({ sample, seed }: Selection, findCases?: ChooseRows): ChooseRows | undefined {
  if (sample === undefined) {
    if (seed === undefined) return undefined
    throw new UsageError('--seed is for --sample', { hint: 'Add --sample N, or leave --seed out.' })
  }
  if (sample !== 'cases') return lotteryOf(sample, seed ?? '1')
  if (findCases === undefined) throw new UsageError('--sample cases is for run and preview', { hint: 'Give a number.' })
  return findCases
}

/** The selector of what needs no look at the list beforehand; `chosen` are the rows of a sample that was drawn. */
export function createSelector(
  selection: Selection,
  columns: readonly string[],
  segments: Segments = {},
  reading: ConditionReading = readingOf({}, new Date()),
  chosen?: ReadonlySet<number>,
): Selector {
  const ranges = selection.rows === undefined ? undefined : parseRowRanges(selection.rows)
  const conditions = (selection.where ?? []).map((text) => parseCondition(text, columns, reading))
  const { segment } = selection
  const members = segment === undefined ? [] : segmentConditions(segment, columns, segments, reading)
  const limit = limitOf(selection) ?? Number.POSITIVE_INFINITY
  let taken = 0
  const skipsHidden = selection.hiddenRows !== 'send'
  return (row) => {
    if (skipsHidden && row.hidden === true) return { kind: 'hidden', detail: '' }
    if (ranges !== undefined && !ranges.some(({ from, to }) => row.number >= from && row.number <= to)) {
      return by('--rows')
    }
    for (const condition of conditions) {
      if (!condition.holds(row.data)) return by(`--where ${condition.text}`)
    }
    for (const condition of members) if (!condition.holds(row.data)) return by(`--segment ${segment}`)
    if (chosen !== undefined && !chosen.has(row.number)) return by('--sample')
    if (taken >= limit) return by('--limit')
    taken++
    return undefined
  }
}

/** @throws UsageError for less than none. */
export function limitOf({ limit }: Pick<Selection, 'limit'>): number | undefined {
  if (limit === undefined || limit >= 0) return limit
  throw new UsageError('--limit needs a number of rows, 0 or more')
}

function by(option: string): SkipReason {
  return { kind: 'unselected', detail: option }
}

function segmentConditions(
  name: string,
  columns: readonly string[],
  segments: Segments,
  reading: ConditionReading,
): readonly Condition[] {
  const conditions = Object.hasOwn(segments, name) ? segments[name] : undefined
  if (conditions !== undefined)
    return conditions.map((text) => parseCondition(text, columns, reading, `the segment '${name}'`))
  const names = Object.keys(segments)
  throw new UsageError(`there is no segment '${name}'`, {
    hint: didYouMean(
      name,
      names,
      names.length === 0
        ? 'Segments are set in mailmerge.yaml: segments: { paris: "city=Paris" }'
        : `There are ${names.join(', ')}.`,
    ),
  })
}

async function* selectedRows(
  source: Source,
  selects: Selector,
  excluded: Excluded | undefined,
): AsyncGenerator<readonly Row[]> {
  for await (const rows of source.rows()) {
    const out = await excluded?.(rows)
    yield rows.filter((row) => out?.has(row.number) !== true && isSelected(row, selects))
  }
}

/** The lot falls on the rows with the lowest hashes, so that memory holds the sample alone. */
function lotteryOf(size: number, seed: string): ChooseRows {
  if (!Number.isInteger(size) || size < 0) {
    throw new UsageError('--sample needs a number of rows, 0 or more', {
      hint: 'For example: --sample 100, or --sample cases',
    })
  }
  return async (selected) => {
    const best = new LowestLots(size)
    for await (const rows of selected) for (const { number } of rows) best.offer(lotOf(seed, number), number)
    return best.rows()
  }
}

/** A row that cannot be compared is an error when it is planned. */
function isSelected(row: Row, selects: Selector): boolean {
  try {
    return selects(row) === undefined
  } catch (error) {
    if (error instanceof DataError) return false
    throw error
  }
}

/** 48 bits of chance that every machine agrees on. */
function lotOf(seed: string, row: number): number {
  return Number.parseInt(hash('sha256', `${seed}\n${row}`).slice(0, 12), 16)
}

/** The lots that are lowest, in a heap with the highest of them on top. */
class LowestLots {
  readonly #size: number
  readonly #heap: { readonly lot: number; readonly row: number }[] = []

  constructor(size: number) {
    this.#size = size
  }

  offer(lot: number, row: number): void {
    const heap = this.#heap
    const [top] = heap
    if (heap.length < this.#size) {
      heap.push({ lot, row })
      this.#up(heap.length - 1)
    } else if (top !== undefined && lot < top.lot) {
      heap[0] = { lot, row }
      this.#down()
    }
  }

  rows(): ReadonlySet<number> {
    return new Set(this.#heap.map(({ row }) => row))
  }

  #lot(at: number): number {
    return this.#heap[at]?.lot ?? -1
  }

  #swap(a: number, b: number): void {
    const [one, other] = [this.#heap[a], this.#heap[b]]
    if (one === undefined || other === undefined) return
    this.#heap[a] = other
    this.#heap[b] = one
  }

  #up(from: number): void {
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1
      if (this.#lot(parent) >= this.#lot(at)) return
      this.#swap(parent, at)
      at = parent
    }
  }

  #down(): void {
    for (let at = 0; ; ) {
      const [left, right] = [2 * at + 1, 2 * at + 2]
      const child = this.#lot(right) > this.#lot(left) ? right : left
      if (this.#lot(child) <= this.#lot(at)) return
      this.#swap(at, child)
      at = child
    }
  }
}
