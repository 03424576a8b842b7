/** Opens the ledger that the settings name, or one that lives as long as a rehearsal. Owns nothing of what is in it. */
import { statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Settings } from '../../config/settings.ts'
import { ConfigError, OutputError } from '../../errors.ts'
import { outputWords, systemWords } from '../../fs/system-errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { openSqliteLedger } from '../../ledger/sqlite/sqlite.ts'

/** The project's ledger; with `existing`, undefined when there is none yet. */
export async function openLedger(settings: Settings, options: { readonly existing: true }): Promise<Ledger | undefined>
export async function openLedger(settings: Settings): Promise<Ledger>
export async function openLedger(
  settings: Settings,
  options?: { readonly existing: true },
): Promise<Ledger | undefined> {
  if (/^postgres(ql)?:/.test(settings.ledger)) {
    throw new ConfigError('a ledger on PostgreSQL is not supported by this version', {
      hint: 'Name a file: --ledger .mailmerge/ledger.db',
    })
  }
  if (options?.existing && !isThere(settings.ledger)) return undefined
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
