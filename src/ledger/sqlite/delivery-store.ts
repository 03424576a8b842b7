/**
 * Deliveries in the SQLite ledger: whose turn it is, and the outcome. The hot path. Owns the rule that only a recipient who
 * waits to be sent can have an attempt started or an outcome recorded.
 */
import { DefectError } from '../../errors.ts'
import type { Deliveries, DueQuery } from '../ledger.ts'
import type { CopyUpdate, DueRow, LedgerEvent, RowRange, RowStatus, RowUpdate, UndeliveredCopy } from '../records.ts'
import * as sql from './queries.ts'
import {
  addToCounts,
  type Differences,
  headOf,
  moveMessages,
  noDifferences,
  planId,
  type RunHead,
  runNumberOf,
} from './run-store.ts'
import { numberOf, optionalDate, optionalText, type SqliteStore, type SqlRow, textOf, timeOf } from './store.ts'

/** Bytes of an attempt's time, outcome and code. */
const END_OF_ATTEMPT = 12

/** The message of a recipient: the plan id of its first row, and the number of its rows. */
interface SettledMessage {
  readonly plan: number
  readonly rows: number
}

/** The ids of these rows in the plan of the run. */
function planRange({ number, last }: RunHead, { from, to }: RowRange): Pick<RunHead, 'first' | 'last'> {
  return { first: Math.min(planId(number, from), last + 1), last: Math.min(planId(number, to), last) }
}

export class DeliveryStore implements Deliveries {
  readonly #store: SqliteStore
  /** Bytes that the last answer took: the next will hardly take more. */
  #room = 0

  constructor(store: SqliteStore) {
    this.#store = store
  }

