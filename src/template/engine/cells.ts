/**
 * Rows as templates get them. Owns what an object without a prototype turns into where a text is wanted: a mark that the
 * engine finds, so that `{{address}}` for an object is an error and not `[object Object]`.
 */
import { hasOwnText } from '../../source/cells/cell.ts'
import type { RowData } from '../../source/source.ts'

const OPEN = '\u{F0002}'
const CLOSE = '\u{F0003}'
const FOUND = new RegExp(`${OPEN}([^${OPEN}${CLOSE}]*)${CLOSE}`, 'u')

let marks = 0

/** No name of a template reaches this: it holds a symbol alone. Handlebars compares contexts loosely, which needs it. */
const CELLS: object = Object.create(null, {
  [Symbol.toPrimitive]: {
    value(this: object): string {
      marks++
      return OPEN + Object.keys(this).join(', ').slice(0, 200) + CLOSE
    },
  },
})

export function cellsOf(row: RowData): RowData {
  const cells: Record<string, unknown> = Object.create(CELLS)
  for (const name in row) {
    const value = row[name]
    cells[name] = typeof value === 'object' && value !== null ? inner(value) : value
  }
  return cells
}

function inner(value: object): unknown {
  if (Array.isArray(value))
    return value.map((item: unknown) => (typeof item === 'object' && item !== null ? inner(item) : item))
  if (value instanceof Date || hasOwnText(value)) return value
  return cellsOf(value as RowData)
}

/** How often an object was made a text so far: only where it was does a text need to be looked through. */
export function marksMade(): number {
  return marks
}

/** Field names of an object that was put out as a text; undefined for a text without one. */
export function fieldsPutOut(text: string): string | undefined {
  return text.includes(OPEN) ? (FOUND.exec(text)?.[1] ?? '') : undefined
}
