/** Opens the ledger to look at runs. Changes nothing. */
import type { Settings } from '../config/settings.ts'
import type { Ledger } from '../ledger/ledger.ts'

/** Calls `look` with the project's ledger, or with undefined where nothing was ever sent. */
export async function withLedger<T>(settings: Settings, look: (ledger: Ledger | undefined) => Promise<T>): Promise<T> {
  const { openLedger } = await import('../campaign/run/open-ledger.ts')
  const ledger = await openLedger(settings, { existing: true })
  try {
    return await look(ledger)
  } finally {
    await ledger?.close()
  }
}
