/**
 * Markdown tables in a text part: columns side by side where they fit a line, else each row as lines of `name: value`. Owns how
 * they are found and laid out; the values of a row are known only when it is rendered.
 */
import stringWidth from 'string-width'
import type { BlockRole } from './mustaches.ts'

/** The block helper around the rows of a table; its value is a letter for each column: `l`, `r` or `c`. */
const TABLE = '__table'
/** Before each row, and between its cells. */
const ROW = '\u{F0004}'
const CELL = '\u{F0005}'
/** Columns of a line of text, as RFC 5322 section 2.1.1 recommends, with room for a mark of citation. */
const LINE = 76
const GAP = 2

const DELIMITER = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*(?:\|[ \t]*)?$/
const FENCE = /^ {0,3}(```|~~~)/

/** The tables of a Markdown text, whose mustaches are tokens, as blocks that are laid out for each row. */
export function tablesForText(text: string, roleOf: (line: string) => BlockRole | undefined): string {
  const lines = text.split('\n')
  const made: string[] = []
  let fence: string | undefined
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? ''
    const mark = FENCE.exec(line)?.[1]
    if (mark !== undefined) fence = fence === undefined ? mark : fence === mark ? undefined : fence
    const sides = fence === undefined ? sidesOf(line, lines[at + 1]) : undefined
    if (sides === undefined) {
      made.push(line)
      continue
    }
    const end = endOf(lines, at + 2, roleOf)
    const rows = lines.slice(at + 2, end).map((row) => (roleOf(row) === undefined ? rowOf(row) : row))
    made.push(`{{#${TABLE} "${sides}"}}`, rowOf(line), ...rows, `{{/${TABLE}}}`)
    at = end - 1
  }
  return made.join('\n')
}

/** How the columns of a table that begins here are set; undefined where none begins. */
function sidesOf(header: string, delimiter: string | undefined): string | undefined {
  if (!header.includes('|') || delimiter === undefined || !DELIMITER.test(delimiter)) return undefined
  const sides = cellsOf(delimiter).map((cell) => {
    const [left, right] = [cell.startsWith(':'), cell.endsWith(':')]
    return left && right ? 'c' : right ? 'r' : 'l'
  })
  return cellsOf(header).length === sides.length ? sides.join('') : undefined
}

/** Behind the last row, or behind the end of the last block that began among the rows. */
function endOf(lines: readonly string[], from: number, roleOf: (line: string) => BlockRole | undefined): number {
  let end = from
  let depth = 0
  for (let at = from; at < lines.length; at++) {
    const line = lines[at] ?? ''
    const role = roleOf(line)
    if (role === undefined && !/[^\\]?\|/.test(line)) break
    if (role === 'o') depth++
    else if (role === 'c') depth--
    if (depth < 0) break
    if (depth === 0 && role !== 'e') end = at + 1
  }
  return end
}

/** Tags that stand before the first and behind the last bar are around the row. */
function rowOf(line: string): string {
  const [, before = '', row = '', after = ''] = /^[ \t]*((?:zqm\d+qz)*)(\|.*\|)((?:zqm\d+qz)*)[ \t]*$/.exec(line) ?? [
    undefined,
    '',
    line,
    '',
  ]
  return `${before}${ROW}${cellsOf(row).join(CELL)}${after}`
}

function cellsOf(row: string): readonly string[] {
  const inner = row
    .trim()
    .replace(/^\|/, '')
    .replace(/(?<!\\)\|$/, '')
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'))
}

interface BlockOptions {
  readonly fn: (context: unknown) => string
}

export const TABLE_HELPERS: Readonly<Record<string, (this: unknown, sides: string, options: BlockOptions) => string>> =
  {
    [TABLE](sides, { fn }) {
      const [, ...rows] = fn(this).split(ROW)
      return layOut(
        rows.map((row) => row.split(CELL).map((cell) => cell.replace(/\s+/g, ' ').trim())),
        sides,
      )
    },
  }

function layOut(rows: readonly (readonly string[])[], sides: string): string {
  const [header = [], ...body] = rows
  const named = header.some((cell) => cell !== '')
  const shown = named ? rows : body
  const widths = [...sides].map((_, column) => Math.max(0, ...shown.map((row) => stringWidth(row[column] ?? ''))))
  const whole = widths.reduce((sum, width) => sum + width + GAP, -GAP)
  if (whole <= LINE) return shown.map((row) => `${lineOf(row, widths, sides)}\n`).join('')
  const records = body.map((row) =>
    row
      .map((cell, column) => (header[column] ? `${header[column]}: ${cell}` : cell))
      .filter((line) => line !== '')
      .join('\n'),
  )
  return `${records.join('\n\n')}\n`
}

function lineOf(row: readonly string[], widths: readonly number[], sides: string): string {
  const cells = widths.map((width, column) => {
    const cell = row[column] ?? ''
    const room = width - stringWidth(cell)
    const left = sides[column] === 'r' ? room : sides[column] === 'c' ? Math.floor(room / 2) : 0
    return ' '.repeat(left) + cell + ' '.repeat(room - left)
  })
  return cells.join(' '.repeat(GAP)).trimEnd()
}
