/** Rows of text as a table with aligned columns. Owns the spacing. */

import { widthOf } from './printable.ts'

/** Lines without trailing blanks; columns of numbers (`right`) are set to the right. */
export function tableLines(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: ReadonlySet<number> = new Set(),
): readonly string[] {
  const widths = head.map((title, i) => Math.max(widthOf(title), ...rows.map((row) => widthOf(row[i] ?? ''))))
  return [head, ...rows].map((row) =>
    widths
      .map((width, i) => {
        const cell = row[i] ?? ''
        const blank = ' '.repeat(Math.max(0, width - widthOf(cell)))
        return right.has(i) ? blank + cell : cell + blank
      })
      .join('  ')
      .trimEnd(),
  )
}
