/** From what SQLite and the disk say to an error that a person can act on. Owns the words; never decides to go on. */
import { accessSync, constants, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DefectError, MailmergeError, OutputError, UnfinishedError } from '../../errors.ts'
import { systemWords } from '../../fs/system-errors.ts'

export const DAMAGE_HINT =
  'It was left as it is. Put a copy from a backup in its place, or move it away; without it nobody knows who was written to.'

/** SQLite's primary result codes that matter here (https://sqlite.org/rescode.html). */
const ERROR = 1
const BUSY = 5
const LOCKED = 6
const READONLY = 8
const IOERR = 10
const CORRUPT = 11
const FULL = 13
const CANTOPEN = 14
const CONSTRAINT = 19
const NOTADB = 26

/** SQLite's primary result code of an error, if it has one. */
function codeOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined
  return error.errcode & 0xff
}

/** Another connection has the lock that we need: to be waited for. */
export function isBusy(error: unknown): boolean {
  const code = codeOf(error)
  return code === BUSY || code === LOCKED
}

/** The disk or the file failed. Nothing said by this connection from now on can be trusted. */
export function isStorageFailure(error: unknown): boolean {
  const code = codeOf(error)
  return code !== undefined && code !== BUSY && code !== LOCKED && code !== CONSTRAINT
}

/** What SQLite does not say: why this user can neither open the file nor make one in its folder. */
function whyNot(location: string): string | undefined {
  try {
    const found = statSync(location, { throwIfNoEntry: false })
    if (found?.isDirectory()) return 'it is a folder'
    if (found !== undefined) accessSync(location, constants.R_OK | constants.W_OK)
    accessSync(dirname(location), constants.W_OK)
    return found === undefined ? 'no new file can be made in its folder' : undefined
  } catch (error) {
    return systemWords(error)
  }
}

/** The error to throw for `error`; ours pass through unchanged. */
export function explain(error: unknown, location: string): MailmergeError {
  if (error instanceof MailmergeError) return error
  const said = error instanceof Error ? error.message : String(error)
  const details = (hint: string) => ({ hint, cause: error })
  switch (codeOf(error)) {
    case FULL:
      return new OutputError(
        `the disk is full: the ledger ${location} cannot be written`,
        details('Free some space, then give the command again: what was sent is recorded.'),
      )
    case READONLY:
    case CANTOPEN:
      return new OutputError(
        `the ledger ${location} cannot be written: ${whyNot(location) ?? said}`,
        details('Make the file and its folder writable for you, or name another place with --ledger.'),
      )
    case ERROR:
      // Our statements are fixed, and fit the tables that our migrations make: these are others.
      return new OutputError(
        `the ledger ${location} is damaged: its tables have changed (${said})`,
        details(DAMAGE_HINT),
      )
    case CORRUPT:
    case NOTADB:
      return new OutputError(`the ledger ${location} is damaged, or is not a ledger: ${said}`, details(DAMAGE_HINT))
    case IOERR:
      return new OutputError(
        `the disk failed under the ledger ${location}: ${said}`,
        details('Check the disk; when it works again, give the command again: what was sent is recorded.'),
      )
    case BUSY:
    case LOCKED:
      return new UnfinishedError(
        `the ledger ${location} is locked by another process`,
        details('Wait for it to end, then give the command again.'),
      )
    case undefined:
      // A text that is not JSON, a number too large for one of ours: no statement of ours wrote it.
      if (error instanceof SyntaxError || error instanceof RangeError)
        return new OutputError(`the ledger ${location} is damaged: ${said}`, details(DAMAGE_HINT))
      return new DefectError(`the ledger failed: ${said}`, { cause: error })
    default:
      return new DefectError(`the ledger refused a statement: ${said}`, { cause: error })
  }
}
