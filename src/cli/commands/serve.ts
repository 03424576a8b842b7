/** `mailmerge serve`: the one process that runs schedules and answers unsubscribe links. Parses, prints and logs. */
import type { Settings } from '../../config/settings.ts'
import { docsPage } from '../../docs-page.ts'
import { UsageError } from '../../errors.ts'
import { given } from '../../given.ts'
import { linkWith, newToken } from '../../pages/guard.ts'
import type { HttpThread } from '../../serve/http-thread.ts'
import type { Action, Arguments } from '../command.ts'
import { portOf } from '../local-page.ts'
import { watchSignals } from '../merge/signals.ts'
import { DELIVERY_OPTIONS, deliveryFlags, LATE_OPTION, LEDGER_OPTION, settingsFor } from '../settings-options.ts'
import { serveLog } from './serve-log.ts'

const DEFAULT_PORT = 8025
/** A metrics file holds the numbers of one run. */
const { metrics: _, ...RUN_OPTIONS } = DELIVERY_OPTIONS

export const serve: Action = {
  usage: 'serve',
  describe: 'Run schedules and planned runs, answer unsubscribe links, show runs on a local page',
  epilogue: [
    'The first line on stdout is the address with its token. A browser gets the page of runs; a program gets JSON:',
    'GET /runs, /runs/ID, /schedules; GET /health needs no token.',
    'What happens is logged on stderr: in words on a terminal, else one JSON object a line.',
    `${docsPage('serve')} has a systemd unit and a container file.`,
  ].join('\n'),
  options: {
    port: {
      type: 'number',
      value: 'N',
      describe: `Port to listen on; 0 takes any that is free; default ${DEFAULT_PORT}`,
    },
    host: { type: 'string', value: 'ADDRESS', describe: 'Address to listen on; default 127.0.0.1' },
    late: { ...LATE_OPTION['late'], value: 'TIME', describe: 'How late a planned run may still begin; default 1h' },
    ...RUN_OPTIONS,
    ...LEDGER_OPTION,
  },
  async run(args, context) {
    const { io } = context
    if (args.text('late') === 'ok') {
      throw new UsageError('--late ok is for a single run', { hint: 'Give serve a limit: --late 12h.' })
    }
    const settings = await settingsFor(args, context)
    const log = serveLog(context, settings.timeZone)
    const { openLedger } = await import('../../campaign/run/open-ledger.ts')
    const { startHttpThread } = await import('../../serve/http-thread.ts')
    const { systemClock } = await import('../../campaign/clock.ts')
    const { serve: runServe } = await import('../../serve/serve.ts')
    const { periodicJobs } = await import('../../serve/periodic.ts')
    const { createJobStarter } = await import('../../serve/job-process.ts')
    const signals = watchSignals(io.signals, {
      onFirst: () => log('info', 'stopping'),
      onSecond: () => log('warning', 'stopping at once'),
    })
    const ledger = await openLedger(settings)
    const flags = workFlags(args, settings)
    let endpoint: HttpThread | undefined
    try {
      const token = settings.serve?.token?.reveal() ?? newToken()
      const host = args.text('host') ?? settings.serve?.host ?? '127.0.0.1'
      const port = portOf(args, 'port') ?? settings.serve?.port ?? DEFAULT_PORT
      const thread = await startHttpThread({ root: settings.root, flags, host, port, token }, log)
      endpoint = thread
      context.out.raw(`${linkWith(token, thread.address)}\n`)
      log('info', 'listening', { address: thread.address, version: context.version })
      signals.signal.addEventListener('abort', () => void thread.close(), { once: true })
      await runServe({
        settings,
        ledger,
        clock: systemClock,
        log,
        start: createJobStarter({ root: settings.root, flags }),
        jobs: periodicJobs(settings, log),
        scanned: () => {
          thread.check()
          thread.scanned()
        },
        signal: signals.signal,
        abort: signals.abort,
      })
      log('info', 'stopped')
      // Asked to stop and stopped well: a service manager must not take it for a failure.
      return 0
    } finally {
      await endpoint?.close()
      await ledger.close()
      signals.dispose()
    }
  },
}

/** What the command line of serve said holds for each run. */
function workFlags(args: Arguments, { ledger, configFile }: Settings) {
  return { ledger, ...deliveryFlags(args), ...given({ config: configFile }) }
}
