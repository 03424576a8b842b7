/** Campaigns and runs in the SQLite ledger. Owns their records; the rows of a run are the plan's and the delivery's. */
import { randomBytes } from 'node:crypto'
import { DefectError, UsageError } from '../../errors.ts'
import type { Campaign, NewRun, RunRecord, RunState } from '../ledger.ts'
import { readRunOptions } from '../run-options.ts'
import * as sql from './queries.ts'
import type { SqliteStore } from './store.ts'
import { numberOf, optionalDate, type SqlRow, textOf, timeOf } from './values.ts'

/** Rows of a plan deleted in one transaction. */
const DELETED_ROWS = 20_000

/** A run as the other parts of the ledger need it: its number, and the range of its plan ids. */
export interface RunHead {
  readonly id: string
  readonly number: number
  readonly campaign: number
  readonly state: RunState
  /** The hour that the run waits for; null when it has none or has begun. */
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

export class RunStore {
  readonly #store: SqliteStore
  readonly #now: () => Date

  constructor(store: SqliteStore, now: () => Date) {
    this.#store = store
    this.#now = now
  }

  campaign(name: string, again: boolean): Promise<Campaign> {
    return this.#store.write(() => {
      const row = this.#store.get(sql.newestCampaign, name)
      if (row !== undefined && !again) {
        if (typeof row['pruned_at'] === 'number') throw pruned(name, new Date(row['pruned_at']))
        return campaignOf(row)
      }
      const generation = row === undefined ? 1 : numberOf(row['generation']) + 1
      const token = randomBytes(18).toString('base64url')
      const made = this.#store.get(sql.insertCampaign, name, generation, token, this.#now().getTime())
      return { id: numberOf(made?.['id']), name, generation, token }
    })
  }

  findCampaign(name: string): Promise<Campaign | undefined> {
    return this.#store.read(() => {
      const row = this.#store.get(sql.newestCampaign, name)
      return row === undefined ? undefined : campaignOf(row)
    })
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

  async dropPlan(runId: string): Promise<void> {
    const head = await this.#store.read(() => headOf(this.#store, runId))
    if (head.state !== 'planning') throw new DefectError(`run ${runId} is ${head.state}, its plan cannot be dropped`)
    await this.#deletePlan(head.number)
  }

  run(id: string | undefined, campaign: string | undefined): Promise<RunRecord | undefined> {
    return this.#store.read(() => {
      const row = id === undefined ? this.#store.get(sql.newestRun, campaign ?? null) : this.#store.get(sql.runById, id)
      return row === undefined || (campaign !== undefined && row['campaign_name'] !== campaign)
        ? undefined
        : recordOf(row)
    })
  }

  runs(): Promise<readonly RunRecord[]> {
    return this.#store.read(() => this.#store.all(sql.allRuns).map(recordOf))
  }

  end(runId: string, state: 'finished' | 'cancelled', at: Date): Promise<void> {
    return this.#store.write(() => {
      headOf(this.#store, runId)
      this.#store.run(sql.endRun, runId, state, at.getTime())
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

function campaignOf(row: SqlRow): Campaign {
  return {
    id: numberOf(row['id']),
    name: textOf(row['name']),
    generation: numberOf(row['generation']),
    token: textOf(row['token']),
  }
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
    ...optionalDate('endedAt', row['ended_at']),
    ...optionalDate('notBefore', row['not_before']),
    ...optionalDate('begunAt', row['begun_at']),
    source: textOf(row['source']),
    template: textOf(row['template']),
    templateHash: textOf(row['template_hash']),
    columns: JSON.parse(textOf(row['columns'])) as readonly string[],
    options: readRunOptions(textOf(row['options']), textOf(row['id'])),
  }
}

function pruned(name: string, at: Date): UsageError {
  return new UsageError(
    `the campaign ${name} was pruned at ${at.toISOString()}: nobody knows any more whom it reached`,
    {
      hint: 'Name another campaign with --campaign, or start this one anew with --again: everyone on the list is written to.',
    },
  )
}
