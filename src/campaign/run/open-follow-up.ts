/** Opens the earlier campaign that a run follows. Owns where it is looked up and how its subjects are made again. */
import type { Settings } from '../../config/settings.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { PriorMessage, RunRecord } from '../../ledger/records.ts'
import type { Earlier } from '../merge.ts'
import { restoreRow } from '../plan/row-data.ts'
import { openTemplate, openVariants } from './content.ts'
import { type FollowUp, openFollowUp } from './follow-up.ts'

/** The follow-up of a campaign that `ledger` knows. A rehearsal waits for nothing. */
export async function openFollowUpOf(
  settings: Settings,
  ledger: Ledger,
  { campaign: after, wait }: Earlier,
  { waits }: { readonly waits: boolean },
): Promise<FollowUp> {
  const subjectOf = await earlierSubjects(settings, await ledger.runs.find(undefined, after))
  return openFollowUp({ ledger, after, wait: waits ? wait : undefined, subjectOf })
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
