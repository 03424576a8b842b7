/** Draws a table: widths of its columns, rows that go over pages, the head again on each. Owns its layout; draws on a sheet. */
import type { Tokens } from 'marked'
import { type PdfSource, pdfError } from './document.ts'
import type { FontRun } from './font.ts'
import { inlineOf } from './inline.ts'
import { breakLines, type Line, type Measure, widthsOf } from './lines.ts'
import { type Align, LINE, type Sheet } from './sheet.ts'

const PADDING = 5
const HEAD_RULE = '#555555'
const ROW_RULE = '#cccccc'

/** A row, each cell as its lines. */
type Row = readonly (readonly Line[])[]

export function drawTable(sheet: Sheet, table: Tokens.Table, fill: PdfSource['fill'], indent: number): void {
  const size = sheet.settings.size * 0.95
  const measure = sheet.measure(size)
  const rows = [table.header, ...table.rows].map((row, index) =>
    row.map(({ tokens }) => {
      const inline = inlineOf(tokens, fill, index === 0 ? 'strong' : 'plain')
      return sheet.runs(inline.filter((one) => one.kind === 'text'))
    }),
  )
  const aligns = table.align.map((align) => align ?? 'left')
  const left = sheet.left + indent
  const widths = columnWidths(rows, aligns, sheet.right - left, measure)
  const [header, ...body] = rows.map((row) =>
    row.map((cell, column) => breakLines(cell, (widths[column] ?? 0) - 2 * PADDING, measure)),
  )
  const head = header?.some((lines) => lines.some(({ width }) => width > 0)) ? header : undefined
  new TableRows(sheet, { left, size, widths, aligns, head }).draw(body)
  sheet.y += sheet.settings.size
}

interface Layout {
  readonly left: number
  readonly size: number
  readonly widths: readonly number[]
  readonly aligns: readonly Align[]
  /** Undefined where the table has an empty one. */
  readonly head: Row | undefined
}

class TableRows {
  readonly #sheet: Sheet
  readonly #layout: Layout

  constructor(sheet: Sheet, layout: Layout) {
    this.#sheet = sheet
    this.#layout = layout
  }

  draw(rows: readonly Row[]): void {
    const { head, size } = this.#layout
    if (head !== undefined) {
      this.#sheet.need(2 * (2 * PADDING + longest(head) * size * LINE))
      this.#lines(head, 0, longest(head))
    }
    for (const row of rows) this.#row(row)
  }

  /** A row goes on the next page whole, or in parts where it is longer than a page; the head is there again. */
  #row(row: Row): void {
    const sheet = this.#sheet
    const { head, size } = this.#layout
    const count = longest(row)
    const page = Math.floor((sheet.bottom - sheet.top) / (size * LINE)) - 4 - (head === undefined ? 0 : longest(head))
    let from = 0
    while (from < count) {
      const room = Math.floor((sheet.bottom - sheet.y - 2 * PADDING) / (size * LINE))
      const rest = count - from
      if (rest <= room || (count > page && room >= 3)) {
        const to = Math.min(count, from + room)
        this.#lines(row, from, to)
        from = to
      }
      if (from < count) {
        sheet.newPage()
        if (head !== undefined) this.#lines(head, 0, longest(head))
        if (page < 3) throw pdfError('the page is too small for its table')
      }
    }
  }

  /** Some lines of a row, and the rule below them. */
  #lines(row: Row, from: number, to: number): void {
    const sheet = this.#sheet
    const { left, size, widths, aligns, head } = this.#layout
    let x = left
    for (const [column, lines] of row.entries()) {
      const wide = widths[column] ?? 0
      for (const [index, line] of lines.slice(from, to).entries()) {
        const top = sheet.y + PADDING + index * size * LINE
        sheet.line(line, x + PADDING, x + wide - PADDING, top, size, aligns[column] ?? 'left')
      }
      x += wide
    }
    sheet.y += 2 * PADDING + (Math.min(to, longest(row)) - from) * size * LINE
    sheet.rule(left, x, sheet.y, row === head ? HEAD_RULE : ROW_RULE)
  }
}

function longest(row: Row): number {
  return Math.max(1, ...row.map(({ length }) => length))
}

/** As wide as the content asks; what is left goes to the first column of text, what is missing is taken from the widest. */
function columnWidths(
  rows: readonly (readonly (readonly FontRun[])[])[],
  aligns: readonly string[],
  room: number,
  measure: Measure,
): readonly number[] {
  const wanted = aligns.map((_, column) => {
    const cells = rows.map((row) => widthsOf(row[column] ?? [], measure))
    return {
      least: Math.max(...cells.map(({ least }) => least)) + 2 * PADDING,
      most: Math.max(...cells.map(({ most }) => most)) + 2 * PADDING + 0.5,
    }
  })
  const widths = wanted.map(() => 0)
  let left = room
  let columns = wanted.length
  // The narrow ones first: a column of numbers is whole before a column of text breaks its lines.
  for (const [column, { least, most }] of [...wanted.entries()].sort(([, a], [, b]) => a.most - b.most)) {
    widths[column] = Math.max(Math.min(least, left), Math.min(most, left / columns))
    left -= widths[column]
    columns--
  }
  const text = Math.max(0, aligns.indexOf('left'))
  return widths.map((width, column) => width + (column === text ? Math.max(0, left) : 0))
}
