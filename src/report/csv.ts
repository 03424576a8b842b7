/** Results as CSV, one line a row of the source. Owns the columns. */

import type { ResultRow } from '../ledger/records.ts'
import { csvCell as cell } from '../text/csv-cells.ts'
import type { ExtraColumn } from './head.ts'
import { bounceWords, reasonWords } from './reasons.ts'

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

export function csvHeader(extra: readonly ExtraColumn[]): string {
  return `${[...COLUMNS, ...extra].join(',')}\r\n`
}

export function csvLines(extra: readonly ExtraColumn[]): (row: ResultRow) => string {
  return (row) => `${facts(row)}${extra.map((column) => `,${cell(extraWords(row, column))}`).join('')}\r\n`
}

/** The text of a column that not every run has. */
export function extraWords({ variant, account, bounce, sentWith }: ResultRow, column: ExtraColumn): string {
  if (column === 'variant') return variant ?? ''
  if (column === 'account') return account ?? ''
  if (column === 'sent_with') return sentWith === undefined ? '' : String(sentWith)
  return bounce === undefined ? '' : bounceWords(bounce)
}

function facts(row: ResultRow): string {
  return [
    row.row,
    cell(row.key),
    cell(row.address),
    row.status,
    cell(reasonWords(row)),
    row.smtpCode ?? '',
    cell(row.enhancedCode ?? ''),
    cell(row.response ?? ''),
    cell(row.messageId ?? ''),
    row.attempts,
    row.firstAttemptAt?.toISOString() ?? '',
    row.finishedAt?.toISOString() ?? '',
  ].join(',')
}
