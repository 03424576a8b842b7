/** Further columns of a copy of a list. Owns their shape and how they are matched with the rows; each format is written by its own module. */
import type { Row } from '../source.ts'

/** The further cells of one row of a list. */
export interface ExtendedRow extends Pick<Row, 'number' | 'line'> {
  readonly cells: readonly string[]
}

/** What a copy of a list has more than the list. */
export interface Extension {
  /** Names of the further columns. */
  readonly columns: readonly string[]
  /** The rows of the list that have further cells, in the order of the list. */
  readonly rows: AsyncIterable<readonly ExtendedRow[]>
  /** True for a copy that has no other rows than these. */
  readonly only: boolean
}

/** The first of `name`, `name 2`, `name 3` ... that is not the name of a column already. */
export function freeName(name: string, columns: readonly string[]): string {
  let free = name
  for (let next = 2; columns.includes(free); next++) free = `${name} ${next}`
  return free
}

/** The rows of an extension, asked for in the order of the list. */
export class ExtendedRows {
  readonly #batches: AsyncIterator<readonly ExtendedRow[]>
  #batch: readonly ExtendedRow[] = []
  #at = 0

  constructor(rows: AsyncIterable<readonly ExtendedRow[]>) {
    this.#batches = rows[Symbol.asyncIterator]()
  }

  /** The cells of the row that begins on this line (`Row.line`), if it has any. */
  ofLine(line: number): Promise<readonly string[] | undefined> {
    return this.#take((row) => row.line === line)
  }

  /** The cells of the row of this number, if it has any. */
  ofRow(number: number): Promise<readonly string[] | undefined> {
    return this.#take((row) => row.number === number)
  }

  /** Ends reading, also where rows are left. */
  async close(): Promise<void> {
    await this.#batches.return?.()
  }

  async #take(isWanted: (row: ExtendedRow) => boolean): Promise<readonly string[] | undefined> {
    while (this.#at >= this.#batch.length) {
      const { done, value } = await this.#batches.next()
      if (done === true) return undefined
      this.#batch = value
      this.#at = 0
    }
    const next = this.#batch[this.#at]
    if (next === undefined || !isWanted(next)) return undefined
    this.#at++
    return next.cells
  }
}
