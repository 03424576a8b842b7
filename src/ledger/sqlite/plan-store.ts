/**
 * The plan of a run, and its meeting with what the campaign remembers. Owns who is to be written to by this run; never
 * decides whether a row is good.
 */
import type { SQLInputValue } from 'node:sqlite'
import { DefectError } from '../../errors.ts'
import type { Plans } from '../ledger.ts'
import {
  type Duplicate,
  type DuplicatePolicy,
  NO_ROWS,
  type PlanCounts,
  type PlannedRow,
  type StatusCounts,
  totalOf,
} from '../records.ts'
import * as sql from './plan-queries.ts'
import { messageCounts, rowCounts } from './result-store.ts'
import { columnsOf, headOf, planId, type RunHead } from './run-store.ts'
import { numberOf, type SqliteStore, textOf, timeOf } from './store.ts'

/** Rows that one statement inserts. */
const AT_ONCE = 32
const INSERTS = [false, true].flatMap((isGrouped) =>
  [false, true].map((hasAccounts) => {
    const further = { isGrouped, hasAccounts }
    return { ...further, many: sql.insertPlanRows(AT_ONCE, further), one: sql.insertPlanRows(1, further) }
  }),
)

/** What a run begins with in a campaign that has no memory yet. */
interface Joined {
  readonly rows: StatusCounts
  readonly messages: StatusCounts
}

export class PlanStore implements Plans {
  readonly #store: SqliteStore
  readonly #now: () => Date

  constructor(store: SqliteStore, now: () => Date) {
    this.#store = store
    this.#now = now
  }

  add(runId: string, rows: readonly PlannedRow[]): Promise<void> {
    const store = this.#store
    // Until it is complete a plan is nothing: after a power cut it is made again.
    return store.draft(() => {
      const { number } = this.#planning(runId)
      const many = rows.length - (rows.length % AT_ONCE)
      const isGrouped = rows.some(({ message }) => message !== undefined)
      const hasAccounts = rows.some(({ account }) => account !== undefined)
      const insert = INSERTS.find((one) => one.isGrouped === isGrouped && one.hasAccounts === hasAccounts)
      if (insert === undefined) throw new DefectError('a plan has columns that cannot be recorded')
      for (let at = 0; at < many; at += AT_ONCE) this.#insert(insert.many, number, rows.slice(at, at + AT_ONCE), insert)
      for (const row of rows.slice(many)) this.#insert(insert.one, number, [row], insert)
    })
  }

