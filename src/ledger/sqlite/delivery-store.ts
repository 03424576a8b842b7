/**
 * The delivery's side of the ledger: whose turn it is, and what became of it. The hot path. Owns the rule that only a
 * recipient who waits to be sent can be begun or settled.
 */
import { DefectError } from '../../errors.ts'
import type { DueRow, News, RowStatus, Settled } from '../ledger.ts'
import * as sql from './queries.ts'
import { headOf, planId, runNumberOf } from './run-store.ts'
import type { SqliteStore } from './store.ts'
import { numberOf, optionalDate, optionalText, type SqlRow, textOf, timeOf } from './values.ts'

/** Octets of an attempt's time, outcome and code. */
const END_OF_ATTEMPT = 12

/** What `began` and `settled` change in the counts of a run. */
type Differences = Record<RowStatus, number>

export class DeliveryStore {
  readonly #store: SqliteStore
  /** Octets that the last answer took: the next will hardly take more. */
  #room = 0

  constructor(store: SqliteStore) {
    this.#store = store
  }

  due(runId: string, query: { readonly now: Date; readonly after: number; readonly limit: number }) {
    return this.#store.read((): readonly DueRow[] => {
      const head = headOf(this.#store, runId)
      const now = query.now.getTime()
      if (head.state !== 'ready' || (head.notBefore !== null && head.notBefore > now)) return []
      const after = planId(head.number, query.after)
      return this.#store.all(sql.dueRows, after, head.last, now, query.limit, head.number).map(dueRowOf)
    })
  }

  nextDue(runId: string, after: Date | undefined): Promise<Date | undefined> {
    return this.#store.read(() => {
      const head = headOf(this.#store, runId)
      const later = after?.getTime() ?? Number.MIN_SAFE_INTEGER
      if (head.state !== 'ready') return undefined
      if (head.notBefore !== null && head.notBefore > later) return new Date(head.notBefore)
      const row = this.#store.get(sql.nextDue, head.number, later)
      return row === undefined ? undefined : new Date(numberOf(row['due_at']))
    })
  }

  record(news: readonly News[]): Promise<void> {
    return this.#store.write(() => {
      const runs = new Map<number, Differences>()
      for (const one of news) {
        if (one.kind === 'began') this.#begin(one)
        else this.#count(runs, this.#settle(one), one.status)
      }
      for (const [number, { sent, failed, skipped, deferred, in_doubt }] of runs) {
        this.#store.run(sql.addToCounts, number, sent, failed, skipped, deferred, in_doubt)
      }
    })
  }

  #begin({ recipient, lane, at, messageId, server }: Extract<News, { kind: 'began' }>): void {
    const added = this.#store.run(
      sql.beginAttempt,
      recipient,
      lane,
      at.getTime(),
      messageId,
      server ?? null,
      this.#room,
    )
    if (added === 0) throw this.#refusal('begun', recipient)
  }

  /** Gives the plan id that the recipient stands at. */
  #settle(settled: Settled): number {
    const { recipient, status } = settled
    const attempt = this.#endAttempt(settled)
    if (attempt !== undefined && status === 'sent') {
      return this.#planOf(this.#store.get(sql.settleSent, recipient, numberOf(attempt['id'])), recipient)
    }
    const row = this.#store.get(
      sql.settleRecipient,
      recipient,
      status,
      ...answerOf(settled),
      attempt?.['message_id'] ?? null,
      status === 'deferred' ? timeOf(settled.dueAt) : null,
      status === 'deferred' ? null : settled.at.getTime(),
      attempt === undefined ? 0 : 1,
      attempt?.['began_at'] ?? null,
    )
    return this.#planOf(row, recipient)
  }

  /** Gives the attempt, unless it was none. */
  #endAttempt(settled: Settled): SqlRow | undefined {
    const { recipient, lane, status, attempted } = settled
    const at = settled.at.getTime()
    const messageId = settled.messageId ?? null
    const answer = answerOf(settled)
    const open = this.#store.get(sql.endAttempt, recipient, at, attempted ? status : 'void', ...answer, messageId)
    if (!attempted) return undefined
    this.#room = END_OF_ATTEMPT + (settled.response?.length ?? 0) + (settled.enhancedCode?.length ?? 0)
    return open ?? this.#store.get(sql.insertEndedAttempt, recipient, lane, at, messageId, status, ...answer)
  }

  #planOf(settled: SqlRow | undefined, recipient: number): number {
    if (settled === undefined) throw this.#refusal('settled', recipient)
    return numberOf(settled['plan'])
  }

  #count(runs: Map<number, Differences>, plan: number, status: RowStatus): void {
    if (status === 'deferred') return
    const number = runNumberOf(plan)
    let differences = runs.get(number)
    if (differences === undefined) {
      differences = { sent: 0, failed: 0, skipped: 0, deferred: 0, in_doubt: 0 }
      runs.set(number, differences)
    }
    differences[status] += 1
    differences.deferred -= 1
  }

  #refusal(what: string, recipient: number): DefectError {
    const status = this.#store.get(sql.recipientState, recipient)?.['status']
    return new DefectError(
      status === undefined
        ? `Recipient ${recipient} is not in the ledger`
        : `Recipient ${recipient} is ${String(status)} already and cannot be ${what} again`,
    )
  }
}

/** Reason, code, enhanced code and response, as columns. */
function answerOf({ reason, smtpCode, enhancedCode, response }: Settled) {
  return [reason === '' ? null : (reason ?? null), smtpCode ?? null, enhancedCode ?? null, response ?? null] as const
}

/** A row of a query that gives what a delivery needs. */
export function dueRowOf(row: SqlRow): DueRow {
  return {
    recipient: numberOf(row['recipient']),
    row: numberOf(row['row']),
    key: textOf(row['key']),
    occurrence: numberOf(row['occurrence']),
    address: textOf(row['address']),
    data: textOf(row['data']),
    ...optionalText('variant', row['variant']),
    attempts: numberOf(row['tries']),
    ...optionalDate('firstAttemptAt', row['tries_since']),
  }
}
