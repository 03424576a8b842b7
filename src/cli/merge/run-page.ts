/** The page of one run while this process sends it. Owns its opening once the run sends, and that it shows the end before it goes. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { MergeEvent } from '../../campaign/events.ts'
import type { MergeHooks } from '../../campaign/merge.ts'
import type { Settings } from '../../config/settings.ts'
import { UsageError } from '../../errors.ts'
import type { Arguments, Context, Option } from '../command.ts'
import { openInBrowser, pageOptions, portOf, servePages } from '../local-page.ts'
import { showError } from '../terminal/errors.ts'

/** How long a page that is open gets to ask for the last figures. */
const FAREWELL_MS = 1_000
const GROUP = 'Seeing it in a browser:'

/** Options of the commands that send, for those who want to watch. */
export const WATCH_OPTIONS: Readonly<Record<string, Option>> = {
  watch: { type: 'boolean', group: GROUP, describe: 'Open a page that shows the run while it sends' },
  ...pageOptions(GROUP),
}

/** @throws UsageError for options of the page where there is no page. */
export function checkWatchOptions(args: Arguments): void {
  if (args.flag('watch') || (args.number('port') === undefined && !args.flag('noOpen'))) return
  throw new UsageError('--port and --no-open are for the page of --watch', { hint: 'Add --watch, or leave them out.' })
}

/** Sends with a page that shows it, where `--watch` asks for one. */
export async function watched(
  args: Arguments,
  context: Context,
  settings: Settings,
  send: (own: (hooks: MergeHooks) => MergeHooks) => Promise<number>,
): Promise<number> {
  if (!args.flag('watch')) return send((hooks) => hooks)
  await using page = new RunPage(args, context, settings)
  return await send((hooks) => ({
    ...hooks,
    onEvent(event) {
      hooks.onEvent?.(event)
      page.event(event)
    },
  }))
}

class RunPage implements AsyncDisposable {
  readonly #args: Arguments
  readonly #context: Context
  readonly #settings: Settings
  readonly #port: number
  readonly #closing = new AsyncDisposableStack()
  #opening: Promise<void> | undefined

  /** @throws UsageError for a port that is not one. */
  constructor(args: Arguments, context: Context, settings: Settings) {
    this.#args = args
    this.#context = context
    this.#settings = settings
    this.#port = portOf(args, 'port') ?? 0
  }

  /** Hears what the run reports; opens the page when it begins to send, or to wait. */
  event(event: MergeEvent): void {
    if (event.event !== 'progress' && event.event !== 'paused') return
    // A page that cannot be opened stops no run.
    this.#opening ??= this.#open(event.run).catch((error: unknown) => {
      showError(error, this.#context.out)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opening
    await this.#closing.disposeAsync()
  }

  async #open(run: string): Promise<void> {
    const { openLedger } = await import('../../campaign/run/open-ledger.ts')
    const { EventHub } = await import('../../pages/events.ts')
    const { runRoutes } = await import('../../pages/runs/routes.ts')
    const { RunReader } = await import('../../pages/runs/runs.ts')
    const { watchRuns } = await import('../../pages/runs/watch.ts')
    const settings = this.#settings
    const ledger = await openLedger(settings, { existing: true })
    if (ledger === undefined) return
    this.#closing.defer(() => ledger.close())
    const events = new EventHub()
    const watch = watchRuns(ledger, events)
    this.#closing.defer(() => watch.close())
    const reader = new RunReader(ledger, settings)
    const routes = runRoutes({ settings, ledger, reader, resumes: false, onChange: () => watch.look() })
    const pages = await servePages(this.#context, this.#port, { page: 'runs', title: 'Runs', routes, events })
    this.#closing.defer(async () => {
      events.publish('ended', null)
      if (events.isHeard) await sleep(FAREWELL_MS)
      await pages.close()
    })
    const link = `${pages.link}&run=${run}`
    // Standard output is for the results.
    this.#context.out.info(`watch it at ${link}`)
    openInBrowser(this.#args, this.#context, link)
  }
}
