/** Runs in the SQLite ledger. Owns their records; the rows of a run are the plan's and the delivery's. */
import { DefectError, UsageError } from '../../errors.ts'
import type { Runs } from '../ledger.ts'
import {
  type NewRun,
  NO_ROWS,
  type RowStatus,
  type RunRecord,
  type RunRequest,
  type RunState,
  type StatusCounts,
} from '../records.ts'
import { readRunOptions } from '../run-options.ts'
import * as sql from './queries.ts'
import { numberOf, optionalDate, optionalText, type SqliteStore, type SqlRow, textOf, timeOf } from './store.ts'

/** Rows of a plan deleted in one transaction. */
const DELETED_ROWS = 20_000

/** A run as the other parts of the ledger need it: its number, and the range of its plan ids. */
export interface RunHead {
  readonly id: string
  readonly number: number
  readonly campaign: number
  readonly state: RunState
  /** The time that the run waits for; null when it has none or has begun. */
  readonly notBefore: number | null
  /** Whether its counts are kept in its record. */
  readonly counted: boolean
  readonly first: number
  readonly last: number
}

const ROWS_OF_A_RUN = 2 ** 32

/** The id of a row in a run's plan. */
export function planId(runNumber: number, row: number): number {
  return runNumber * ROWS_OF_A_RUN + row
}

/** What events change in the counts of a run: of its rows, and of its messages. */
export interface Differences {
  readonly rows: Record<RowStatus, number>
  readonly messages: Record<RowStatus, number>
}

export function noDifferences(): Differences {
  return { rows: { ...NO_ROWS }, messages: { ...NO_ROWS } }
}

/** Messages, one unless it is said, that are made of that many rows went from one state to another. */
export function moveMessages(
  differences: Differences,
  from: RowStatus,
  to: RowStatus,
  rows: number,
  messages = 1,
): void {
  differences.rows[from] -= rows
  differences.rows[to] += rows
  differences.messages[from] -= messages
  differences.messages[to] += messages
}

/** Adds to the kept counts of a run. Call it in `write` of the store. */
export function addToCounts(store: SqliteStore, number: number, { rows, messages }: Differences): void {
  store.run(sql.addToCounts, number, ...columnsOf(rows), ...columnsOf(messages))
}

/** Counts in the order of their columns. */
export function columnsOf({ sent, failed, skipped, deferred, in_doubt }: StatusCounts): readonly number[] {
  return [sent, failed, skipped, deferred, in_doubt]
}

export function runNumberOf(plan: number): number {
  return Math.floor(plan / ROWS_OF_A_RUN)
}

/** Call it in `read` or `write` of the store. */
export function headOf(store: SqliteStore, runId: string): RunHead {
  const row = store.get(sql.runHead, runId)
  if (row === undefined) {
    throw new UsageError(`there is no run ${runId} in the ledger ${store.path}`, {
      hint: '`mailmerge status` lists the runs.',
    })
  }
  const number = numberOf(row['number'])
  return {
    id: runId,
    number,
    campaign: numberOf(row['campaign']),
    state: textOf(row['state']) as RunState,
    // Once begun a run waits no more, though the clock be put back.
    notBefore: row['not_before'] === null || row['begun_at'] !== null ? null : numberOf(row['not_before']),
    counted: row['counted'] === 1,
    first: planId(number, 0),
    last: planId(number + 1, 0) - 1,
  }
}

export class RunStore implements Runs {
  readonly #store: SqliteStore

  constructor(store: SqliteStore) {
    this.#store = store
  }

  /** Makes the run's record, after removing what an earlier process planned for the campaign and never ended. */
  async create(run: NewRun): Promise<void> {
    const store = this.#store
    const abandoned = await store.read(() => store.all(sql.abandonedPlans, run.campaign.id))
    for (const { number } of abandoned) await this.#deletePlan(numberOf(number))
    await store.write(() => {
      store.run(
        sql.insertRun,
        run.id,
        run.campaign.id,
        run.startedAt.getTime(),
        timeOf(run.notBefore),
        run.source,
        run.template,
        run.templateHash,
        JSON.stringify(run.columns),
        JSON.stringify(run.options),
      )
    })
  }

