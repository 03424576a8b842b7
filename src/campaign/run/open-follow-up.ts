/** Opens the earlier campaign that a run follows. Owns where it is looked up and how its subjects are made again. */
import type { Settings } from '../../config/settings.ts'
import type { PriorMessage, RunRecord } from '../../ledger/records.ts'
import type { Earlier } from '../merge.ts'
import { restoreRow } from '../plan/row-data.ts'
import { type FollowUp, openFollowUp } from './follow-up.ts'
import { openTemplate, openVariants } from './material.ts'
import { openLedger, openScratchLedger } from './open-ledger.ts'
import type { Workshop } from './open-merge.ts'

/** The follow-up of a run. A rehearsal looks at the real ledger, and waits for nothing. */
export async function followUp(
  { settings, ledger, mode }: Workshop,
  { campaign: after, wait }: Earlier,
): Promise<FollowUp> {
  const real = mode === 'send'
  const own = real ? undefined : ((await openLedger(settings, { existing: true })) ?? (await openScratchLedger()))
  const close = async (): Promise<void> => own?.close()
  const asked = own ?? ledger
  try {
    const subjectOf = await earlierSubjects(settings, await asked.runs.find(undefined, after))
    return await openFollowUp({ ledger: asked, after, ...(real ? { wait } : {}), subjectOf, close })
  } catch (error) {
    await close()
    throw error
  }
}

/** The subjects of an earlier run, made again from its rows; none where its template is gone. */
async function earlierSubjects(
  settings: Settings,
  run: RunRecord | undefined,
): Promise<(fate: PriorMessage) => string> {
  if (run === undefined) return () => ''
  const name = run.options.template ?? run.template
  const opened = await Promise.all([
    openTemplate(name, settings),
    openVariants(name, settings, run.campaign.name),
  ]).catch(() => undefined)
  if (opened === undefined) return () => ''
  const [template, split] = opened
  return ({ row, data, variant, finishedAt }) => {
    const planned = (variant === undefined ? undefined : split?.named(variant)?.template) ?? template
    try {
      const context = { row, campaign: run.campaign.name, now: finishedAt ?? run.startedAt }
      return planned.render(restoreRow(data).cells, context).subject
    } catch {
      // The template changed since then and does not fit the row any more.
      return ''
    }
  }
}
