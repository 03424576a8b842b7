/** The states of a run's rows in the SQLite ledger, counted and listed. Owns reading them; changes none. */
import type { FeedbackKind } from '../feedback.ts'
import type { Results } from '../ledger.ts'
import {
  type Campaign,
  NO_ROWS,
  type PriorMessage,
  type ResultRow,
  type RowStatus,
  type SkipKind,
  type StatusCounts,
  type UndeliveredCopy,
} from '../records.ts'
import * as sql from './queries.ts'
import { headOf, type RunHead } from './run-store.ts'
import { numberOf, optionalDate, optionalNumber, optionalText, type SqliteStore, type SqlRow, textOf } from './store.ts'

/** Rows of the results read at once. */
const RESULT_ROWS = 1000

/** Counts a run's rows by their state in the campaign: exact, and as slow as the run is long. */
export function rowCounts(store: SqliteStore, { first, last, campaign }: RunHead): StatusCounts {
  return byStatus(store.all(sql.countRows, first, last, campaign))
}

/** The same of its messages, where rows are grouped: a row that is in no message does not count. */
export function messageCounts(store: SqliteStore, { first, last, campaign }: RunHead): StatusCounts {
  return byStatus(store.all(sql.countMessages, first, last, campaign))
}

function byStatus(rows: readonly SqlRow[]): StatusCounts {
  const counts: Record<RowStatus, number> = { ...NO_ROWS }
  for (const { status, rows: count } of rows) counts[textOf(status) as RowStatus] = numberOf(count)
  return counts
}

/** Counts by the name in a column. */
function byName(rows: readonly SqlRow[], column: string): ReadonlyMap<string, StatusCounts> {
  const counts = new Map<string, StatusCounts>()
  for (const row of rows) {
    const name = textOf(row[column])
    counts.set(name, { ...(counts.get(name) ?? NO_ROWS), [textOf(row['status'])]: numberOf(row['rows']) })
  }
  return counts
}

export class ResultStore implements Results {
  readonly #store: SqliteStore

  constructor(store: SqliteStore) {
    this.#store = store
  }

  counts(runId: string): Promise<StatusCounts> {
    return this.#countsOf(runId, sql.keptCounts, rowCounts)
  }

  messageCounts(runId: string): Promise<StatusCounts> {
    return this.#countsOf(runId, sql.keptMessageCounts, messageCounts)
  }

  /** As they are kept with the run, or counted where they are not. */
  #countsOf(runId: string, kept: string, count: typeof rowCounts): Promise<StatusCounts> {
    return this.#store.read(() => {
      const head = headOf(this.#store, runId)
      if (!head.counted) return count(this.#store, head)
      const row = this.#store.get(kept, head.number)
      return {
        sent: numberOf(row?.['sent']),
        failed: numberOf(row?.['failed']),
        skipped: numberOf(row?.['skipped']),
        deferred: numberOf(row?.['deferred']),
        in_doubt: numberOf(row?.['in_doubt']),
      }
    })
  }

  variantCounts(runId: string): Promise<ReadonlyMap<string, StatusCounts>> {
    return this.#store.read(() => {
      const { first, last, campaign } = headOf(this.#store, runId)
      if (this.#store.get(sql.anyVariant) === undefined) return new Map()
      return byName(this.#store.all(sql.countVariants, first, last, campaign), 'variant')
    })
  }

  accountCounts(runId: string): Promise<ReadonlyMap<string, StatusCounts>> {
    return this.#store.read(() => {
      const { first, last, campaign } = headOf(this.#store, runId)
      return byName(this.#store.all(sql.countAccounts, first, last, campaign), 'account')
    })
  }

  skipCounts(runId: string): Promise<ReadonlyMap<SkipKind, number>> {
    return this.#store.read(() => {
      const { first, last, campaign } = headOf(this.#store, runId)
      const kinds = this.#store.all(sql.countSkips, first, last, campaign)
      return new Map(kinds.map(({ kind, rows }) => [textOf(kind) as SkipKind, numberOf(rows)]))
    })
  }

  async *rows(runId: string): AsyncGenerator<readonly ResultRow[]> {
    const store = this.#store
    const head = await store.read(() => headOf(store, runId))
    let from = head.first
    for (;;) {
      const rows = await store.read(() => store.all(sql.resultRows, from, head.last, head.campaign, RESULT_ROWS))
      if (rows.length > 0) yield rows.map(resultOf)
      if (rows.length < RESULT_ROWS) return
      from = numberOf(rows.at(-1)?.['id']) + 1
    }
  }

  ofKeys({ id }: Campaign, keys: readonly string[]): Promise<ReadonlyMap<string, ResultRow>> {
    return this.#store.read(() => {
      const rows = this.#store.all(sql.resultRowsOfKeys, null, null, id, JSON.stringify(keys)).map(resultOf)
      return new Map(rows.map((row) => [row.key, row]))
    })
  }

  deliveryHistory(campaign: Campaign, keys: readonly string[]): Promise<ReadonlyMap<string, PriorMessage>> {
    return this.#store.read(() => {
      const rows = this.#store.all(sql.messagesOfKeys, campaign.id, JSON.stringify(keys))
      return new Map(rows.map((row) => [textOf(row['key']), priorOf(row)]))
    })
  }
}

