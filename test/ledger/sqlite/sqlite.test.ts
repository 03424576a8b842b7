import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import { openSqliteLedger } from '../../../src/ledger/sqlite/sqlite.ts'
import type { LedgerBackend } from '../harness.ts'
import { ledgerContract } from '../ledger-contract.ts'

function sqliteBackend(): Promise<LedgerBackend> {
  const dir = mkdtempSync(join(tmpdir(), 'mailmerge-ledger-'))
  const open: Ledger[] = []
  return Promise.resolve({
    async open(now) {
      const ledger = await openSqliteLedger(join(dir, 'ledger.db'), now === undefined ? {} : { now })
      open.push(ledger)
      return ledger
    },
    async close() {
      for (const ledger of open) await ledger.close()
      rmSync(dir, { recursive: true, force: true })
    },
  })
}

ledgerContract('a SQLite file', sqliteBackend)
