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

/** Lines without trailing blanks; columns of numbers (`right`) are set to the right. */
export function tableLines(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: ReadonlySet<number> = new Set(),
): readonly string[] {
  const widths = head.map((title, i) => Math.max(widthOf(title), ...rows.map((row) => widthOf(row[i] ?? ''))))
  return [head, ...rows].map((row) =>
    widths
      .map((width, i) => pad(row[i] ?? '', width, right.has(i) ? 'right' : 'left'))
      .join('  ')
      .trimEnd(),
  )
}
