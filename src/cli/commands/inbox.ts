/** `mailmerge inbox`: a local page of what rehearsals wrote, and a catch-all SMTP server. Parses and opens; the page is in `pages/`. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { InputError, UsageError } from '../../errors.ts'
import { type Faults, NO_FAULTS, readFault } from '../../inbox/faults.ts'
import type { Action, Arguments } from '../command.ts'
import { pageOptions, portOf, showPage } from '../local-page.ts'
import { SMTP_OPTION, settingsFor } from '../settings-options.ts'

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
    const port = portOf(args, 'port') ?? 0
    const smtpPort = smtpPortOf(args)
    let faults: Faults = { ...NO_FAULTS, ...Object.assign({}, ...(args.texts('fault') ?? []).map(readFault)) }
    const settings = await settingsFor(args, context)
    const named = args.text('folder')
    const folder = named === undefined ? undefined : resolve(context.io.cwd, named)
    if (folder !== undefined && !existsSync(folder)) throw new InputError(`there is no folder ${named}`)
    const { EventHub } = await import('../../pages/events.ts')
    const { Mailbox } = await import('../../pages/inbox/mailbox.ts')
    const { inboxRoutes } = await import('../../pages/inbox/routes.ts')
    await showPage(args, context, port, async (closing) => {
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
      const routes = inboxRoutes({
        ...{ mailbox, server, folder: named },
        faults: () => faults,
        setFaults: (now) => {
          faults = now
        },
        sendOn: async (message, from, to) =>
          (await import('../../pages/inbox/send-on.ts')).sendOn(settings, message, from, to),
      })
      return {
        ...{ page: 'inbox', title: 'Inbox', routes, events },
        addresses: server === undefined ? [] : [`smtp://${server}`],
        note: 'New messages show on the page as they come. Ctrl+C ends it.',
      }
    })
    return 0
  },
}

function smtpPortOf(args: Arguments): number | undefined {
  const port = portOf(args, 'smtp-port')
  if (port !== undefined || args.texts('fault') === undefined) return port
  throw new UsageError('--fault is for messages that come over SMTP', {
    hint: 'Give --smtp-port too: --smtp-port 2525',
  })
}

/** Messages that come faster than events are sent are one event. */
function joined(before: unknown, after: unknown): unknown {
  const [one, other] = [before, after] as readonly { readonly count: number; readonly first?: number }[]
  return { ...other, first: one?.first, count: (one?.count ?? 0) + (other?.count ?? 0) }
}
