/**
 * Reads mailboxes for what came back and records it: what the command line and the daemon call. Owns which mailboxes are
 * read; what a message says and what follows from it is decided elsewhere.
 */
import { openLedger } from '../campaign/run/open-ledger.ts'
import type { Settings } from '../config/settings.ts'
import { UsageError } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { openUnsubscribeTokens } from '../unsubscribe/links.ts'
import type { TakeMessages } from './imap.ts'
import { INGEST_BATCH, type IngestedReport, type IngestOptions, ingest } from './ingest.ts'
import { type InboundMessage, readMailbox } from './mailbox.ts'
import { createReadingThread, type ReadingThread } from './reading-thread.ts'
import type { Report } from './report.ts'

export interface BounceRequest {
  /** Files, Maildirs, mboxes, `-`; without any, the IMAP mailbox of the settings. */
  readonly paths: readonly string[]
  readonly stdin?: NodeJS.ReadableStream
  readonly now?: Date
  /** Ends the reading, also in the middle of a message; what was taken in by then stays. */
  readonly signal?: AbortSignal
}

/** A report that is only shown; none of a message that takes too long to read. */
export interface ShownReport {
  readonly inbound: InboundMessage
  readonly report: Report | undefined
}

/** Shows what the messages say; the ledger is not opened and nothing is marked. Gives the number of messages. */
export async function showReports(
  settings: Settings,
  request: BounceRequest,
  show: (reports: readonly ShownReport[]) => void,
): Promise<number> {
  return withThread(request, (thread) =>
    readMessages(settings, request, undefined, async (messages) => {
      for (const inbound of messages) {
        const contents = await thread.read(inbound.bytes)
        show(contents?.reports.map((report) => ({ inbound, report })) ?? [{ inbound, report: undefined }])
      }
      return NONE
    }),
  )
}

/** Records in the ledger what the messages report, and passes on what became of each. Returns the number of messages. */
export async function ingestReports(
  settings: Settings,
  request: BounceRequest,
  onIngested: (ingested: readonly IngestedReport[]) => void,
): Promise<number> {
  const ledger = await openLedger(settings)
  try {
    return await withThread(request, async (thread) => {
      const options = await ingestOptions(settings, ledger, thread, request.now ?? new Date())
      return readMessages(settings, request, ledger, async (messages) => {
        const ingested = await ingest(messages, options)
        onIngested(ingested)
        return new Set(ingested.filter(isProcessed).map(({ inbound }) => inbound))
      })
    })
  } finally {
    await ledger.close()
  }
}

async function withThread<T>({ signal }: BounceRequest, work: (thread: ReadingThread) => Promise<T>): Promise<T> {
  const thread = createReadingThread(signal)
  try {
    return await work(thread)
  } finally {
    await thread.close()
  }
}

const NONE: ReadonlySet<InboundMessage> = new Set()

/** True when nobody has to read the message any more. The answer of a person is for a person. */
function isProcessed({ report, outcome }: IngestedReport): boolean {
  return report !== undefined && outcome !== 'foreign' && outcome !== 'unread'
}

async function ingestOptions(
  settings: Settings,
  ledger: Ledger,
  { read }: ReadingThread,
  now: Date,
): Promise<IngestOptions> {
  const { returnPath, softLimit, softDays } = settings.bounces
  const offered = settings.unsubscribe?.url ?? settings.unsubscribe?.mailto
  const tokens = offered === undefined ? undefined : await openUnsubscribeTokens(settings)
  return {
    ledger,
    read,
    softLimit,
    softDays,
    now,
    openToken: (token) => tokens?.open(token),
    returnPath,
    group: settings.group,
  }
}

async function readMessages(
  settings: Settings,
  { paths, stdin, signal }: BounceRequest,
  ledger: Ledger | undefined,
  take: TakeMessages,
): Promise<number> {
  if (paths.length === 0) return readSetMailbox(settings, ledger, take, signal)
  let count = 0
  let messages: InboundMessage[] = []
  for (const path of paths) {
    for await (const inbound of readMailbox(path, stdin)) {
      count++
      messages.push(inbound)
      if (messages.length < INGEST_BATCH) continue
      await take(messages)
      messages = []
    }
  }
  if (messages.length > 0) await take(messages)
  return count
}

async function readSetMailbox(
  { imap, bounces }: Settings,
  ledger: Ledger | undefined,
  take: TakeMessages,
  signal: AbortSignal | undefined,
): Promise<number> {
  if (imap === undefined) {
    throw new UsageError('there is no mailbox to read', {
      hint: 'Name files, a Maildir, an mbox or -, or set imap: in mailmerge.yaml.',
    })
  }
  const { readImap } = await import('./imap.ts')
  return readImap({ imap, bounces, batch: INGEST_BATCH, marks: ledger?.feedback, signal }, take)
}
