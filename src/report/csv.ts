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

/** Of a split campaign, each row also says its variant, in a column behind the others. */
export interface CsvShape {
  readonly split: boolean
}

export function csvHeader({ split }: CsvShape): string {
  return `${COLUMNS.concat(split ? ['variant'] : []).join(',')}\r\n`
}

export function csvLines({ split }: CsvShape): (row: ResultRow) => string {
  return (row) => `${facts(row)}${split ? `,${cell(row.variant ?? '')}` : ''}\r\n`
}

function facts(row: ResultRow): string {
  return [
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
  ].join(',')
}

/** Texts as one line of CSV, safe to open in a spreadsheet. */
export function csvCells(values: readonly string[]): string {
  return `${values.map(cell).join(',')}\r\n`
}

/** What a spreadsheet takes for a formula: these signs, in full width too, behind blanks, quotes or invisible characters. */
const FORMULA = /^[\s'"\p{Cc}\p{Cf}]*[=+\-@\t\r|%\uFF1D\uFF0B\uFF0D\uFF20]/u
/** A cell that a spreadsheet with another list separator would begin in the middle of ours. */
const INNER_FORMULA = /;(?=[\s'"\p{Cf}]*[=+\-@|%\uFF1D\uFF0B\uFF0D\uFF20])/gu
const CONTROL = /\p{Cc}/gu

/**
 * A value as a cell, in one line. An apostrophe makes a text of what would be a formula and can be taken off again;
 * control characters are shown by their pictures (U+2400 and on).
 */
function cell(value: string): string {
  const text = value.replace(CONTROL, picture).replace(INNER_FORMULA, ";'")
  const defused = FORMULA.test(value) ? `'${text}` : text
  return /[",;]|^'|^\s|\s$/.test(defused) ? `"${defused.replaceAll('"', '""')}"` : defused
}

function picture(control: string): string {
  const code = control.charCodeAt(0)
  return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? '\u2421' : '\uFFFD'
}
