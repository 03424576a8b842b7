/** `mailmerge serve`: the one process that runs schedules and answers unsubscribe links. Parses, prints and logs. */
import { randomBytes } from 'node:crypto'
import type { Settings } from '../config/settings.ts'
import { UsageError } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Log } from '../newsletter/serve.ts'
import type { HttpServer } from '../newsletter/serve-http.ts'
import type { UnsubscribeEndpoint } from '../newsletter/unsubscribe-endpoint.ts'
import { runFields } from '../report/run-fields.ts'
import { type Arguments, type Command, type Context, given } from './command.ts'
import { DELIVERY_OPTIONS, LATE_OPTION, LEDGER_OPTION, settingsFor } from './settings-options.ts'
import { watchSignals } from './signals.ts'

const DEFAULT_PORT = 8025
/** The numbers of one run are no numbers of several. */
const { metrics: _, ...RUN_OPTIONS } = DELIVERY_OPTIONS

/** Without a look at the schedules for so long the process is not well. */
const WELL_MS = 60_000
/** Runs that `/runs` tells of without `?limit=`. */
const TOLD_RUNS = 100

export const serve: Command = {
  usage: 'serve',
  describe: 'Run the schedules, send what waits for its hour, answer unsubscribe links, tell the runs as JSON',
  epilogue: [
    'The first line on stdout is the address with its token: GET /runs, /runs/ID, /schedules; GET /health needs none.',
    'What happens is logged on stderr, one JSON object a line. docs/serve.md has a systemd unit and a container file.',
  ].join('\n'),
  options: {
    port: { type: 'number', describe: `Port to listen on; 0 takes any that is free; default ${DEFAULT_PORT}` },
    host: { type: 'string', describe: 'Address to listen on; default 127.0.0.1' },
    ...LATE_OPTION,
    ...RUN_OPTIONS,
    ...LEDGER_OPTION,
  },
  async run(args, context) {
    const { io } = context
    if (args.text('late') === 'ok') {
      throw new UsageError('--late ok is said of one run', { hint: 'Give serve a limit, such as --late 12h.' })
    }
    const settings = await settingsFor(args, context)
    const log = logTo(io.stderr)
    const { openLedger } = await import('../campaign/open-ledger.ts')
    const { systemClock } = await import('../campaign/clock.ts')
    const { serve: runServe } = await import('../newsletter/serve.ts')
    const { periodicJobs } = await import('../newsletter/periodic-jobs.ts')
    const { createWorkHost } = await import('../newsletter/work-host.ts')
    const signals = watchSignals(io.signals, {
      onFirst: () => log('info', 'stopping'),
      onSecond: () => log('warning', 'stopping at once'),
    })
    const ledger = await openLedger(settings)
    let lookedAt = systemClock.monotonic()
    let http: HttpServer | undefined
    try {
      http = await openHttp(args, settings, ledger, log, () => systemClock.monotonic() - lookedAt < WELL_MS)
      log('info', 'listening', { address: http.address, version: context.version })
      signals.signal.addEventListener('abort', () => void http?.close(), { once: true })
      await runServe({
        settings,
        ledger,
        clock: systemClock,
        log,
        begin: createWorkHost({ root: settings.root, flags: workFlags(args, settings) }),
        jobs: periodicJobs(settings, log),
        looked: () => {
          lookedAt = systemClock.monotonic()
        },
        signal: signals.signal,
        abort: signals.abort,
      })
      log('info', 'stopped')
      // Asked to stop and stopped well: a service manager must not take it for a failure.
      return 0
    } finally {
      await http?.close()
      await ledger.close()
      signals.dispose()
    }

    async function openHttp(
      given: Arguments,
      project: Settings,
      book: Ledger,
      write: Log,
      healthy: () => boolean,
    ): Promise<HttpServer> {
      const { listen } = await import('../newsletter/serve-http.ts')
      const token = project.serve?.token?.reveal() ?? randomBytes(18).toString('base64url')
      const server = await listen({
        host: given.text('host') ?? project.serve?.host ?? '127.0.0.1',
        port: portOf(given) ?? project.serve?.port ?? DEFAULT_PORT,
        token,
        proxies: project.serve?.proxies ?? 0,
        links: await linksOf(project, book),
        page: (path, query) => pageOf(book, path, query),
        healthy,
        did: (what) => write('info', what),
        wentWrong: (error) => write('error', 'request failed', { reason: String(error) }),
      })
      context.out.raw(`${server.address}/?token=${encodeURIComponent(token)}\n`)
      return server
    }
  },
}

function portOf(args: Arguments): number | undefined {
  const port = args.number('port')
  if (port === undefined || (Number.isInteger(port) && port >= 0 && port <= 65_535)) return port
  throw new UsageError(`--port ${port} is no port`, { hint: 'Give a number from 1 to 65535, or 0 for any free one.' })
}

async function linksOf(settings: Settings, ledger: Ledger): Promise<UnsubscribeEndpoint | undefined> {
  if (settings.unsubscribe === undefined) return undefined
  const { openUnsubscribeTokens } = await import('../campaign/unsubscribe.ts')
  const { UnsubscribeEndpoint } = await import('../newsletter/unsubscribe-endpoint.ts')
  return new UnsubscribeEndpoint({
    ledger,
    tokens: await openUnsubscribeTokens(settings),
    lists: settings.unsubscribe.lists ?? {},
    sender: settings.unsubscribe.sender,
  })
}

async function pageOf(ledger: Ledger, path: string, query: URLSearchParams): Promise<unknown> {
  const run = /^\/runs\/([\w-]{1,64})$/.exec(path)?.[1]
  if (run !== undefined) {
    const record = await ledger.run(run)
    return record === undefined ? undefined : runFields(record, await ledger.counts(record.id))
  }
  if (path === '/schedules') {
    const { scheduleFields } = await import('../newsletter/schedule-fields.ts')
    const schedules = []
    for (const schedule of await ledger.schedules.all()) schedules.push(await scheduleFields(ledger, schedule))
    return { schedules }
  }
  if (path !== '/runs' && path !== '/') return undefined
  const limit = Number(query.get('limit') ?? TOLD_RUNS)
  const all = await ledger.runs()
  const runs = []
  for (const record of all.slice(0, Number.isInteger(limit) && limit > 0 ? Math.min(limit, 1000) : TOLD_RUNS)) {
    runs.push(runFields(record, await ledger.counts(record.id)))
  }
  return { runs, all: all.length }
}

/** What the command line of serve said holds for each run. */
function workFlags(args: Arguments, { ledger, configFile }: Settings) {
  return {
    ledger,
    ...given('config', configFile),
    ...given('smtp', args.text('smtp')),
    ...given('concurrency', args.number('concurrency')),
    ...given('rate', args.texts('rate')),
    ...given('retryFor', args.text('retryFor')),
    ...given('grace', args.text('grace')),
    ...given('late', args.text('late')),
  }
}

function logTo(stderr: Context['io']['stderr']): Log {
  return (level, event, facts = {}) => {
    stderr.write(`${JSON.stringify({ time: new Date().toISOString(), level, event, ...facts })}\n`)
  }
}
