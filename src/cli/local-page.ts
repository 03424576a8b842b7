/** The commands that show a local page: their options, and the page from its opening until a signal ends it. */
import { UsageError } from '../errors.ts'
import type { ListenOptions, Pages } from '../pages/server.ts'
import { escapeInvisible } from '../text/visible.ts'
import type { Arguments, Context, Option } from './command.ts'
import { watchSignals } from './merge/signals.ts'
import { hasBrowser, openBrowser } from './terminal/browser.ts'

export function pageOptions(group: string): Record<string, Option> {
  return {
    port: { type: 'number', value: 'N', group, describe: 'Port of the page; default any that is free' },
    'no-open': { type: 'boolean', group, describe: 'Do not open the browser' },
  }
}

/** The port that an option names: 0 to 65535. @throws UsageError for any other number. */
export function portOf(args: Arguments, option: 'port' | 'smtp-port'): number | undefined {
  const port = args.number(option === 'port' ? 'port' : 'smtpPort')
  if (port === undefined || (Number.isInteger(port) && port >= 0 && port <= 65_535)) return port
  throw new UsageError(`--${option} ${port} is not a valid port`, {
    hint: 'Give a number from 1 to 65535, or 0 for any free one.',
  })
}

type Served = Pick<ListenOptions, 'page' | 'title' | 'routes' | 'events'>

export interface LocalPage extends Served {
  /** Other addresses to print after that of the page. */
  readonly addresses: readonly string[]
  /** What the page does meanwhile, and how it ends. */
  readonly note: string
}

/**
 * Shows a page until a signal: prints its address, and opens the browser.
 * @param open What is shown. What it defers is closed after the page.
 */
export async function showPage(
  args: Arguments,
  context: Context,
  port: number,
  open: (closing: AsyncDisposableStack) => Promise<LocalPage>,
): Promise<void> {
  const { io, out } = context
  const signals = watchSignals(io.signals)
  await using closing = new AsyncDisposableStack()
  closing.defer(() => signals.dispose())
  const { addresses, note, ...page } = await open(closing)
  const pages = await servePages(context, port, page)
  closing.defer(() => pages.close())
  for (const address of [pages.link, ...addresses]) out.raw(`${address}\n`)
  openInBrowser(args, context, pages.link)
  out.info(note)
  if (!signals.signal.aborted) {
    await new Promise((done) => signals.signal.addEventListener('abort', done, { once: true }))
  }
}

/** Serves a page to this machine alone, under a token of its own. @throws OutputError when the port cannot be had. */
export async function servePages({ out }: Context, port: number, served: Served): Promise<Pages> {
  const { newToken } = await import('../pages/guard.ts')
  const { startPages } = await import('../pages/server.ts')
  return startPages({
    ...served,
    ...{ port, token: newToken() },
    onError: (error) => out.error(`the page failed: ${escapeInvisible(String(error))}`),
  })
}

/** Unless the person said no, or there is no browser here. */
export function openInBrowser(args: Arguments, { io }: Context, link: string): void {
  if (!args.flag('noOpen') && hasBrowser(io)) void openBrowser(link)
}
