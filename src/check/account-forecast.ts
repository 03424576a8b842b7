/** What each account would send of a list that was planned, before any of their servers is asked. Owns the question alone. */
import { type AccountForecast, forecastOf } from '../campaign/accounts/forecast.ts'
import type { OpenMerge } from '../campaign/run/open-merge.ts'

export interface PlannedMessages {
  readonly runId: string
  /** Messages that are to be sent. */
  readonly messages: number
  readonly now: Date
}

/** In the order of the accounts, as if they began now; undefined in a project without `accounts:`. */
export async function accountForecast(
  { accounts, ledger, project, settings: { timeZone } }: OpenMerge,
  { runId, messages, now }: PlannedMessages,
): Promise<readonly AccountForecast[] | undefined> {
  if (accounts.list[0].name === undefined) return undefined
  return forecastOf(accounts, {
    ...{ runId, messages, now, start: now, timeZone, servers: accounts.list.map(() => '') },
    ledger: { deliveries: ledger.deliveries, quotas: (project ?? ledger).quotas },
  })
}
