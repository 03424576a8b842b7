/**
 * The Drafts folder of a mailbox as a transport (IMAP APPEND, RFC 9051 section 6.3.12): a person reads each message there and sends it
 * by hand. Owns the folder and what an answer means; a draft keeps its blind copies, which the person's program takes off.
 */
import type { ImapFlow } from 'imapflow'
import type { ImapSettings } from '../config/settings.ts'
import { UnfinishedError } from '../errors.ts'
import { openMailbox } from '../imap/client.ts'
import type { Message } from '../message/message.ts'
import { type Handed, oneByOne } from './one-by-one.ts'
import type { Lane, Transport } from './transport.ts'

/** Used where the mailbox marks no folder as that of drafts (RFC 6154 section 2). */
const USUAL_FOLDER = 'Drafts'
/** Response codes for a message that this mailbox never accepts. */
const TOO_LARGE = new Set(['TOOBIG', 'LIMIT'])

/** @param named the folder; found by itself without it. */
export function createDraftsTransport(imap: ImapSettings, named: string | undefined): Transport {
  const clients = new Set<ImapFlow>()
  let refused: UnfinishedError | undefined

  async function connect(): Promise<{ readonly client: ImapFlow; readonly folder: string }> {
    const client = await openMailbox(imap)
    clients.add(client)
    return { client, folder: await draftsFolder(client, named) }
  }

  async function handOver(client: ImapFlow, folder: string, message: Message): Promise<Handed> {
    try {
      const bytes = Buffer.concat([blindCopies(message), ...message.chunks])
      const answer = await client.append(folder, bytes, ['\\Draft', '\\Seen'])
      if (answer === false)
        return { outcome: { kind: 'unsent', reason: 'the mailbox is not logged in' }, lost: 'no login' }
      const text = answer.uid === undefined ? `a draft in ${folder}` : `a draft in ${folder}, UID ${answer.uid}`
      return { outcome: { kind: 'accepted', reply: { code: 250, text }, note: 'drafted' } }
    } catch (error) {
      const { responseStatus, responseText = '', serverResponseCode = '' } = error as AppendError
      if (responseStatus === undefined) {
        const reason = error instanceof Error ? error.message : String(error)
        return { outcome: { kind: 'in_doubt', reason: `the mailbox went away: ${reason}` }, lost: reason }
      }
      if (TOO_LARGE.has(serverResponseCode.toUpperCase())) {
        const reply = { code: 552, enhanced: '5.3.4', text: responseText }
        return { outcome: { kind: 'rejected', stage: 'data', reply } }
      }
      // Whatever it is (a quota, a right that is missing), it is not about this row.
      refused = new UnfinishedError(`the mailbox does not accept a draft into '${folder}': ${responseText}`, {
        cause: error,
        hint: 'Is its quota used up? mailmerge resume continues.',
      })
      return { outcome: { kind: 'unsent', reason: refused.message }, lost: refused.message }
    }
  }

  return {
    name: `drafts of ${imap.user} at ${imap.host}`,
    maxLanes: 2,
    async open(signal): Promise<Lane> {
      if (refused !== undefined) throw refused
      signal?.throwIfAborted()
      const { client, folder } = await connect()
      const lane = oneByOne((message) => handOver(client, folder, message))
      return {
        async run(feed) {
          const end = await lane.run(feed)
          clients.delete(client)
          await client.logout().catch(() => {})
          return end
        },
        abort() {
          lane.abort()
          clients.delete(client)
          client.close()
        },
      }
    },
    async verify() {
      const { client, folder } = await connect()
      clients.delete(client)
      const { secureConnection } = client
      await client.logout().catch(() => {})
      return {
        server: `${imap.host}:${imap.port}, drafts in ${folder}`,
        secure: secureConnection,
        authenticated: true,
        extensions: [...client.capabilities.keys()],
      }
    },
    async close() {
      for (const client of clients) client.close()
      clients.clear()
    },
  }
}

interface AppendError {
  /** `NO` or `BAD`; undefined where no answer came. */
  readonly responseStatus?: string
  readonly responseText?: string
  readonly serverResponseCode?: string
}

async function draftsFolder(client: ImapFlow, named: string | undefined): Promise<string> {
  const folders = await client.list()
  const marked = named === undefined ? folders.find(({ specialUse }) => specialUse === '\\Drafts')?.path : undefined
  const folder = marked ?? named ?? USUAL_FOLDER
  if (!folders.some(({ path }) => path === folder)) await client.mailboxCreate(folder)
  return folder
}

/** A Bcc field with the recipients of the envelope whom no other field names, which a message that is sent does not have. */
function blindCopies({ envelope, chunks }: Message): Buffer {
  const text = Buffer.concat(chunks).toString('latin1')
  const head = text
    .slice(0, text.indexOf('\r\n\r\n'))
    .replace(/\r\n[ \t]/g, ' ')
    .toLowerCase()
  const fields = head.split('\r\n').filter((line) => /^(?:to|cc):/.test(line))
  const blind = envelope.to.filter((address) => !fields.some((field) => field.includes(wire(address))))
  return Buffer.from(blind.length === 0 ? '' : `Bcc: ${blind.join(',\r\n ')}\r\n`)
}

/** An address as it is in bytes read letter by letter. */
function wire(address: string): string {
  return Buffer.from(address.toLowerCase()).toString('latin1')
}
