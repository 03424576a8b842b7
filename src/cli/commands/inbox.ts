/** `mailmerge inbox`: a local page of what rehearsals wrote, and a catch-all SMTP server. Parses and opens; the page is in `pages/`. */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { InputError, UsageError } from '../../errors.ts'
import { type Faults, NO_FAULTS, readFault } from '../../inbox/faults.ts'
import { escapeInvisible } from '../../text/visible.ts'
import type { Action, Arguments } from '../command.ts'
import { watchSignals } from '../merge/signals.ts'
import { pageOptions, portOf } from '../page-options.ts'
import { SMTP_OPTION, settingsFor } from '../settings-options.ts'
import { hasBrowser, openBrowser } from '../terminal/browser.ts'

export const inbox: Action = {
  usage: 'inbox [folder]',
  describe: 'Show the messages that --sandbox and --dry-run wrote, and take others over SMTP',
  epilogue: [
    'Examples:',
    '  mailmerge inbox',
    '  mailmerge inbox --smtp-port 2525',
    '  mailmerge inbox --smtp-port 2525 --fault refuse=5% --fault slow=2s',
    '',
    'The first line on stdout is the address of the page. It answers this machine',
    'alone, and sends nothing on unless you ask. With --smtp-port any program can',
    'send to localhost. docs/inbox.md has the JSON for programs.',
  ].join('\n'),
  positionals: { folder: { describe: 'A folder of .eml files to show instead' } },
  options: {
    ...pageOptions('Options:'),
    'smtp-port': { type: 'number', value: 'N', describe: 'Take every message that is sent to this port; 0 takes any' },
    fault: {
      type: 'array',
      string: true,
      nargs: 1,
      value: 'KIND=VALUE',
      describe: 'Show a fault on order: refuse=5%, defer=20%, drop=1%, slow=2s, for=ADDRESS; repeatable',
    },
    ...SMTP_OPTION,
  },
  async run(args, context) {
    const { io, out } = context
    const port = portOf(args)
    const smtpPort = smtpPortOf(args)
    let faults: Faults = { ...NO_FAULTS, ...Object.assign({}, ...(args.texts('fault') ?? []).map(readFault)) }
    const settings = await settingsFor(args, context)
    const named = args.text('folder')
    const folder = named === undefined ? undefined : resolve(io.cwd, named)
    if (folder !== undefined && !existsSync(folder)) throw new InputError(`there is no folder ${named}`)
    const { EventHub } = await import('../../pages/events.ts')
    const { Mailbox } = await import('../../pages/inbox/mailbox.ts')
    const { inboxRoutes } = await import('../../pages/inbox/routes.ts')
    const { startPages } = await import('../../pages/server.ts')
    const signals = watchSignals(io.signals)
    await using closing = new AsyncDisposableStack()
    closing.defer(() => signals.dispose())
    const events = new EventHub({ added: joined, removed: joined })
    const home = join(settings.root, '.mailmerge')
    const mailbox = closing.adopt(new Mailbox({ home, folder, events }), (it) => it.close())
    let server: string | undefined
    if (smtpPort !== undefined) {
      const { startInbox } = await import('../../inbox/server.ts')
      const dir = join(home, 'inbox')
      const taking = await startInbox({
        ...{ dir, port: smtpPort, anyLogin: true },
        faults: () => faults,
        onKept: (line) => void mailbox.kept(dir, line),
      })
      closing.defer(() => taking.close())
      server = `localhost:${taking.port}`
    }
    await mailbox.open()
    const pages = await startPages({
      ...{ port, token: randomBytes(18).toString('base64url'), page: 'inbox', title: 'Inbox', events },
      routes: inboxRoutes({
        ...{ mailbox, server, folder: named },
        faults: () => faults,
        setFaults: (now) => {
          faults = now
        },
        sendOn: async (message, from, to) =>
          (await import('../../pages/inbox/send-on.ts')).sendOn(settings, message, from, to),
      }),
      onError: (error) => out.error(`the page failed: ${escapeInvisible(String(error))}`),
    })
    closing.defer(() => pages.close())
    out.raw(`${pages.link}\n`)
    if (server !== undefined) out.raw(`smtp://${server}\n`)
    if (!args.flag('noOpen') && hasBrowser(io)) void openBrowser(pages.link)
    out.info('New messages show on the page as they come. Ctrl+C ends it.')
    if (!signals.signal.aborted) {
      await new Promise((done) => signals.signal.addEventListener('abort', done, { once: true }))
    }
    return 0
  },
}

function smtpPortOf(args: Arguments): number | undefined {
  const port = args.number('smtpPort')
  if (port === undefined) {
    if (args.texts('fault') === undefined) return undefined
    throw new UsageError('--fault is for messages that come over SMTP', {
      hint: 'Give --smtp-port too: --smtp-port 2525',
    })
  }
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  throw new UsageError(`--smtp-port ${port} is not a valid port`, {
    hint: 'Give a number from 1 to 65535, or 0 for any free one.',
  })
}

/** Messages that come faster than events are sent are one event. */
function joined(before: unknown, after: unknown): unknown {
  const [one, other] = [before, after] as readonly { readonly count: number; readonly first?: number }[]
  return { ...other, first: one?.first, count: (one?.count ?? 0) + (other?.count ?? 0) }
}
