/** Going on with a run, from the plan in the ledger alone: resume and retry. */
import type { Settings } from '../../config/settings.ts'
import { DataError, UsageError } from '../../errors.ts'
import { given } from '../../given.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { type RunRecord, totalOf } from '../../ledger/records.ts'
import { messagesOf } from '../../report/head.ts'
import { checkWritable } from '../../report/report.ts'
import { draftSettings, makesDrafts } from '../../transport/open.ts'
import { type Accounts, plannedAccounts, requireAccounts } from '../accounts/accounts.ts'
import { checkResumeRequest } from '../check-request.ts'
import type { SummaryEvent } from '../events.ts'
import type { MergeHooks, ResumeRequest } from '../merge.ts'
import { withNotices } from '../notify/notify.ts'
import { parseRowRanges } from '../plan/select.ts'
import { type Content, openContent } from './content.ts'
import { beginAndDeliver, groupOf, summarize } from './deliver-run.ts'
import { openDestination } from './destination.ts'
import { findRun } from './find-run.ts'
import { withMetricsFile } from './metrics-file.ts'
import { openLedger } from './open-ledger.ts'
import { type OpenMerge, openMerge } from './open-merge.ts'
import { refuseClosed } from './sending-hours.ts'

/**
 * Goes on with an unfinished run, from the plan in the ledger: the list is not read again.
 * @throws DataError when the template changed since planning, UnfinishedError when another process is at it.
 */
export async function resumeMerge(
  settings: Settings,
  request: ResumeRequest = {},
  hooks: MergeHooks = {},
): Promise<SummaryEvent> {
  checkResumeRequest('resumeMerge', request, hooks)
  return recorded(settings, request, hooks, (own) =>
    goOn(settings, request, own, newestUnfinished, async (ledger, run) => {
      const { inDoubt, rows } = request
      if (inDoubt === undefined) return
      const ranges = rows === undefined ? undefined : parseRowRanges(rows)
      await ledger.deliveries.resolveInDoubt(run.id, inDoubt, { at: new Date(), rows: ranges })
    }),
  )
}

/** Tries again what failed for good in a run. */
export async function retryMerge(
  settings: Settings,
  request: ResumeRequest = {},
  hooks: MergeHooks = {},
): Promise<SummaryEvent> {
  checkResumeRequest('retryMerge', request, hooks)
  return recorded(settings, request, hooks, (own) =>
    goOn(settings, request, own, findRun, async (ledger, run) => {
      await ledger.deliveries.retryFailed(run.id)
    }),
  )
}

/** `work` with the file of metrics and the notices. */
function recorded(
  settings: Settings,
  { run, patience }: ResumeRequest,
  hooks: MergeHooks,
  work: (hooks: MergeHooks) => Promise<SummaryEvent>,
): Promise<SummaryEvent> {
  // Only what resumes runs by itself says how long it waits.
  const unattended = run === undefined || patience === undefined ? undefined : { subject: run, campaign: undefined }
  return withNotices(settings, hooks, unattended, (own) => withMetricsFile(settings.metrics, own, work))
}

async function goOn(
  settings: Settings,
  request: ResumeRequest,
  hooks: MergeHooks,
  choose: (ledger: Ledger, id: string | undefined) => Promise<RunRecord>,
  prepareLedger: (ledger: Ledger, run: RunRecord) => Promise<void>,
): Promise<SummaryEvent> {
  for (const report of request.reports ?? []) await checkWritable(report)
  await using merge = await openRun(settings, request.run, hooks, choose)
  refuseClosed(merge)
  const { ledger, run } = merge
  await ledger.runs.request(run.id, undefined)
  await prepareLedger(ledger, run)
  // What is to be sent again may be bound to an account that is gone.
  await plannedAccounts(settings, run, ledger)
  await using destination = await openDestination(merge, run.id)
  const counts = await ledger.results.counts(run.id)
  const campaign = run.campaign.name
  const rows = totalOf(counts)
  const skipped = counts.skipped === 0 ? {} : Object.fromEntries(await ledger.results.skipCounts(run.id))
  const copies = await ledger.carbonCopies.counts(run.id)
  const messages = await messagesOf(ledger, run)
  const planned = { run: run.id, campaign, rows, toSend: counts.deferred, counts, messages, skipped, copies }
  hooks.onEvent?.({ event: 'planned', ...planned })
  const end = await beginAndDeliver(
    merge,
    { id: run.id, detach: false, patience: request.patience },
    await destination.transports(),
    { counts, messages },
  )
  return await summarize(merge, { id: run.id, campaign, rows, mails: undefined }, end, request.reports)
}

/** The merge of a run in the ledger, as it was planned. */
async function openRun(
  settings: Settings,
  id: string | undefined,
  hooks: MergeHooks,
  choose: (ledger: Ledger, id: string | undefined) => Promise<RunRecord>,
): Promise<OpenMerge & { readonly run: RunRecord }> {
  await using closing = new AsyncDisposableStack()
  const ledger = await openLedger(settings)
  closing.adopt(ledger, (it) => it.close())
  const run = await choose(ledger, id)
  if (id === undefined) hooks.note?.(`run ${run.id}: ${run.campaign.name}`)
  if (run.state === 'cancelled') {
    throw new UsageError(`the run ${run.id} was cancelled`, { hint: 'Give the run command again to plan a new run.' })
  }
  requireAccounts(settings, run)
  const { emailColumn, after, timeZone = settings.timeZone } = run.options
  // Dates are written in the time zone that the run was planned in, whoever resumes it.
  const { groupBy: _, ...ungrouped } = settings
  const zoned = { ...ungrouped, ...given({ timeZone, groupBy: run.options.groupBy }) }
  const planned = run.options.drafts === true || makesDrafts(zoned) ? draftSettings(zoned) : zoned
  const content = await plannedContent(planned, run)
  const { campaign } = run
  const options = { content, campaign, again: false, group: groupOf(settings, run), emailColumn, after, ledger }
  const accounts = (own: Ledger): Promise<Accounts> => plannedAccounts(planned, run, own)
  // From here on the merge closes the ledger.
  closing.move()
  return { ...(await openMerge(planned, { mode: 'send', testTo: undefined, accounts, ...options }, hooks)), run }
}

/** @throws DataError when the template is not what the run was planned with. */
async function plannedContent(settings: Settings, run: RunRecord): Promise<Content> {
  const { columns, options, templateHash } = run
  const content = await openContent(settings, {
    templateName: options.template ?? run.template,
    templates: options.templates,
    campaign: () => run.campaign.name,
    variant: options.variant,
    columns,
    sends: true,
    follows: options.after !== undefined,
    isGrouped: options.groupBy !== undefined,
  })
  if (content.hash === templateHash) return content
  throw new DataError(`the template '${run.template}' changed after run ${run.id} was planned`, {
    hint: 'Give the run command again: it plans with the template as it is now, and sends what is not yet sent. What failed for good can be retried after it.',
  })
}

/** The run of that id, or the newest unfinished one, or the newest where all are finished. */
async function newestUnfinished(ledger: Ledger, id: string | undefined): Promise<RunRecord> {
  if (id !== undefined) return findRun(ledger, id)
  const open = (await ledger.runs.list()).filter(({ state }) => state === 'ready')
  // One that was broken off comes before one that waits for its start time.
  const waits = ({ notBefore, begunAt }: RunRecord): boolean => notBefore !== undefined && begunAt === undefined
  return open.find((run) => !waits(run)) ?? open[0] ?? findRun(ledger, undefined)
}
