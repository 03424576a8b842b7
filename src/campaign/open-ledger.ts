/** Opens the ledger that the settings name, or one that lives as long as a rehearsal. Owns nothing of what is in it. */
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Settings } from '../config/settings.ts'
import { ConfigError } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { openSqliteLedger } from '../ledger/sqlite.ts'

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
  if (options?.existing && !existsSync(settings.ledger)) return undefined
  return openSqliteLedger(settings.ledger)
}

/** A ledger for a dry run, the sandbox or a test mail: thrown away when it is closed. */
export async function openScratchLedger(): Promise<Ledger> {
  const dir = await mkdtemp(join(tmpdir(), 'mailmerge-'))
  const ledger = await openSqliteLedger(join(dir, 'ledger.db'))
  const close = ledger.close.bind(ledger)
  ledger.close = async () => {
    await close()
    await rm(dir, { recursive: true, force: true })
  }
  return ledger
}