function resultOf(row: SqlRow): ResultRow {
  const skip = skipOf(row)
  return {
    row: numberOf(row['row']),
    key: textOf(row['key']),
    address: textOf(row['address']),
    status: textOf(row['status']) as RowStatus,
    reason: skip === undefined ? textOf(row['reason']) : '',
    skip,
    smtpCode: optionalNumber(row['smtp_code']),
    enhancedCode: optionalText(row['enhanced_code']),
    response: optionalText(row['response']),
    messageId: optionalText(row['message_id']),
    attempts: numberOf(row['attempts']),
    firstAttemptAt: optionalDate(row['first_attempt_at']),
    finishedAt: optionalDate(row['finished_at']),
    dueAt: optionalDate(row['due_at']),
    variant: optionalText(row['variant']),
    account: optionalText(row['account']),
    bounce: bounceOf(row),
    copies: copiesOf(row),
    sentWith: optionalNumber(row['sent_with']),
  }
}

function copiesOf({ copies }: SqlRow): readonly UndeliveredCopy[] | undefined {
  return copies === null ? undefined : (JSON.parse(textOf(copies)) as readonly CopyColumns[]).map(copyOf)
}

/** Columns of a copy, as JSON; null where there is nothing. */
type CopyColumns = Readonly<Record<'reason' | 'enhancedCode' | 'response', string | null>> &
  Pick<UndeliveredCopy, 'address' | 'status'> & { readonly smtpCode: number | null }

function copyOf({ address, status, reason, smtpCode, enhancedCode, response }: CopyColumns): UndeliveredCopy {
  return {
    address,
    status,
    reason: reason ?? undefined,
    smtpCode: smtpCode ?? undefined,
    enhancedCode: enhancedCode ?? undefined,
    response: response ?? undefined,
  }
}

function skipOf({ skip_kind: kind, reason }: SqlRow): ResultRow['skip'] {
  return kind === null ? undefined : { kind: textOf(kind) as SkipKind, detail: textOf(reason) }
}

function bounceOf({ bounce_kind: kind, bounce }: SqlRow): ResultRow['bounce'] {
  return kind === null ? undefined : { kind: textOf(kind) as FeedbackKind, reason: textOf(bounce) }
}

function priorOf(row: SqlRow): PriorMessage {
  return {
    status: textOf(row['status']) as RowStatus,
    row: numberOf(row['row']),
    data: textOf(row['data']),
    variant: optionalText(row['variant']),
    messageId: optionalText(row['message_id']),
    finishedAt: optionalDate(row['finished_at']),
    bounce: optionalText(row['bounce_kind']) as FeedbackKind | undefined,
    answered: numberOf(row['answered']) === 1,
  }
}
