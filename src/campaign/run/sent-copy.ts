/**
 * Copies of sent messages in the sender's own mailbox, for those whose provider keeps none. Owns that each is kept once,
 * also after a stop; never in the way of delivery, which is over when it begins.
 */

import type { ImapFlow } from 'imapflow'
import type { ImapSettings } from '../../config/settings.ts'
import { ConfigError } from '../../errors.ts'
import { withMailbox } from '../../imap/client.ts'
import type { Copies } from '../../ledger/ledger.ts'
import type { DueRow } from '../../ledger/records.ts'
import type { MaybePromise } from '../../maybe-promise.ts'
import type { Message } from '../../message/message.ts'

export interface SentCopyOptions {
  readonly copies: Copies
  readonly runId: string
  readonly imap: ImapSettings
  readonly folder: string
  readonly render: (due: DueRow, date: Date) => MaybePromise<Message>
  readonly signal: AbortSignal | undefined
}

/** Messages looked up in the ledger at once. */
const BATCH = 50

/**
 * Appends what has no copy yet (RFC 9051 section 6.3.12), marked as read, with the moment it was sent.
 * @returns how many were kept.
 * @throws UnreachableError, LoginError, ConfigError; what was kept stays, the next call goes on.
 */
export async function keepCopies(options: SentCopyOptions): Promise<number> {
  const { copies, runId, imap, folder, render, signal } = options
  const [first] = await copies.missing(runId, 1)
  if (first === undefined) return 0
  return withMailbox(imap, async (client) => {
    // Fails where the folder is there already.
    await client.mailboxCreate(folder).catch(() => {})
    const { id } = await render(first, first.sentAt)
    // A stop may have come between a copy and its record.
    if (await holds(client, folder, id)) await copies.add(first.recipient)
    for (let kept = 0; ; ) {
      const rows = await copies.missing(runId, BATCH)
      for (const row of rows) {
        if (signal?.aborted) return kept
        const { chunks } = await render(row, row.sentAt)
        if ((await client.append(folder, Buffer.concat(chunks), ['\\Seen'], row.sentAt)) === false)
          throw refused(folder)
        await copies.add(row.recipient)
        kept++
      }
      if (rows.length < BATCH) return kept
    }
  })
}

async function holds(client: ImapFlow, folder: string, id: string): Promise<boolean> {
  const lock = await client.getMailboxLock(folder).catch((cause: unknown) => {
    throw new ConfigError(`the folder '${folder}' for sent copies cannot be opened`, {
      cause,
      hint: 'Name another one with sentCopy in mailmerge.yaml.',
    })
  })
  try {
    const found = await client.search({ header: { 'Message-ID': id } }, { uid: true })
    return found !== false && found !== undefined && found.length > 0
  } finally {
    lock.release()
  }
}

function refused(folder: string): ConfigError {
  return new ConfigError(`the mailbox did not accept a copy into '${folder}'`, { hint: 'Is its quota used up?' })
}
