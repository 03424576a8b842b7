/** Finds a schedule by its name. Owns the sentence for one that is not there. */

import { didYouMean } from '../../../did-you-mean.ts'
import { InputError } from '../../../errors.ts'
import type { Ledger } from '../../../ledger/ledger.ts'
import type { Schedule } from '../../../ledger/schedules.ts'
import { escapeInvisible } from '../../../text/visible.ts'

/** @throws InputError for a name that no schedule has. */
export async function scheduleNamed(ledger: Ledger | undefined, name: string): Promise<Schedule> {
  const all = (await ledger?.schedules.list()) ?? []
  const found = all.find((one) => one.name === name)
  if (found !== undefined) return found
  throw new InputError(`there is no schedule '${escapeInvisible(name)}'`, {
    hint: didYouMean(
      name,
      all.map((one) => one.name),
      'mailmerge schedule list shows them.',
    ),
  })
}
