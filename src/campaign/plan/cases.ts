/**
 * The few rows of a list that show all that a template can do with it: every branch, empty cells, the longest texts, each
 * script and language, the largest message. Owns the choice among rows that it is shown; reads and renders none.
 */
import { BoundedMap } from '../../bounded-map.ts'
import { languageColumn } from '../../language-tag.ts'
import { cellText } from '../../source/cells/cell.ts'
import type { RowData } from '../../source/source.ts'
import type { Branch, BranchTrace } from '../../template/engine/branches.ts'
import type { Rendered } from '../../template/template.ts'

/** What a row is worth looking at for. */
export type CaseReason =
  | ({ readonly kind: 'branch' } & Branch)
  /** The cell is empty. */
  | { readonly kind: 'empty'; readonly column: string }
  | { readonly kind: 'script'; readonly script: string }
  | { readonly kind: 'language'; readonly language: string }
  | { readonly kind: 'longest'; readonly column: string; readonly characters: number }
  /** One of several templates. */
  | { readonly kind: 'template'; readonly template: string }
  | { readonly kind: 'emptiest'; readonly empty: number; readonly columns: number }
  /** Bytes of its texts. */
  | { readonly kind: 'largest'; readonly bytes: number }

export interface Case {
  readonly row: number
  readonly reasons: readonly CaseReason[]
}

const SCRIPTS = [
  'Arabic',
  'Hebrew',
  'Han',
  'Hangul',
  'Hiragana',
  'Devanagari',
  'Cyrillic',
  'Greek',
  'Thai',
  'Bengali',
  'Tamil',
]
const SCRIPT_PATTERNS = SCRIPTS.map((script) => [script, new RegExp(`\\p{Script=${script}}`, 'u')] as const)
const MOST_LANGUAGES = 12
/** Columns whose longest cell is looked for. */
const LONG_COLUMNS = 4
/** Looks of rows that were judged before need no second look. */
const KNOWN_LOOKS = 10_000

interface Best {
  readonly row: number
  readonly value: number
}

/** Shown every row that would be sent, it knows in the end which to look at. */
export class CaseFinder {
  readonly #trace: BranchTrace
  readonly #columns: readonly string[]
  readonly #language: string | undefined
  /** Each feature that was seen, by its name, and what it is. */
  readonly #reasons = new Map<string, CaseReason>()
  /** Rows that had a feature first, with all that they have. */
  readonly #candidates = new Map<number, ReadonlySet<string>>()
  readonly #looks = new BoundedMap<string, true>(KNOWN_LOOKS)
  readonly #longest = new Map<string, Best>()
  readonly #languages = new Set<string>()
  #emptiest: Best | undefined
  #largest: Best | undefined
  #smallest = Number.POSITIVE_INFINITY

  /** `columns` are those that the template reads, as far as the list has them. */
  constructor(trace: BranchTrace, columns: readonly string[], all: readonly string[] = columns) {
    this.#trace = trace
    this.#columns = columns
    this.#language = languageColumn(all)
  }

  /** A row that was just rendered, by a template with the trace in it; `variant` names it where there are several. */
  see(row: number, cells: RowData, rendered: Pick<Rendered, 'text' | 'html'> | undefined, variant?: string): void {
    const features = this.#features(cells)
    if (variant !== undefined) features.set(`template ${variant}`, { kind: 'template', template: variant })
    this.#compare(row, cells, rendered)
    const look = [...features.keys()].join('\n')
    if (this.#looks.has(look)) return
    this.#looks.set(look, true)
    let isNew = false
    for (const [name, reason] of features) {
      if (this.#reasons.has(name)) continue
      this.#reasons.set(name, reason)
      isNew = true
    }
    // Also one with nothing new may show more at once than those before it.
    if (isNew || features.size > 2) this.#candidates.set(row, new Set(features.keys()))
  }

  /** The rows, those that show most first. */
  found(): readonly Case[] {
    const open = new Set(this.#reasons.keys())
    const cases: { readonly row: number; readonly reasons: CaseReason[] }[] = []
    const take = (row: number, extra?: CaseReason): void => {
      const own = [...(this.#candidates.get(row) ?? [])].filter((name) => open.delete(name))
      const reasons = own.flatMap((name) => this.#reasons.get(name) ?? [])
      const known = cases.find((one) => one.row === row)
      if (known === undefined) cases.push({ row, reasons: [...reasons, ...(extra === undefined ? [] : [extra])] })
      else if (extra !== undefined) known.reasons.push(extra)
    }
    while (open.size > 0) {
      const best = this.#candidateWithMost(open)
      if (best === undefined) break
      take(best)
    }
    for (const [column, { row, value }] of this.#longest) take(row, { kind: 'longest', column, characters: value })
    const { row: emptiest, value: empty = 0 } = this.#emptiest ?? {}
    if (emptiest !== undefined && empty > 1) take(emptiest, { kind: 'emptiest', empty, columns: this.#columns.length })
    const { row: largest, value: bytes = 0 } = this.#largest ?? {}
    if (largest !== undefined && bytes > this.#smallest) take(largest, { kind: 'largest', bytes })
    return cases
  }

  #features(cells: RowData): Map<string, CaseReason> {
    const features = new Map<string, CaseReason>()
    for (const number of this.#trace.take()) {
      const branch = this.#trace.branches[number]
      if (branch !== undefined) features.set(`branch ${number}`, { kind: 'branch', ...branch })
    }
    for (const column of this.#columns) {
      const text = cellText(cells[column])
      if (text.trim() === '') features.set(`empty ${column}`, { kind: 'empty', column })
      else if (/[^\u0000-\u024F]/.test(text)) {
        for (const [script, pattern] of SCRIPT_PATTERNS)
          if (pattern.test(text)) features.set(`script ${script}`, { kind: 'script', script })
      }
    }
    const language = this.#language === undefined ? '' : cellText(cells[this.#language]).trim().toLowerCase()
    if (language !== '' && (this.#languages.has(language) || this.#languages.size < MOST_LANGUAGES)) {
      this.#languages.add(language)
      features.set(`language ${language}`, { kind: 'language', language })
    }
    return features
  }

  #compare(row: number, cells: RowData, rendered: Pick<Rendered, 'text' | 'html'> | undefined): void {
    let empty = 0
    let bytes = (rendered?.html?.length ?? 0) + (rendered?.text?.length ?? 0)
    for (const [at, column] of this.#columns.entries()) {
      const text = cellText(cells[column])
      const { length } = text
      if (text.trim() === '') empty++
      if (rendered?.html === undefined) bytes += length
      if (at < LONG_COLUMNS && length > (this.#longest.get(column)?.value ?? 0))
        this.#longest.set(column, { row, value: length })
    }
    if (empty > (this.#emptiest?.value ?? 0)) this.#emptiest = { row, value: empty }
    if (bytes > (this.#largest?.value ?? 0)) this.#largest = { row, value: bytes }
    if (bytes < this.#smallest) this.#smallest = bytes
  }

  /** Of two that show as much the earlier one. */
  #candidateWithMost(open: ReadonlySet<string>): number | undefined {
    let best: number | undefined
    let most = 0
    for (const [row, features] of this.#candidates) {
      let shows = 0
      for (const name of features) if (open.has(name)) shows++
      if (shows > most) [best, most] = [row, shows]
    }
    return best
  }
}