  #insert(
    statement: string,
    number: number,
    rows: readonly PlannedRow[],
    { isGrouped, hasAccounts }: sql.FurtherColumns,
  ): void {
    const values: SQLInputValue[] = []
    for (const { row, key, address, data, skip, notBefore, variant, message, account } of rows) {
      const isInNone = key === '' || skip?.kind === 'bad' || message === 'none'
      const own = typeof message === 'object' ? message : undefined
      values.push(
        planId(number, row),
        key,
        isInNone ? 0 : 1,
        address === key ? null : address,
        data,
        // A row without a key can be sent to nobody.
        skip?.kind ?? (key === '' ? 'bad' : null),
        skip?.detail ?? (key === '' ? 'no address' : null),
        timeOf(notBefore),
        variant ?? null,
      )
      if (isGrouped) {
        values.push(
          own === undefined || own.first === row ? null : planId(number, own.first),
          own?.first === row ? (own.rows ?? 1) : null,
        )
      }
      if (hasAccounts) values.push(account ?? null)
    }
    this.#store.run(statement, ...values)
  }

  duplicates(runId: string, limit: number): Promise<readonly Duplicate[]> {
    return this.#store.read(() => {
      const { first, last } = headOf(this.#store, runId)
      return this.#store.all(sql.duplicateRows, first, last, limit).map((row) => ({
        key: textOf(row['key']),
        row: numberOf(row['row']),
        firstRow: numberOf(row['first_row']),
      }))
    })
  }

  complete(runId: string, options: { readonly duplicates: 'skip' | 'all' }): Promise<PlanCounts>
  complete(runId: string, options: { readonly duplicates: DuplicatePolicy }): Promise<PlanCounts | undefined>
  async complete(
    runId: string,
    { duplicates }: { readonly duplicates: DuplicatePolicy },
  ): Promise<PlanCounts | undefined> {
    const store = this.#store
    const counts = await store.write(() => {
      const head = this.#planning(runId)
      const joined = this.#joinNew(head) ?? this.#joinOthers(head, duplicates)
      if (joined === undefined) return undefined
      store.run(sql.supersedeRuns, head.campaign, head.number, this.#now().getTime())
      const isFirst = this.#isFirst(head)
      const counts = isFirst ? joined.rows : rowCounts(store, head)
      const messages = isFirst ? joined.messages : messageCounts(store, head)
      const rows = totalOf(counts)
      store.run(sql.readyRun, head.number, rows, ...columnsOf(counts), ...columnsOf(messages))
      return { rows, ...counts, messages }
    })
    if (counts !== undefined) await store.truncateLog()
    return counts
  }

  /**
   * What most lists are, in one pass: every row is to be sent and every message has a key of its own, in a campaign that knows nobody.
   * Undefined, with nothing done, for any other.
   */
  #joinNew(head: RunHead): Joined | undefined {
    const store = this.#store
    const { first, last, campaign } = head
    const { rows, selected, messages } = this.#size(head)
    if (rows !== selected || !this.#isFirst(head)) return undefined
    return store.attempt(() => {
      if (store.run(sql.insertIdentities, first, last, campaign) < messages) return undefined
      store.run(sql.insertAllRecipients, first, last)
      return { rows: { ...NO_ROWS, deferred: rows }, messages: { ...NO_ROWS, deferred: messages } }
    })
  }

  /** Gives the counts that the run begins with in a campaign that has no memory yet; undefined for an error. */
  #joinOthers(head: RunHead, duplicates: DuplicatePolicy): Joined | undefined {
    const { first, last, campaign } = head
    const store = this.#store
    if (duplicates === 'error' && store.all(sql.duplicateRows, first, last, 1).length > 0) return undefined
    this.#resolveDuplicates(head, duplicates === 'all' ? 'all' : 'skip')
    const { rows, selected, messages } = this.#size(head)
    const fresh = store.run(sql.insertIdentities, first, last, campaign)
    store.run(sql.insertRecipients, first, last, campaign, fresh === messages ? 1 : 0)
    if (fresh < messages) store.run(sql.moveRecipients, first, last, campaign)
    return {
      rows: { ...NO_ROWS, skipped: rows - selected, deferred: selected },
      messages: { ...NO_ROWS, deferred: messages },
    }
  }

  #resolveDuplicates({ first, last }: RunHead, duplicates: 'skip' | 'all'): void {
    const store = this.#store
    if (store.get(sql.anySharedKey, first, last) === undefined) return
    store.run(sql.clearTwins)
    store.run(sql.findTwins, first, last, duplicates === 'all' ? 1 : 0)
    store.run(duplicates === 'all' ? sql.numberTwins : sql.skipTwins)
    store.run(sql.clearTwins)
  }

  /** Rows of the plan, those of them that are to be sent, and the messages that these are. */
  #size({ first, last }: RunHead): { readonly rows: number; readonly selected: number; readonly messages: number } {
    const size = this.#store.get(sql.planSize, first, last)
    return {
      rows: numberOf(size?.['rows']),
      selected: numberOf(size?.['selected']),
      messages: numberOf(size?.['messages']),
    }
  }

  /** True when nobody was ever written to in the campaign: what a row is, is what was planned. */
  #isFirst({ number, campaign }: RunHead): boolean {
    return this.#store.get(sql.anyOtherRun, campaign, number) === undefined
  }

  #planning(runId: string): RunHead {
    const head = headOf(this.#store, runId)
    if (head.state !== 'planning') throw new DefectError(`run ${runId} is ${head.state}; no more rows can be added`)
    return head
  }
}
