/** Runs and their results as programs read them: one object a run or a row. Owns the names, which are those of the CSV's columns. */
import { given } from '../given.ts'
import { type ResultRow, type RunRecord, totalOf } from '../ledger/records.ts'
import type { RunStanding } from './head.ts'
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
    ...given({
      sent_with: row.sentWith,
      account: row.account,
      variant: row.variant,
      bounce: row.bounce && bounceWords(row.bounce),
    }),
  }
}

export function jsonLine(row: ResultRow): string {
  return `${JSON.stringify(rowFields(row))}\n`
}

/** A run, in `status --json` and from `serve`. */
export function runFields(
  run: RunRecord,
  { counts, messages, copiesDeferred, waiting }: RunStanding,
  atWork?: boolean,
): Readonly<Record<string, unknown>> {
  return {
    run: run.id,
    campaign: run.campaign.name,
    generation: run.campaign.generation,
    state: run.state,
    paused: run.state === 'ready' && run.requested === 'pause',
    started_at: run.startedAt.toISOString(),
    not_before: run.notBefore?.toISOString() ?? null,
    waits_until: waiting?.first.toISOString() ?? null,
    last_waits_until: waiting?.last.toISOString() ?? null,
    ended_at: run.endedAt?.toISOString() ?? null,
    source: run.source,
    template: run.template,
    ...given({ at_work: atWork }),
    rows: totalOf(counts),
    ...counts,
    ...given({ messages }),
    copies_deferred: copiesDeferred,
  }
}
