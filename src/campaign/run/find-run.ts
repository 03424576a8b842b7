/** The run that a person means. Owns the sentences for when there is none; changes nothing. */

import { nearest } from '../../did-you-mean.ts'
import { InputError } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { RunRecord } from '../../ledger/records.ts'

/** The run of that id or beginning of one, or the newest. @throws InputError when there is none, or more than one. */
export async function findRun(ledger: Ledger | undefined, id: string | undefined): Promise<RunRecord> {
  const run = await ledger?.runs.find(id)
  if (run !== undefined) return run
  if (ledger === undefined || id === undefined)
    throw new InputError('there is no run in this project yet', { hint: 'Start one with mailmerge run.' })
  const ids = (await ledger.runs.list()).map((known) => known.id)
  const begun = ids.filter((known) => known.startsWith(id))
  const [only] = begun
  if (begun.length === 1 && only !== undefined) return findRun(ledger, only)
  if (begun.length > 1) {
    throw new InputError(`${begun.length} runs begin with '${id}'`, {
      hint: `Give more of the id: ${begun.slice(0, 5).join(', ')}${begun.length > 5 ? ' ...' : ''}`,
    })
  }
  const guess = nearest(id, ids)
  throw new InputError(`there is no run '${id}' in ${ledger.location}`, {
    hint:
      guess === undefined
        ? 'mailmerge status lists the runs.'
        : `Did you mean ${guess}? mailmerge status lists the runs.`,
  })
}
