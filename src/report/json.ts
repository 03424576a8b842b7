/** Results as JSON lines: one object a row, with the names of the CSV's columns. */

import { given } from '../given.ts'
import type { ResultRow } from '../ledger/records.ts'
import { bounceWords, reasonWords } from './reasons.ts'

/** The fields of a row as programs read them; what is not known is null. */
export function rowFields(row: ResultRow): Readonly<Record<string, unknown>> {
  return {
    row: row.row,
    key: row.key,
    address: row.address,
    status: row.status,
    reason: reasonWords(row),
    smtp_code: row.smtpCode ?? null,
    enhanced_code: row.enhancedCode ?? null,
    response: row.response ?? null,
    message_id: row.messageId ?? null,
    attempts: row.attempts,
    first_attempt_at: row.firstAttemptAt?.toISOString() ?? null,
    finished_at: row.finishedAt?.toISOString() ?? null,
    ...given({ variant: row.variant, bounce: row.bounce && bounceWords(row.bounce) }),
  }
}

export function jsonLine(row: ResultRow): string {
  return `${JSON.stringify(rowFields(row))}\n`
}
