/** What the columns of a list hold, told from its rows. Owns the guess at their kind; changes no cell. */
import type { ColumnType } from '../config/settings.ts'
import type { RowData } from '../source/source.ts'

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
  readonly columns: readonly string[]
  readonly types: Readonly<Record<string, ColumnType>>
  readonly used: ReadonlySet<string>
  readonly emailColumn?: string
  readonly key?: string
}

const LOOKS: readonly (readonly [Exclude<ColumnKind, 'empty' | 'text'>, RegExp])[] = [
  ['address', /^[^\s@]+@[^\s@]+\.[^\s@]+$/],
  // A number that begins with 0 is a code: a postcode, a telephone number.
  ['number', /^[+-]?(?:0|[1-9]\d*|[1-9]\d{0,2}(?:[,.' ]\d{3})+)(?:[.,]\d+)?\s?[%€$£]?$/],
  ['date', /^(?:\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4})(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?Z?)?$/],
]

interface Seen {
  filled: number
  kind: ColumnKind
  example: string
}

export class ColumnSurvey {
  readonly #options: SurveyOptions
  readonly #seen = new Map<string, Seen>()

  constructor(options: SurveyOptions) {
    this.#options = options
    for (const column of options.columns) this.#seen.set(column, { filled: 0, kind: 'empty', example: '' })
  }

  see(data: RowData): void {
    for (const [column, seen] of this.#seen) {
      const value = data[column]
      const text = typeof value === 'string' ? value.trim() : value === null || value === undefined ? '' : value
      if (text === '') continue
      seen.filled++
      if (seen.kind !== 'text') seen.kind = both(seen.kind, kindOf(text))
      if (seen.example === '') seen.example = text instanceof Date ? text.toISOString() : String(text).slice(0, 60)
    }
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

function kindOf(value: unknown): ColumnKind {
  if (value instanceof Date) return 'date'
  if (Array.isArray(value)) return 'list'
  if (typeof value === 'number') return 'number'
  const text = String(value)
  return LOOKS.find(([, look]) => look.test(text))?.[0] ?? 'text'
}

/** A column of two kinds is text. */
function both(before: ColumnKind, now: ColumnKind): ColumnKind {
  return before === 'empty' || before === now ? now : 'text'
}
