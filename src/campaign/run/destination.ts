/** Where the messages of a merge go: a server, a folder, or the inbox of the sandbox. Owns the choice by the mode. */
import { join } from 'node:path'
import type { Settings } from '../../config/settings.ts'
import { given } from '../../given.ts'
import { type Inbox, startInbox } from '../../inbox/server.ts'
import { createFilesTransport } from '../../transport/files.ts'
import { openTransport } from '../../transport/open.ts'
import { createSmtpTransport } from '../../transport/smtp/smtp-transport.ts'
import type { Transport } from '../../transport/transport.ts'
import { type OpenMerge, runFolder } from './open-merge.ts'

export interface Destination extends AsyncDisposable {
  /** Folder of the `.eml` files, where there is one. */
  readonly mails: string | undefined
  /** Of each account, in their order. The sandbox begins when it is asked for: its folder is for what will be in it. */
  transports(): Promise<readonly Transport[]>
  /** Resolves when everything that was delivered is in the folder. */
  finish(): Promise<void>
}

/** @throws what cannot be opened, before the list is read. @param out folder of a dry run. */
export async function openDestination(merge: OpenMerge, runId: string, out?: string): Promise<Destination> {
  if (merge.mode === 'sandbox') return sandbox(merge, runFolder(merge.settings, runId, 'sandbox'))
  const mails = merge.mode === 'dry-run' ? (out ?? join(merge.settings.root, '.mailmerge', 'dry-run')) : undefined
  await using closing = new AsyncDisposableStack()
  const keep = (transport: Transport): Transport => closing.adopt(transport, (it) => it.close())
  const { list } = merge.accounts
  const transports: Transport[] = []
  if (mails === undefined)
    for (const { settings } of list) transports.push(keep(await serverTransport(settings, merge)))
  else {
    const files = keep(await createFilesTransport({ dir: mails }))
    transports.push(...list.map(() => files))
  }
  const opened = closing.move()
  return {
    mails,
    transports: () => Promise.resolve(transports),
    finish: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** What transports learn of servers is kept in the ledger. */
function serverTransport(settings: Settings, { ledger, hooks }: OpenMerge): Promise<Transport> {
  return openTransport(settings, {
    memory: ledger.servers,
    ...given({ note: hooks.note?.bind(hooks), dialogue: hooks.dialogue?.bind(hooks) }),
  })
}

function sandbox({ accounts }: OpenMerge, mails: string): Destination {
  const closing = new AsyncDisposableStack()
  let inbox: Inbox | undefined
  return {
    mails,
    async transports() {
      const started = closing.adopt(await startInbox({ dir: mails }), (it) => it.close())
      inbox = started
      return accounts.list.map(({ settings }) => {
        const {
          user: _user,
          password: _password,
          accessToken: _token,
          signIn: _signIn,
          proxy: _proxy,
          ...smtp
        } = settings.smtp
        const { host, port } = started
        const transport = createSmtpTransport({ ...smtp, host, port, security: 'none', lmtp: false })
        return closing.adopt(transport, (it) => it.close())
      })
    },
    finish: async () => inbox?.close(),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}
