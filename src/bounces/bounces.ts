/**
 * Reads mailboxes for what came back and takes it in: what the command line and the daemon call. Owns which mailboxes are
 * read; what a letter says and what follows from it is told elsewhere.
 */
import { openLedger } from '../campaign/run/open-ledger.ts'
import type { Settings } from '../config/settings.ts'
import { UsageError } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { openUnsubscribeTokens } from '../unsubscribe/links.ts'
import { INTAKE_LETTERS, type IntakeOptions, type Taken, takeIn } from './ingest.ts'
import { type Letter, readMailbox } from './mailbox.ts'
import { readReports } from './read.ts'
import type { Report } from './report.ts'

export interface BounceRequest {
  /** Files, Maildirs, mboxes, `-`; without any, the IMAP mailbox of the settings. */
  readonly paths: readonly string[]
  readonly stdin?: NodeJS.ReadableStream
  readonly now?: Date
}

/** A report that is only shown. */
export interface ShownReport {
  readonly letter: Letter
  readonly report: Report
}

/** Shows what the letters say; the ledger is not opened and nothing is marked. Gives the number of letters. */
export async function showReports(
  settings: Settings,
  request: BounceRequest,
  show: (reports: readonly ShownReport[]) => void,
): Promise<number> {
  return readLetters(settings, request, undefined, async (letters) => {
    show(letters.flatMap((letter) => readReports(letter.octets).map((report) => ({ letter, report }))))
  })
}

/** Takes what the letters say into the ledger, and tells what became of each report. Gives the number of letters. */
export async function takeReports(
  settings: Settings,
  request: BounceRequest,
  tell: (taken: readonly Taken[]) => void,
): Promise<number> {
  const ledger = await openLedger(settings)
  try {
    const options = await intakeOptions(settings, ledger, request.now ?? new Date())
    return await readLetters(settings, request, ledger, async (letters) => tell(await takeIn(letters, options)))
  } finally {
    await ledger.close()
  }
}

async function intakeOptions(settings: Settings, ledger: Ledger, now: Date): Promise<IntakeOptions> {
  const { returnPath, softLimit, softDays } = settings.bounces
  const offered = settings.unsubscribe?.url ?? settings.unsubscribe?.mailto
  const tokens = offered === undefined ? undefined : await openUnsubscribeTokens(settings)
  return {
    ledger,
    softLimit,
    softDays,
    now,
    leaving: (token) => tokens?.open(token),
    ...(returnPath === undefined ? {} : { returnPath }),
    ...(settings.group === undefined ? {} : { group: settings.group }),
  }
}

async function readLetters(
  settings: Settings,
  { paths, stdin }: BounceRequest,
  ledger: Ledger | undefined,
  take: (letters: readonly Letter[]) => Promise<void>,
): Promise<number> {
  if (paths.length === 0) return readSetMailbox(settings, ledger, take)
  let count = 0
  let letters: Letter[] = []
  for (const path of paths) {
    for await (const letter of readMailbox(path, stdin)) {
      count++
      letters.push(letter)
      if (letters.length < INTAKE_LETTERS) continue
      await take(letters)
      letters = []
    }
  }
  if (letters.length > 0) await take(letters)
  return count
}

async function readSetMailbox(
  { imap, bounces }: Settings,
  ledger: Ledger | undefined,
  take: (letters: readonly Letter[]) => Promise<void>,
): Promise<number> {
  if (imap === undefined) {
    throw new UsageError('there is no mailbox to read', {
      hint: 'Name files, a Maildir, an mbox or -, or set imap: in mailmerge.yaml.',
    })
  }
  const { readImap } = await import('./imap.ts')
  const marks = ledger === undefined ? {} : { marks: ledger.feedback }
  return readImap({ imap, bounces, batch: INTAKE_LETTERS, ...marks }, take)
}
