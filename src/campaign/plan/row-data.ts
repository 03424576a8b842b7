/**
 * What the ledger keeps of a row, as text and back. Owns that format: JSON, in which dates and stored cells are marked, with the
 * thread that a follow-up goes on with.
 */
import { OutputError } from '../../errors.ts'
import type { FileFacts } from '../../message/files/library.ts'
import { DateCell, type DateKind, StoredCell } from '../../source/cells/cell.ts'
import type { RowData } from '../../source/source.ts'
import { type MarkedText, ownText } from '../../template/marked-text.ts'
import type { Rendered } from '../../template/template.ts'

/** What a message goes on with (RFC 5322 section 3.6.4). */
export interface Thread {
  /** Message-IDs, the first message of the thread first. */
  readonly references: readonly string[]
  /** Subject of the first message; empty where it is not known any more. */
  readonly subject: string
}

/** The message in its thread; what the template itself sets of thread and subject takes precedence. */
export function threaded(rendered: Rendered, { references, subject }: Thread): Rendered {
  const named = new Set(rendered.headers.map(([name]) => name.toLowerCase()))
  const headers: (readonly [string, MarkedText])[] = [...rendered.headers]
  if (!named.has('in-reply-to')) headers.push(['In-Reply-To', ownText(references.at(-1) ?? '')])
  if (!named.has('references')) headers.push(['References', ownText(references.join(' '))])
  if (rendered.subject.trim() !== '' || subject === '') return { ...rendered, headers }
  return { ...rendered, headers, subject: /^re:/i.test(subject) ? subject : `Re: ${subject}` }
}

/** What is kept of a row: its cells, and what its attachments were like when it was planned. */
export interface StoredRow {
  readonly cells: RowData
  /** Fingerprints of attached files, in the order of the template, then of the images that the row named. */
  readonly files?: readonly string[] | undefined
  /** Of a follow-up: the thread that it goes on with. */
  readonly thread?: Thread | undefined
  /** Where rows are grouped: the other rows of the message, each with its number. */
  readonly others?: readonly (readonly [row: number, cells: RowData])[] | undefined
  /** Who else gets the message (cc, bcc), so that a report on one of them is not taken for one on the recipient. */
  readonly copies?: readonly string[] | undefined
}

/** Before what is kept as JSON of its own: stored cells, dates, and texts that begin as this mark does. */
const CELL_MARK = '\u0001cell:'
/** As dates were kept by earlier versions. */
const DATE_MARK = '\u0001date:'

type Kept =
  | readonly [kind: 'text', text: string]
  | readonly [kind: 'stored', value: number | boolean, text: string]
  | readonly [kind: 'date', moment: number, date: DateKind, wall: number, text: string]

/** What is kept of a cell that JSON cannot hold as it is. */
function keptOf(cell: unknown): Kept | undefined {
  if (typeof cell === 'string') return cell.charCodeAt(0) === 1 ? ['text', cell] : undefined
  if (cell instanceof StoredCell) return ['stored', cell.value, cell.toString()]
  return cell instanceof DateCell ? ['date', cell.getTime(), cell.kind, cell.wall, cell.toString()] : undefined
}

/** Cells as JSON can hold them; the same object where it can hold all of them. */
function marked(cells: RowData): RowData {
  let copy: Record<string, unknown> | undefined
  for (const name in cells) {
    const cell = cells[name]
    const kept = keptOf(cell)
    const isDate = kept === undefined && cell instanceof Date
    if (kept === undefined && !isDate) continue
    copy ??= Object.assign(Object.create(null), cells) as Record<string, unknown>
    copy[name] = isDate ? DATE_MARK + cell.toISOString() : CELL_MARK + JSON.stringify(kept)
  }
  return copy ?? cells
}

function unmarked(cell: unknown): unknown {
  if (typeof cell !== 'string' || cell.charCodeAt(0) !== 1) return cell
  if (cell.startsWith(DATE_MARK)) return new Date(cell.slice(DATE_MARK.length))
  if (!cell.startsWith(CELL_MARK)) return cell
  const kept = JSON.parse(cell.slice(CELL_MARK.length)) as Kept
  if (kept[0] === 'text') return kept[1]
  return kept[0] === 'stored' ? new StoredCell(kept[1], kept[2]) : new DateCell(kept[1], kept[2], kept[3], kept[4])
}

export function storeRow(
  cells: RowData,
  files: readonly FileFacts[],
  thread?: Thread,
  copies: readonly string[] = [],
  others?: StoredRow['others'],
): string {
  const stored: StoredRow = {
    cells: marked(cells),
    files: files.length === 0 ? undefined : files.map(({ fingerprint }) => fingerprint),
    thread,
    copies: copies.length === 0 ? undefined : copies,
    others: others?.map(([row, own]) => [row, marked(own)] as const),
  }
  return JSON.stringify(stored)
}

/**
 * The stored row again; its cells have no prototype, so that no column name reaches anything else.
 * @throws OutputError for a text that `storeRow` did not write: the ledger is damaged.
 */
export function restoreRow(text: string): StoredRow {
  try {
    return restored(text)
  } catch (cause) {
    throw new OutputError('the ledger is damaged: a row of it cannot be read', {
      cause,
      hint: 'Put a copy of the ledger from a backup in its place.',
    })
  }
}

function restored(text: string): StoredRow {
  const parsed = JSON.parse(text) as StoredRow
  const hasMarks = text.includes('\\u0001')
  const cells = restoredCells(parsed.cells, hasMarks)
  if (parsed.others === undefined) return { ...parsed, cells }
  return { ...parsed, cells, others: parsed.others.map(([row, own]) => [row, restoredCells(own, hasMarks)] as const) }
}

function restoredCells(kept: RowData, hasMarks: boolean): RowData {
  const cells = Object.assign(Object.create(null), kept) as Record<string, unknown>
  if (hasMarks) for (const name in cells) cells[name] = unmarked(cells[name])
  return cells
}

/** Numbers of the rows that a message is made of. @throws OutputError as `restoreRow` does. */
export function rowsOfMessage({ row, data }: { readonly row: number; readonly data: string }): readonly number[] {
  return [row, ...(restoreRow(data).others ?? []).map(([other]) => other)]
}
