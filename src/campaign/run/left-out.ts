/** Who of the good rows is left out all the same, and who has the message already. Owns asking the ledger while a run is planned. */
import type { SkipReason } from '../../ledger/records.ts'
import type { Row } from '../../source/source.ts'
import type { LeftOut } from '../plan/plan-options.ts'
import type { RowIdentity } from '../plan/recipient.ts'
import type { OpenMerge } from './open-merge.ts'

/**
 * Who of the good rows is not written to: those who are suppressed and, in a rehearsal, those who have the message already.
 * They are asked for while the run is planned, so that what a person reads before sending is what happens. Undefined where the
 * project has no ledger. `again` starts over: nobody has the message yet.
 */
export async function leftOutBy(merge: OpenMerge, again: boolean): Promise<LeftOut | undefined> {
  const { project, group, mode } = merge
  if (project === undefined) return undefined
  // A real run joins its plan with what the campaign remembers; a rehearsal has a memory of its own, which is empty.
  const delivered = mode === 'send' ? undefined : deliveredKeys(merge, again)
  return async (rows) => {
    const out = new Map<RowIdentity, SkipReason>()
    const suppressed = await project.suppressions.find(
      rows.map(({ address }) => address),
      group,
    )
    const sentBefore = await delivered?.(rows.map(({ key }) => key))
    for (const row of rows) {
      const suppression = suppressed.get(row.address)
      if (sentBefore?.has(row.key)) out.set(row, { kind: 'sent-before', detail: '' })
      else if (suppression !== undefined) out.set(row, { kind: 'suppressed', detail: suppression.reason })
    }
    return out
  }
}

/** Which rows of a batch have their message already, or may have it. */
export function deliveredBy(merge: OpenMerge, again: boolean): (rows: readonly Row[]) => Promise<ReadonlySet<Row>> {
  const delivered = deliveredKeys(merge, again)
  return async (rows) => {
    const keys = rows.map((row) => merge.renderer.identify(row).key)
    const found = await delivered(keys)
    return new Set(rows.filter((_, i) => found.has(keys[i] ?? '')))
  }
}

/** Which of some recipient keys are sent or in doubt in the campaign of the project. `again` starts over: none is. */
function deliveredKeys(
  { project, campaign }: Pick<OpenMerge, 'project' | 'campaign'>,
  again: boolean,
): (keys: readonly string[]) => Promise<ReadonlySet<string>> {
  const finding = project === undefined || again ? undefined : project.campaigns.find(campaign.name)
  return async (keys) => {
    const known = await finding
    if (project === undefined || known === undefined) return new Set()
    const history = await project.results.deliveryHistory(known, keys)
    const delivered = [...history].filter(([, { status }]) => status === 'sent' || status === 'in_doubt')
    return new Set(delivered.map(([key]) => key))
  }
}
