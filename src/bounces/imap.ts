/**
 * Messages of a mailbox over IMAP (RFC 9051). Owns that each is handed out until it was recorded, and that only what was
 * about our messages is marked, moved or deleted: people read this mailbox too.
 */
import type { ImapFlow } from 'imapflow'
import type { BounceSettings, ImapSettings } from '../config/settings.ts'
import { ConfigError } from '../errors.ts'
import { withMailbox } from '../imap/client.ts'
import type { Feedback } from '../ledger/feedback.ts'
import type { InboundMessage } from './mailbox.ts'

/** Bytes of one message that are fetched: no report says anything behind that. */
const MAX_MESSAGE_BYTES = 2_000_000

/** Records messages, and returns those that were about messages of ours. */
export type TakeMessages = (messages: readonly InboundMessage[]) => Promise<ReadonlySet<InboundMessage>>

export interface ImapMailboxOptions {
  readonly imap: ImapSettings
  readonly bounces: Pick<BounceSettings, 'mailbox' | 'done'>
  /** Where it is kept how far the mailbox was read. Without it all is read, and nothing marked. */
  readonly marks: Feedback | undefined
  /** Letters handed out at once. */
  readonly batch: number
  /** Ends the connection. */
  readonly signal: AbortSignal | undefined
}

/**
 * Hands out what arrived since the last time, in batches, and marks a batch when `take` has recorded it. When it is cut off
 * in the middle, the next call starts with the batch that was not recorded.
 * @returns the number of messages.
 * @throws UnreachableError, LoginError, ConfigError for a folder that is not there.
 */
export async function readImap(options: ImapMailboxOptions, take: TakeMessages): Promise<number> {
  const { imap, bounces, signal } = options
  return withMailbox(
    imap,
    async (client) => {
      const lock = await openFolder(client, bounces.mailbox, options)
      try {
        return await readNew(client, options, take)
      } finally {
        lock.release()
      }
    },
    signal,
  )
}

async function openFolder(client: ImapFlow, mailbox: string, { imap }: ImapMailboxOptions) {
  try {
    return await client.getMailboxLock(mailbox)
  } catch (cause) {
    throw new ConfigError(`the mailbox of ${imap.user} has no folder '${mailbox}'`, {
      cause,
      hint: 'Name another one with bounces.mailbox in mailmerge.yaml.',
    })
  }
}

async function readNew(
  client: ImapFlow,
  { imap, bounces, marks, batch }: ImapMailboxOptions,
  take: TakeMessages,
): Promise<number> {
  const name = `${imap.user}@${imap.host}/${bounces.mailbox}`
  const validity = client.mailbox === false ? '0' : String(client.mailbox.uidValidity)
  const before = await marks?.mailboxPosition(name)
  // Other UIDs than before (RFC 9051 section 2.3.1.1): all is read again, and what was taken in is known by its content.
  const [known, last] = before?.split(':') ?? []
  const since = known === validity ? Number(last) : 0
  const found = (await client.search({ uid: `${since + 1}:*` }, { uid: true })) || []
  // `n:*` always gives the last message, also one before n.
  const uids = found.filter((uid) => uid > since).sort((a, b) => a - b)
  for (let at = 0; at < uids.length; at += batch) {
    const some = uids.slice(at, at + batch)
    const fetched = new Map<InboundMessage, number>()
    for await (const message of client.fetch(
      some.join(','),
      { source: { maxLength: MAX_MESSAGE_BYTES } },
      { uid: true },
    )) {
      if (message.source === undefined) continue
      fetched.set({ file: `${name};UID=${message.uid}`, bytes: message.source }, message.uid)
    }
    const taken = await take([...fetched.keys()])
    if (marks === undefined) continue
    const ours = [...fetched].filter(([message]) => taken.has(message)).map(([, uid]) => uid)
    if (ours.length > 0) await finish(client, ours, bounces.done)
    await marks.setMailboxPosition(name, `${validity}:${some.at(-1) ?? since}`)
  }
  return uids.length
}

/** What a person sees in the mailbox afterwards. */
async function finish(client: ImapFlow, uids: readonly number[], done: BounceSettings['done']): Promise<void> {
  if (done === 'keep') return
  const range = uids.join(',')
  if (done === 'seen') await client.messageFlagsAdd(range, ['\\Seen'], { uid: true })
  else if (done === 'delete') await client.messageDelete(range, { uid: true })
  else {
    // Fails where the folder is there already.
    await client.mailboxCreate(done.move).catch(() => {})
    await client.messageMove(range, done.move, { uid: true })
  }
}
