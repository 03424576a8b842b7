/** Results as CSV, one line a row of the source. Owns the columns. */
import { csvCell as cell } from '../csv-cells.ts'
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
