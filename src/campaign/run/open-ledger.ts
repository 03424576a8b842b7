/** Opens the ledger that the settings name, or one that lives as long as a rehearsal. Owns nothing of what is in it. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { Settings } from '../../config/settings.ts'
import { ConfigError, LedgerMissingError, OutputError } from '../../errors.ts'
import { outputWords, systemWords } from '../../fs/system-errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { isRunId } from '../../ledger/run-id.ts'
import { isLedgerFile } from '../../ledger/sqlite/file.ts'
import { openSqliteLedger } from '../../ledger/sqlite/sqlite.ts'

export interface OpenLedgerOptions {
  readonly existing?: false
  /** Makes a ledger also where runs are known that the one which is gone recorded. */
  readonly acceptLoss?: boolean
}

/**
 * The project's ledger, made when there is none; with `existing`, undefined then.
 * @throws LedgerMissingError when there is none and runs are known: a new one would know nobody, and everyone would be
 * written to again.
 */
export async function openLedger(settings: Settings, options: { readonly existing: true }): Promise<Ledger | undefined>
export async function openLedger(settings: Settings, options?: OpenLedgerOptions): Promise<Ledger>
export async function openLedger(
  settings: Settings,
  options: OpenLedgerOptions | { readonly existing: true } = {},
): Promise<Ledger | undefined> {
  if (/^postgres(ql)?:/.test(settings.ledger)) {
    throw new ConfigError('a ledger on PostgreSQL is not supported by this version', {
      hint: 'Name a file: --ledger .mailmerge/ledger.db',
    })
  }
  if (!isThere(settings.ledger)) {
    if (options.existing) return undefined
    if (!options.acceptLoss) refuseWhereRunsAreKnown(settings)
  }
  return openSqliteLedger(settings.ledger)
}

/** @throws OutputError where it cannot be known: to take a ledger for none would be a lie. */
function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined
  } catch (cause) {
    throw new OutputError(`the ledger ${path} cannot be opened: ${systemWords(cause)}`, {
      cause,
      hint: 'Make it and its folder accessible to this user, or name another with --ledger.',
    })
  }
}

/** Runs leave a folder beside their ledger before they send, and rehearsals leave none. */
function refuseWhereRunsAreKnown(settings: Settings): void {
  const folder = runsFolder(settings)
  const runs = existsSync(folder) ? readdirSync(folder).filter(isRunId).sort() : []
  const newest = runs.at(-1)
  if (newest === undefined || hasOtherLedger(settings.ledger)) return
  throw new LedgerMissingError(
    `the ledger ${settings.ledger} is missing, but runs are known: the newest is ${newest} in ${folder}`,
    {
      hint: 'Put the ledger back from a backup: it knows who was written to. `mailmerge run --again` starts without it and writes to everyone on the list.',
    },
  )
}

/** Then the runs may be its own. */
function hasOtherLedger(path: string): boolean {
  const folder = dirname(path)
  return readdirSync(folder, { withFileTypes: true }).some(
    (entry) => entry.isFile() && entry.name !== basename(path) && isLedgerFile(join(folder, entry.name)),
  )
}

/** A ledger for a dry run, the sandbox or a test mail: thrown away when it is closed. */
export async function openScratchLedger(): Promise<Ledger> {
  const dir = await mkdtemp(join(tmpdir(), 'mailmerge-')).catch((cause: unknown) => {
    throw new OutputError(`no folder for temporary files can be made in ${tmpdir()}: ${outputWords(cause)}`, {
      cause,
      hint: 'Name another one in the environment: TMPDIR=/path.',
    })
  })
  const ledger = await openSqliteLedger(join(dir, 'ledger.db'))
  return {
    ...ledger,
    async close() {
      await ledger.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** Where the files of runs are kept, each run in a folder of its own. */
export function runsFolder(settings: Pick<Settings, 'ledger'>): string {
  return join(dirname(settings.ledger), 'runs')
}
