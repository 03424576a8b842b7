/** What the columns of a list hold, as its rows show it. Owns the guess at their kind; changes no cell. */
import type { ColumnType } from '../config/settings.ts'
import { looksLikeAddress } from '../source/address-column.ts'
import { cellText } from '../source/cells/cell.ts'
import type { Reading } from '../source/cells/compare.ts'
import { readDate } from '../source/cells/date.ts'
import { readNumber } from '../source/cells/number.ts'
import type { RowData } from '../source/source.ts'
import { answerIn } from '../template/helpers/values.ts'

export type ColumnKind = 'address' | 'number' | 'date' | 'list' | 'text' | 'empty'

/** One line of the column map. */
export interface ColumnFacts {
  readonly column: string
  readonly kind: ColumnKind
  /** What a run takes from it beside what the template says. */
  readonly role?: 'address' | 'key'
  /** Rows in which it is not empty. */
  readonly filled: number
  /** True when the template reads it. */
  readonly used: boolean
  /** The first value in it. */
  readonly example: string
}

export interface SurveyOptions {
  /** How the list is written. */
  readonly reading: Pick<Reading, 'locale'>
  readonly columns: readonly string[]
  readonly types: Readonly<Record<string, ColumnType>>
  readonly used: ReadonlySet<string>
  readonly emailColumn?: string | undefined
  readonly key?: string | undefined
}

/** How the cells of a column are written, where that asks something of a template. */
export interface ColumnHabits {
  /** Texts that say no, in a column that holds nothing but words for yes and no: how many, and the first. */
  readonly no: { readonly word: string; readonly rows: number } | undefined
  /** Cells with line breaks within. */
  readonly lines: number
}

interface Seen {
  filled: number
  kind: ColumnKind
  example: string
  /** All cells so far are words for yes and no. */
  answers: boolean
  no: { readonly word: string; rows: number } | undefined
  lines: number
}

export class ColumnSurvey {
  readonly #options: SurveyOptions
  readonly #seen = new Map<string, Seen>()

  constructor(options: SurveyOptions) {
    this.#options = options
    for (const column of options.columns) {
      this.#seen.set(column, { filled: 0, kind: 'empty', example: '', answers: true, no: undefined, lines: 0 })
    }
  }

  see(data: RowData): void {
    for (const [column, seen] of this.#seen) {
      const value = data[column]
      const text = cellText(value).trim()
      if (text === '') continue
      seen.filled++
      if (seen.kind !== 'text') seen.kind = both(seen.kind, kindOf(value, this.#options.reading))
      if (seen.example === '') seen.example = text.slice(0, 60)
      if (typeof value === 'string') lookAt(value, text, seen)
    }
  }

  /** By column. */
  habits(): ReadonlyMap<string, ColumnHabits> {
    return new Map(
      [...this.#seen].map(([column, { answers, no, lines }]) => [column, { no: answers ? no : undefined, lines }]),
    )
  }

  facts(): readonly ColumnFacts[] {
    const { types, used, emailColumn, key } = this.#options
    return [...this.#seen].map(([column, { filled, kind, example }]) => ({
      column,
      kind: types[column]?.type ?? kind,
      filled,
      used: used.has(column),
      example,
      ...(column === emailColumn ? { role: 'address' } : column === key ? { role: 'key' } : {}),
    }))
  }
}

function lookAt(cell: string, text: string, seen: Seen): void {
  if (text.includes('\n') || text.includes('\r')) seen.lines++
  if (!seen.answers) return
  const answer = answerIn(cell)
  if (answer === undefined) seen.answers = false
  if (answer !== 'no') return
  if (seen.no === undefined) seen.no = { word: text, rows: 1 }
  else seen.no.rows++
}

/** What helpers read it as; a number that begins with 0 is a code: a postcode, a telephone number. */
function kindOf(cell: unknown, { locale }: Pick<Reading, 'locale'>): ColumnKind {
  if (Array.isArray(cell)) return 'list'
  const text = cellText(cell).trim()
  if (looksLikeAddress(text)) return 'address'
  const number = typeof cell === 'string' && /^\+?0\d|^\+/.test(text) ? undefined : readNumber(cell, locale)
  if (number !== undefined) return 'number'
  return readDate(cell, locale) === undefined ? 'text' : 'date'
}

/** A column of two kinds is text. */
function both(before: ColumnKind, now: ColumnKind): ColumnKind {
  return before === 'empty' || before === now ? now : 'text'
}
