/** Opens the ledger to look at runs. Owns the sentence for a project that has none; changes nothing. */
import type { Settings } from '../config/settings.ts'
import { InputError } from '../errors.ts'
import type { Ledger, RunRecord } from '../ledger/ledger.ts'
import { nearest } from '../nearest.ts'

/** Calls `look` with the project's ledger, or with undefined where nothing was ever sent. */
export async function withLedger<T>(settings: Settings, look: (ledger: Ledger | undefined) => Promise<T>): Promise<T> {
  const { openLedger } = await import('../campaign/open-ledger.ts')
  const ledger = await openLedger(settings, { existing: true })
  try {
    return await look(ledger)
  } finally {
    await ledger?.close()
  }
}

/** The run of that id, or the newest. @throws InputError when there is none. */
export async function findRun(ledger: Ledger | undefined, id: string | undefined): Promise<RunRecord> {
  const run = await ledger?.run(id)
  if (run !== undefined) return run
  if (ledger === undefined || id === undefined)
    throw new InputError('there is no run in this project yet', { hint: 'Start one with mailmerge run.' })
  const guess = nearest(
    id,
    (await ledger.runs()).map((known) => known.id),
  )
  throw new InputError(`there is no run '${id}' in ${ledger.location}`, {
    hint: guess === undefined ? 'mailmerge status lists the runs.' : `Did you mean ${guess}?`,
  })
}
