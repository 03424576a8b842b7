/** Results as CSV, one line a row of the source. Owns the columns, and that no cell is run as a formula. */
import type { ResultRow } from '../ledger/ledger.ts'

const COLUMNS = [
  'row',
  'key',
  'address',
  'status',
  'reason',
  'smtp_code',
  'enhanced_code',
  'response',
  'message_id',
  'attempts',
  'first_attempt_at',
  'finished_at',
]

export function csvHeader(): string {
  return `${COLUMNS.join(',')}\r\n`
}

export function csvLine(row: ResultRow): string {
  return `${[
    row.row,
    cell(row.key),
    cell(row.address),
    row.status,
    cell(row.reason),
    row.smtpCode ?? '',
    cell(row.enhancedCode ?? ''),
    cell(row.response ?? ''),
    cell(row.messageId ?? ''),
    row.attempts,
    row.firstAttemptAt?.toISOString() ?? '',
    row.finishedAt?.toISOString() ?? '',
  ].join(',')}\r\n`
}

/** What a spreadsheet takes for a formula, also after spaces, quotes or invisible characters, and in full width. */
const FORMULA = /^[\s'"\u0000\uFEFF\u200B-\u200F]*[=+\-@\t\r\n|%\uFF1D\uFF0B\uFF0D\uFF20]/
const CONTROL = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]/g

/** A value as a cell: an apostrophe makes a text of what would be a formula, and can be taken off again. */
function cell(value: string): string {
  const text = value.replace(CONTROL, ' ')
  const defused = FORMULA.test(value) ? `'${text}` : text
  return /[",\r\n\t;]|^'|^\s|\s$/.test(defused) ? `"${defused.replaceAll('"', '""')}"` : defused
}
