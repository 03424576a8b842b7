/**
 * Cells that are more than their text: numbers, answers and dates that a workbook stores, and dates of typed columns. Owns that
 * each is used by its value and printed as the list shows it; reads no text.
 */

/** A number or a yes/no of a workbook, with the text that its cell shows. */
export class StoredCell {
  readonly #value: number | boolean
  readonly #text: string

  constructor(value: number | boolean, text: string) {
    this.#value = value
    this.#text = text
  }

  get value(): number | boolean {
    return this.#value
  }

  toString(): string {
    return this.#text
  }

  toJSON(): number | boolean {
    return this.#value
  }
}

/** `day`: a day without a time. `wall`: a time without a zone. `moment`: a time with its zone. */
export type DateKind = 'day' | 'wall' | 'moment'

/** A date of a list. The date itself is the moment at which clocks in the list's zone show it. */
export class DateCell extends Date {
  readonly #kind: DateKind
  readonly #wall: number
  readonly #text: string

  /**
   * @param wall what clocks show, in milliseconds as if they showed UTC.
   * @param text as the list shows it.
   */
  constructor(moment: number, kind: DateKind, wall: number, text: string) {
    super(moment)
    this.#kind = kind
    this.#wall = wall
    this.#text = text
  }

  get kind(): DateKind {
    return this.#kind
  }

  get wall(): number {
    return this.#wall
  }

  override toString(): string {
    return this.#text
  }

  override [Symbol.toPrimitive](hint: 'default' | 'string' | 'number'): string & number {
    // The declaration of Date wants both at once.
    return (hint === 'number' ? this.getTime() : this.#text) as string & number
  }
}

/** A reader's complaint about one value, for the error of its row. */
export class CellError extends Error {
  /** The cell that it is about. */
  readonly cell: unknown
  /** What to do; `COLUMN` in it is the name of the column. */
  readonly hint: string | undefined

  constructor(cell: unknown, message: string, hint?: string) {
    super(message)
    this.cell = cell
    this.hint = hint
  }
}

/** What a cell holds, without the text that it shows. */
export function storedValue(cell: unknown): unknown {
  return cell instanceof StoredCell ? cell.value : cell
}

/** True for values that are used otherwise than they are printed. */
export function hasOwnText(cell: unknown): cell is StoredCell | DateCell {
  return cell instanceof StoredCell || cell instanceof DateCell
}

/** A cell as the list shows it: empty for what is not there, the items of a list with commas between, objects as JSON. */
export function cellText(cell: unknown): string {
  if (typeof cell === 'string') return cell
  if (cell === null || cell === undefined) return ''
  if (typeof cell !== 'object' || hasOwnText(cell)) return String(cell)
  if (cell instanceof Date) return cell.toISOString()
  return Array.isArray(cell) ? cell.map(cellText).join(', ') : JSON.stringify(cell)
}

/** A cell as an error shows it. */
export function quoted(cell: unknown): string {
  const text = cellText(cell)
  return `'${text.length > 40 ? `${text.slice(0, 40)}…` : text}'`
}
