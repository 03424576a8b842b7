/** The run that a person means. Owns the sentences for when there is none; changes nothing. */

import { nearest } from '../../did-you-mean.ts'
import { InputError } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { RunRecord } from '../../ledger/records.ts'

/** The run of that id, or the newest. @throws InputError when there is none. */
export async function findRun(ledger: Ledger | undefined, id: string | undefined): Promise<RunRecord> {
  const run = await ledger?.runs.find(id)
  if (run !== undefined) return run
  if (ledger === undefined || id === undefined)
    throw new InputError('there is no run in this project yet', { hint: 'Start one with mailmerge run.' })
  const guess = nearest(
    id,
    (await ledger.runs.list()).map((known) => known.id),
  )
  throw new InputError(`there is no run '${id}' in ${ledger.location}`, {
    hint:
      guess === undefined
        ? 'mailmerge status lists the runs.'
        : `Did you mean ${guess}? mailmerge status lists the runs.`,
  })
}
