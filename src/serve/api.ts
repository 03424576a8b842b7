/** What `serve` answers over HTTP, from a ledger of its own: links, the page of runs, and runs and schedules as JSON. Runs nothing. */

import type { Settings } from '../config/settings.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { EventHub } from '../pages/events.ts'
import { runRoutes } from '../pages/runs/routes.ts'
import { RunReader } from '../pages/runs/runs.ts'
import { watchRuns } from '../pages/runs/watch.ts'
import { pageHandler } from '../pages/server.ts'
import { standingOf } from '../report/head.ts'
import { runFields } from '../report/json.ts'
import { scheduleFields } from '../schedule/fields.ts'
import { UnsubscribeEndpoint } from '../unsubscribe/endpoint.ts'
import { openUnsubscribeTokens } from '../unsubscribe/links.ts'
import { type HttpServer, listen } from './http.ts'
import type { Log } from './serve.ts'

export interface ApiOptions {
  readonly host: string
  readonly port: number
  /** Opens the private pages. */
  readonly token: string
  readonly healthy: () => boolean
  readonly log: Log
}

const FULL_HINT = 'At most 2,000 may be open, and as many as half of the files that ulimit -n leaves.'
/** Runs that `/runs` lists without `?limit=`. */
const DEFAULT_RUNS = 100

/** @throws OutputError when the port cannot be had. */
export async function startApi(settings: Settings, ledger: Ledger, options: ApiOptions): Promise<HttpServer> {
  const { log, ...rest } = options
  const onError = (error: unknown): void => log('error', 'request failed', { reason: String(error) })
  const events = new EventHub()
  const watch = watchRuns(ledger, events)
  const reader = new RunReader(ledger, settings)
  const { host, token } = options
  const http = await listen({
    ...rest,
    proxies: settings.serve?.proxies ?? 0,
    links: await linksOf(settings, ledger),
    page: pageHandler({
      page: 'runs',
      title: 'Runs',
      host,
      token,
      events,
      onError,
      routes: runRoutes({ settings, ledger, reader, resumes: true, onChange: () => watch.look() }),
    }),
    data: (path, query) => dataOf(ledger, path, query),
    onChange: (what) => log('info', what),
    onError,
    onFull: (most) => log('warning', 'connections refused', { most, hint: FULL_HINT }),
  })
  return {
    ...http,
    close() {
      watch.close()
      events.close()
      return http.close()
    },
  }
}

async function linksOf(settings: Settings, ledger: Ledger): Promise<UnsubscribeEndpoint | undefined> {
  if (settings.unsubscribe === undefined) return undefined
  return new UnsubscribeEndpoint({
    ledger,
    tokens: await openUnsubscribeTokens(settings),
    lists: settings.unsubscribe.lists ?? {},
    sender: settings.unsubscribe.sender,
  })
}

async function dataOf(ledger: Ledger, path: string, query: URLSearchParams): Promise<unknown> {
  const run = /^\/runs\/([\w-]{1,64})$/.exec(path)?.[1]
  if (run !== undefined) {
    const record = await ledger.runs.find(run)
    return record === undefined ? undefined : runFields(record, await standingOf(ledger, record))
  }
  if (path === '/schedules') {
    const schedules = []
    for (const schedule of await ledger.schedules.list()) schedules.push(await scheduleFields(ledger, schedule))
    return { schedules }
  }
  if (path !== '/runs' && path !== '/') return undefined
  const limit = Number(query.get('limit') ?? DEFAULT_RUNS)
  const all = await ledger.runs.list()
  const runs = []
  for (const record of all.slice(0, Number.isInteger(limit) && limit > 0 ? Math.min(limit, 1000) : DEFAULT_RUNS)) {
    runs.push(runFields(record, await standingOf(ledger, record)))
  }
  return { runs, all: all.length }
}
