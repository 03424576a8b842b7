/** Who of the good rows is left out all the same. Owns asking the ledger for them while a run is planned. */
import type { SkipReason } from '../../ledger/records.ts'
import type { LeftOut } from '../plan/plan.ts'
import type { RowIdentity } from '../plan/recipient.ts'
import type { OpenMerge } from './open-merge.ts'

/**
 * Who of the good rows is not written to: those who are suppressed and, in a rehearsal, those who have the message already.
 * They are asked for while the run is planned, so that what a person reads before sending is what happens. Undefined where the
 * project has no ledger. `again` starts over: nobody has the message yet.
 */
export async function leftOutBy(merge: OpenMerge, again: boolean): Promise<LeftOut | undefined> {
  const { project, campaign, group, mode } = merge
  if (project === undefined) return undefined
  // A real run joins its plan with what the campaign remembers; a rehearsal has a memory of its own, which is empty.
  const known = mode === 'send' || again ? undefined : await project.campaigns.find(campaign.name)
  return async (rows) => {
    const out = new Map<RowIdentity, SkipReason>()
    const suppressed = await project.suppressions.find(
      rows.map(({ address }) => address),
      group,
    )
    const history =
      known === undefined
        ? undefined
        : await project.results.deliveryHistory(
            known,
            rows.map(({ key }) => key),
          )
    for (const row of rows) {
      const status = history?.get(row.key)?.status
      const suppression = suppressed.get(row.address)
      if (status === 'sent' || status === 'in_doubt') out.set(row, { kind: 'sent-before', detail: '' })
      else if (suppression !== undefined) out.set(row, { kind: 'suppressed', detail: suppression.reason })
    }
    return out
  }
}