  async drop(runId: string): Promise<void> {
    const head = await this.#store.read(() => headOf(this.#store, runId))
    if (head.state !== 'planning') throw new DefectError(`run ${runId} is ${head.state}, its plan cannot be dropped`)
    await this.#deletePlan(head.number)
  }

  find(id?: string, campaign?: string): Promise<RunRecord | undefined> {
    return this.#store.read(() => {
      const row = id === undefined ? this.#store.get(sql.newestRun, campaign ?? null) : this.#store.get(sql.runById, id)
      return row === undefined || (campaign !== undefined && row['campaign_name'] !== campaign)
        ? undefined
        : recordOf(row)
    })
  }

  list(): Promise<readonly RunRecord[]> {
    return this.#store.read(() => this.#store.all(sql.allRuns).map(recordOf))
  }

  async waitUntil(runId: string, until: Date | undefined): Promise<void> {
    await this.#store.write(() => this.#store.run(sql.setWait, runId, timeOf(until)))
  }

  end(runId: string, state: 'finished' | 'cancelled', at: Date): Promise<void> {
    return this.#store.write(() => {
      headOf(this.#store, runId)
      this.#store.run(sql.endRun, runId, state, at.getTime())
    })
  }

  async request(runId: string, request: RunRequest | undefined): Promise<void> {
    await this.#store.write(() => this.#store.run(sql.setRequest, runId, request ?? null))
  }

  requested(runId: string): Promise<RunRequest | undefined> {
    return this.#store.read(() => requestIn(this.#store.get(sql.requestOfRun, runId)))
  }

  async report(runId: string, facts: string | undefined, at: Date): Promise<void> {
    const store = this.#store
    await store.draft(() =>
      facts === undefined
        ? store.run(sql.deleteRunReport, runId)
        : store.run(sql.replaceRunReport, runId, at.getTime(), facts),
    )
  }

  lastReport(runId: string): Promise<{ readonly facts: string; readonly at: Date } | undefined> {
    return this.#store.read(() => {
      const row = this.#store.get(sql.lastRunReport, runId)
      return row === undefined ? undefined : { facts: textOf(row['facts']), at: new Date(numberOf(row['at'])) }
    })
  }

  async begin(runId: string, at: Date): Promise<void> {
    await this.#store.write(() => this.#store.run(sql.beginRun, runId, at.getTime()))
  }

  async #deletePlan(number: number): Promise<void> {
    const [first, last] = [planId(number, 0), planId(number + 1, 0) - 1]
    let deleted: number
    do deleted = await this.#store.write(() => this.#store.run(sql.deletePlanRows, first, last, DELETED_ROWS))
    while (deleted === DELETED_ROWS)
    await this.#store.write(() => this.#store.run(sql.deletePlan, number))
  }
}

function requestIn(row: SqlRow | undefined): RunRequest | undefined {
  return optionalText(row?.['requested']) as RunRequest | undefined
}

function recordOf(row: SqlRow): RunRecord {
  return {
    id: textOf(row['id']),
    campaign: {
      id: numberOf(row['campaign']),
      name: textOf(row['campaign_name']),
      generation: numberOf(row['generation']),
      token: textOf(row['token']),
    },
    state: textOf(row['state']) as RunState,
    startedAt: new Date(numberOf(row['started_at'])),
    endedAt: optionalDate(row['ended_at']),
    notBefore: optionalDate(row['not_before']),
    begunAt: optionalDate(row['begun_at']),
    waitsUntil: optionalDate(row['waits_until']),
    requested: requestIn(row),
    source: textOf(row['source']),
    template: textOf(row['template']),
    templateHash: textOf(row['template_hash']),
    columns: JSON.parse(textOf(row['columns'])) as readonly string[],
    options: readRunOptions(textOf(row['options']), textOf(row['id'])),
  }
}
