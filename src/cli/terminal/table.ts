/** Text in the columns of a terminal: measured, cut, padded, set as a table. Owns the widths; escapes nothing. */
import stringWidth from 'string-width'

/** Columns that a text takes: East Asian characters and emoji two, combining marks and colors none. */
export function widthOf(text: string): number {
  // Almost every text is plain ASCII, whose width is its length.
  return /^[\x20-\x7E]*$/.test(text) ? text.length : stringWidth(text)
}

const LETTERS = new Intl.Segmenter()

/** At most that many columns of a text, with `…` where it was cut. The text has no colors. */
export function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text
  let width = 1
  let kept = ''
  for (const { segment } of LETTERS.segment(text)) {
    width += widthOf(segment)
    if (width > columns) break
    kept += segment
  }
  return `${kept}…`
}

/** The text with blanks behind it, or in front of it, up to a width. */
export function pad(text: string, columns: number, align: 'left' | 'right' = 'left'): string {
  const blank = ' '.repeat(Math.max(0, columns - widthOf(text)))
  return align === 'left' ? text + blank : blank + text
}

export interface TableOptions {
  /** Columns of numbers, set to the right. */
  readonly right?: ReadonlySet<number>
  /** Columns of the terminal that a line may take; without it as many as it needs. */
  readonly columns?: number | undefined
  /** Columns whose cells may be cut where a line is too long, the first ones first. */
  readonly cuttable?: readonly number[]
}

/** The least that is left of a cell that is cut, unless it was shorter. */
const LEAST = 10

/** Lines without trailing blanks. */
export function tableLines(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { right = new Set(), columns, cuttable = [] }: TableOptions = {},
): readonly string[] {
  const widths = head.map((title, i) => Math.max(widthOf(title), ...rows.map((row) => widthOf(row[i] ?? ''))))
  let over = columns === undefined ? 0 : widths.reduce((sum, width) => sum + width + 2, -2) - columns
  for (const i of cuttable) {
    const width = widths[i] ?? 0
    const less = Math.max(0, Math.min(over, width - Math.max(LEAST, widthOf(head[i] ?? ''))))
    widths[i] = width - less
    over -= less
  }
  return [head, ...rows].map((row) =>
    widths
      .map((width, i) => pad(cut(row[i] ?? '', width), width, right.has(i) ? 'right' : 'left'))
      .join('  ')
      .trimEnd(),
  )
}
