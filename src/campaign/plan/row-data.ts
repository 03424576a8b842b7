/** Cells to text and back, for the ledger. Owns that format: JSON, with dates marked so that they come back as dates. */
import type { FileFacts } from '../../message/files/library.ts'
import type { RowData } from '../../source/source.ts'
import type { Thread } from './thread.ts'

/** What is kept of a row: its cells, and what its attachments were like when it was planned. */
export interface StoredRow {
  readonly cells: RowData
  /** Fingerprints of attached files, in the order of the template, then of the images that the row named. */
  readonly files?: readonly string[]
  /** Of a follow-up: the thread that it goes on with. */
  readonly thread?: Thread
}

const DATE_MARK = '\u0001date:'

function mark(this: Readonly<Record<string, unknown>>, key: string, value: unknown): unknown {
  // JSON.stringify has already called toJSON: the date itself is still on the holder.
  const original = this[key]
  return original instanceof Date ? DATE_MARK + original.toISOString() : value
}

function unmark(_key: string, value: unknown): unknown {
  return typeof value === 'string' && value.startsWith(DATE_MARK) ? new Date(value.slice(DATE_MARK.length)) : value
}

function holdsDate(cells: RowData): boolean {
  for (const name in cells) if (typeof cells[name] === 'object' && cells[name] !== null) return true
  return false
}

export function storeRow(cells: RowData, files: readonly FileFacts[], thread?: Thread): string {
  const stored: StoredRow = {
    cells,
    ...(files.length === 0 ? {} : { files: files.map(({ fingerprint }) => fingerprint) }),
    ...(thread === undefined ? {} : { thread }),
  }
  return holdsDate(cells) ? JSON.stringify(stored, mark) : JSON.stringify(stored)
}

/** The stored row again; its cells have no prototype, so that no column name reaches anything else. */
export function restoreRow(text: string): StoredRow {
  const parsed = (text.includes('\\u0001date:') ? JSON.parse(text, unmark) : JSON.parse(text)) as StoredRow
  return { ...parsed, cells: Object.assign(Object.create(null), parsed.cells) as RowData }
}
