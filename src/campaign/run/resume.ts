/** Going on with a run, from the plan in the ledger alone: resume, retry, cancel. */
import { join } from 'node:path'
import type { Settings } from '../../config/settings.ts'
import { DataError, UsageError } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { ownerOfThisProcess } from '../../ledger/owner.ts'
import type { RunRecord } from '../../ledger/records.ts'
import { checkWritable } from '../../report/report.ts'
import { openTransport } from '../../transport/open.ts'
import { openUnsubscribeLinks } from '../../unsubscribe/links.ts'
import type { SummaryEvent } from '../events.ts'
import type { MergeHooks, ResumeRequest } from '../merge.ts'
import { createPreparer } from '../plan/render-row.ts'
import { beginAndDeliver, summarize } from './deliver-run.ts'
import { findRun } from './find-run.ts'
import { bindAll, openTemplate, openVariants, planHash } from './material.ts'
import { metered } from './metrics-file.ts'
import { followUp } from './open-follow-up.ts'
import { openLedger } from './open-ledger.ts'
import { groupOf, makeWorkshop, transportOptions } from './open-merge.ts'

/** Open runs that are named where one of them is meant. */
const NAMED = 5

/**
 * Goes on with an unfinished run, from the plan in the ledger: the list is not read again.
 * @throws DataError when the template changed since planning, UnfinishedError when another process is at it.
 */
export function resumeMerge(
  settings: Settings,
  request: ResumeRequest = {},
  hooks: MergeHooks = {},
): Promise<SummaryEvent> {
  return metered(settings.metrics, hooks, (own) =>
    goOn(settings, request, own, newestUnfinished, async (ledger, run) => {
      if (request.inDoubt !== undefined) await ledger.deliveries.resolveInDoubt(run.id, request.inDoubt)
    }),
  )
}

/** Tries again what failed for good in a run. */
export function retryMerge(
  settings: Settings,
  request: ResumeRequest = {},
  hooks: MergeHooks = {},
): Promise<SummaryEvent> {
  return metered(settings.metrics, hooks, (own) =>
    goOn(settings, request, own, findRun, async (ledger, run) => {
      await ledger.deliveries.retryFailed(run.id)
    }),
  )
}

/**
 * Ends a run for good: what was not sent stays unsent. Gives the run's id.
 * @throws UsageError for a run that has ended, and for no id where several are open; UnfinishedError when a process is at it.
 */
export async function cancelMerge(settings: Settings, runId?: string): Promise<string> {
  const ledger = await openLedger(settings)
  try {
    const run = await theOpenOne(ledger, runId)
    if (run.state !== 'ready') {
      throw new UsageError(`the run ${run.id} is ${run.state} already`, { hint: 'mailmerge status lists the runs.' })
    }
    const claim = await ledger.campaigns.claim(run.campaign, ownerOfThisProcess())
    try {
      await ledger.runs.end(run.id, 'cancelled', new Date())
      return run.id
    } finally {
      await claim.release()
    }
  } finally {
    await ledger.close()
  }
}

async function goOn(
  settings: Settings,
  request: ResumeRequest,
  hooks: MergeHooks,
  choose: (ledger: Ledger, id: string | undefined) => Promise<RunRecord>,
  prepareLedger: (ledger: Ledger, run: RunRecord) => Promise<void>,
): Promise<SummaryEvent> {
  for (const report of request.reports ?? []) await checkWritable(report)
  const closing = new AsyncDisposableStack()
  try {
    const ledger = closing.adopt(await openLedger(settings), (it) => it.close())
    const run = await choose(ledger, request.run)
    if (request.run === undefined) hooks.note?.(`run ${run.id}: ${run.campaign.name}`)
    if (run.state === 'cancelled') {
      throw new UsageError(`the run ${run.id} was cancelled`, { hint: 'Give the run command again to plan a new run.' })
    }
    closing.adopt(await ledger.campaigns.claim(run.campaign, ownerOfThisProcess()), (claim) => claim.release())
    const shop = makeWorkshop(settings, ledger, 'send', hooks)
    const templateName = run.options.template ?? run.template
    const template = await openTemplate(templateName, settings)
    const { emailColumn, variant, after } = run.options
    const split = await openVariants(templateName, settings, run.campaign.name, variant)
    bindAll(template, split, run.columns)
    if (planHash(template, split, settings) !== run.templateHash) {
      throw new DataError(`the template '${run.template}' changed after run ${run.id} was planned`, {
        hint: 'Give the run command again: it plans anew with the template as it is now, and sends what is not yet sent. What failed for good can be retried after it.',
      })
    }
    await prepareLedger(ledger, run)
    const unsubscribeLinks = await openUnsubscribeLinks(settings, groupOf(settings, run))
    const preparer = createPreparer({
      settings,
      template,
      ...(split === undefined ? {} : { split }),
      ...(unsubscribeLinks === undefined ? {} : { unsubscribeLinks }),
      campaign: run.campaign,
      ...(emailColumn === undefined ? {} : { emailColumn }),
    })
    const transport = closing.adopt(await openTransport(settings, transportOptions(shop)), (it) => it.close())
    const counts = await ledger.results.counts(run.id)
    const rows = Object.values(counts).reduce((sum, count) => sum + count, 0)
    const { name } = run.campaign
    hooks.onEvent?.({ event: 'planned', run: run.id, campaign: name, rows, toSend: counts.deferred, counts })
    const follow = after === undefined ? undefined : await followUp(shop, after)
    const end = await beginAndDeliver(shop, { ...run, detach: false }, transport, preparer, counts, follow)
    const reports = request.reports ?? [join(shop.folder(run.id), 'results.csv')]
    return await summarize(shop, { id: run.id, campaign: name, rows }, end, reports)
  } finally {
    await closing.disposeAsync()
  }
}

/** The run of that id, or the one that is unfinished. @throws UsageError where that could be one of several. */
async function theOpenOne(ledger: Ledger, id: string | undefined): Promise<RunRecord> {
  const open = id === undefined ? (await ledger.runs.list()).filter(({ state }) => state === 'ready') : []
  if (open.length < 2) return open[0] ?? findRun(ledger, id)
  const shown = open.slice(0, NAMED).map((run) => `${run.id} (${run.campaign.name})`)
  const rest = open.length > NAMED ? ' or another; mailmerge status lists them' : ''
  throw new UsageError(`${open.length} runs are unfinished: say which one to cancel`, {
    hint: `mailmerge cancel RUN, with one of ${shown.join(', ')}${rest}.`,
  })
}

/** The run of that id, or the newest unfinished one, or the newest where all are finished. */
async function newestUnfinished(ledger: Ledger, id: string | undefined): Promise<RunRecord> {
  if (id !== undefined) return findRun(ledger, id)
  const open = (await ledger.runs.list()).filter(({ state }) => state === 'ready')
  // One that was broken off comes before one that waits for its hour.
  const waits = ({ notBefore, begunAt }: RunRecord): boolean => notBefore !== undefined && begunAt === undefined
  return open.find((run) => !waits(run)) ?? open[0] ?? findRun(ledger, undefined)
}