  due(runId: string, query: DueQuery) {
    return this.#store.read((): readonly DueRow[] => {
      const head = headOf(this.#store, runId)
      const now = query.now.getTime()
      if (head.state !== 'ready' || (head.notBefore !== null && head.notBefore > now)) return []
      const after = planId(head.number, query.after)
      return this.#store
        .all(sql.dueRows, after, head.last, now, query.limit, head.number, query.account ?? null)
        .map(dueRowOf)
    })
  }

  nextDue(runId: string, after?: Date, account?: string): Promise<Date | undefined> {
    return this.#store.read(() => {
      const head = headOf(this.#store, runId)
      const later = after?.getTime() ?? Number.MIN_SAFE_INTEGER
      if (head.state !== 'ready') return undefined
      if (head.notBefore !== null && head.notBefore > later) return new Date(head.notBefore)
      const row = this.#store.get(sql.nextDue, head.number, later, account ?? null)
      return row === undefined ? undefined : new Date(numberOf(row['due_at']))
    })
  }

  lastDue(runId: string): Promise<Date | undefined> {
    return this.#store.read(() => {
      const head = headOf(this.#store, runId)
      if (head.state !== 'ready') return undefined
      const row = this.#store.get(sql.lastDue, head.number)
      const last = row === undefined ? head.notBefore : Math.max(numberOf(row['due_at']), head.notBefore ?? 0)
      return last === null ? undefined : new Date(last)
    })
  }

  boundTo(runId: string, { planned }: { readonly planned: boolean }) {
    return this.#store.read(() => {
      const { first, last } = headOf(this.#store, runId)
      const bound = this.#store.all(sql.boundRows, first, last, planned ? 1 : 0)
      return new Map(
        bound.map((row) => [
          textOf(row['account']),
          { messages: numberOf(row['rows']), first: numberOf(row['first']) },
        ]),
      )
    })
  }

  record(events: readonly LedgerEvent[]): Promise<void> {
    return this.#store.write(() => {
      const runs = new Map<number, Differences>()
      for (const event of events) {
        switch (event.kind) {
          case 'attempt-started':
            this.#start(event)
            break
          case 'row-updated':
            this.#count(runs, this.#update(event), event.status)
            break
          case 'copy-started':
            this.#changeCopy(event.copy, sql.startCarbonCopy, event.at.getTime())
            break
          case 'copy-updated':
            this.#updateCopy(event.copy, event, event.at)
            break
          case 'row-put-off':
            this.#store.run(sql.putOff, event.recipient, event.dueAt.getTime())
        }
      }
      for (const [number, differences] of runs) addToCounts(this.#store, number, differences)
    })
  }

  retryFailed(runId: string): Promise<number> {
    return this.#store.write(() => {
      const head = headOf(this.#store, runId)
      return this.#revive(head, [head], 'failed', 'to be tried again', null)
    })
  }

  resolveInDoubt(
    runId: string,
    decision: 'resend' | 'keep',
    { at, rows }: { readonly at: Date; readonly rows?: readonly RowRange[] | undefined },
  ): Promise<number> {
    return this.#store.write(() => {
      const head = headOf(this.#store, runId)
      const ranges = rows === undefined ? [head] : this.#messagesIn(rows.map((range) => planRange(head, range)))
      if (decision === 'resend')
        // With a time, so that a delivery which is past these rows comes back to them.
        return this.#revive(head, ranges, 'in_doubt', 'was in doubt, to be sent again', at.getTime())
      const differences = noDifferences()
      for (const { first, last } of ranges) {
        this.#moveTroubled(differences, first, last, 'in_doubt', 'sent')
        this.#store.run(sql.keepInDoubt, first, last)
        this.#store.run(sql.keepCarbonCopies, first, last)
      }
      addToCounts(this.#store, head.number, differences)
      return differences.messages.sent
    })
  }

  /** Ranges of plan ids, with the first rows of the messages that rows in them are part of. */
  #messagesIn(ranges: readonly Pick<RunHead, 'first' | 'last'>[]): readonly Pick<RunHead, 'first' | 'last'>[] {
    const heads = ranges.flatMap(({ first, last }) => this.#store.all(sql.headsOf, first, last))
    const others = new Set(heads.map(({ head }) => numberOf(head)))
    return [...ranges, ...[...others].map((id) => ({ first: id, last: id }))]
  }

  /** Counts those in a state before they get another. */
  #moveTroubled(differences: Differences, first: number, last: number, from: RowStatus, to: RowStatus): void {
    const found = this.#store.get(sql.troubledRecipients, first, last, from)
    moveMessages(differences, from, to, numberOf(found?.['rows']), numberOf(found?.['messages']))
  }

  #revive(
    { number }: RunHead,
    ranges: readonly Pick<RunHead, 'first' | 'last'>[],
    status: 'failed' | 'in_doubt',
    reason: string,
    due: number | null,
  ): number {
    const differences = noDifferences()
    let copies = 0
    for (const { first, last } of ranges) {
      this.#moveTroubled(differences, first, last, status, 'deferred')
      this.#store.run(sql.reviveRecipients, first, last, status, reason, due)
      if (status === 'in_doubt') copies += this.#store.run(sql.reviveCarbonCopies, first, last, due)
    }
    addToCounts(this.#store, number, differences)
    const revived = differences.messages.deferred
    if (revived + copies > 0) this.#store.run(sql.reopenRun, number)
    return revived
  }

  #start({ recipient, lane, at, messageId, account }: Extract<LedgerEvent, { kind: 'attempt-started' }>): void {
    const added = this.#store.run(
      sql.beginAttempt,
      recipient,
      lane,
      at.getTime(),
      messageId,
      this.#room,
      account ?? null,
    )
    if (added === 0) throw this.#refusal('begun', recipient)
  }

  /** Gives the plan id of the recipient's row, and how many rows its message has. */
  #update(update: RowUpdate): SettledMessage {
    const { recipient, status } = update
    const attempt = this.#endAttempt(update)
    if (attempt !== undefined && update.copies !== undefined) this.#addCopies(update.copies, update)
    if (attempt !== undefined && status === 'sent') {
      return this.#messageOf(this.#store.get(sql.markSent, recipient, numberOf(attempt['id'])), recipient)
    }
    const row = this.#store.get(
      sql.updateRecipient,
      recipient,
      status,
      ...answerOf(update),
      attempt?.['message_id'] ?? null,
      status === 'deferred' ? timeOf(update.dueAt) : null,
      status === 'deferred' ? null : update.at.getTime(),
      attempt === undefined ? 0 : 1,
      attempt?.['began_at'] ?? null,
      update.skip?.kind ?? null,
      attempt?.['account'] ?? null,
    )
    return this.#messageOf(row, recipient)
  }

  #addCopies(copies: readonly UndeliveredCopy[], { recipient, at, date = at }: RowUpdate): void {
    for (const copy of copies) {
      const { address, status } = copy
      const [due, since] = [dueTimeOf(copy, at), date.getTime()]
      this.#store.run(sql.insertCarbonCopy, recipient, address, at.getTime(), status, due, ...answerOf(copy), since)
    }
  }

  #updateCopy(copy: number, update: CopyUpdate, at: Date): void {
    const { status } = update
    this.#changeCopy(copy, sql.updateCarbonCopy, status, dueTimeOf(update, at), at.getTime(), ...answerOf(update))
  }

  #changeCopy(copy: number, statement: string, ...values: (string | number | null)[]): void {
    if (this.#store.run(statement, copy, ...values) === 0)
      throw new DefectError(`Copy ${copy} does not wait to be sent`)
  }

  /** Gives the attempt, unless it was none. */
  #endAttempt(update: RowUpdate): SqlRow | undefined {
    const { recipient, lane, status, attempted } = update
    const at = update.at.getTime()
    const messageId = update.messageId ?? null
    const answer = answerOf(update)
    const open = this.#store.get(sql.endAttempt, recipient, at, attempted ? status : 'void', ...answer, messageId)
    if (!attempted) return undefined
    this.#room = END_OF_ATTEMPT + (update.response?.length ?? 0) + (update.enhancedCode?.length ?? 0)
    return (
      open ??
      this.#store.get(sql.insertEndedAttempt, recipient, lane, at, messageId, status, ...answer, update.account ?? null)
    )
  }

  #messageOf(row: SqlRow | undefined, recipient: number): SettledMessage {
    if (row === undefined) throw this.#refusal('settled', recipient)
    return { plan: numberOf(row['plan']), rows: numberOf(row['rows']) }
  }

  #count(runs: Map<number, Differences>, { plan, rows }: SettledMessage, status: RowStatus): void {
    if (status === 'deferred') return
    const number = runNumberOf(plan)
    let differences = runs.get(number)
    if (differences === undefined) {
      differences = noDifferences()
      runs.set(number, differences)
    }
    moveMessages(differences, 'deferred', status, rows)
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

/** When a copy is tried again, as a column. */
function dueTimeOf({ status, dueAt }: CopyUpdate, at: Date): number | null {
  return status === 'deferred' ? (dueAt ?? at).getTime() : null
}

type Answer = Pick<RowUpdate, 'reason' | 'skip' | 'smtpCode' | 'enhancedCode' | 'response'>

/** Reason, code, enhanced code and response, as columns. */
export function answerOf({ reason, skip, smtpCode, enhancedCode, response }: Answer) {
  return [reason || skip?.detail || null, smtpCode ?? null, enhancedCode ?? null, response ?? null] as const
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
    variant: optionalText(row['variant']),
    account: optionalText(row['account']),
    rows: numberOf(row['rows']),
    attempts: numberOf(row['tries']),
    firstAttemptAt: optionalDate(row['tries_since']),
    goesAlone: row['goes_alone'] === 1,
  }
}
