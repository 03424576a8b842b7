/**
 * The whole of a merge, from settings to summary: what the command line, a schedule and a program call. Owns the order of
 * the steps and what is opened and closed around them; the work is done by `plan` and `deliver`.
 */
import { join } from 'node:path'
import type { Settings } from '../../config/settings.ts'
import { UnfinishedError, UsageError } from '../../errors.ts'
import { type Inbox, startInbox } from '../../inbox/server.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { ownerOfThisProcess } from '../../ledger/owner.ts'
import type { Campaign } from '../../ledger/records.ts'
import { newRunId } from '../../ledger/run-id.ts'
import { checkWritable } from '../../report/report.ts'
import type { Row } from '../../source/source.ts'
import { localZone } from '../../time-zone.ts'
import { createFilesTransport } from '../../transport/files.ts'
import { openTransport } from '../../transport/open.ts'
import { createSmtpTransport } from '../../transport/smtp/smtp-transport.ts'
import type { Transport } from '../../transport/transport.ts'
import { openUnsubscribeLinks } from '../../unsubscribe/links.ts'
import { systemClock } from '../clock.ts'
import type { SummaryEvent } from '../events.ts'
import type { MergeHooks, MergeRequest, PlanPreview } from '../merge.ts'
import { planRows } from '../plan/plan.ts'
import { openLocalHour } from '../plan/recipient-time.ts'
import { createPreparer } from '../plan/render-row.ts'
import { openSelector } from '../plan/select.ts'
import { beginAndDeliver, summarize } from './deliver-run.ts'
import { addressColumn, bindAll, listAgain, openList, openTemplate, openVariants, planHash } from './material.ts'
import { metered } from './metrics-file.ts'
import { followUp } from './open-follow-up.ts'
import { openLedger, openScratchLedger } from './open-ledger.ts'
import { makeWorkshop, transportOptions, type Workshop } from './open-merge.ts'
import { LATE_BY_MS } from './start-time.ts'

/**
 * Plans and delivers one merge.
 *
 * @example
 * const summary = await runMerge(await loadSettings({ cwd: process.cwd(), env: process.env, flags: {} }), { mode: 'sandbox' })
 * console.log(summary.counts.sent)
 *
 * @returns the summary, also when rows failed or the run stopped early: `exitCode` says how it ended.
 * @throws MailmergeError for everything that keeps a run from starting, and for what breaks it.
 */
export function runMerge(settings: Settings, request: MergeRequest, hooks: MergeHooks = {}): Promise<SummaryEvent> {
  const metrics = request.mode === 'send' ? settings.metrics : undefined
  return metered(metrics, hooks, (own) => planAndDeliver(settings, request, own))
}

async function planAndDeliver(settings: Settings, request: MergeRequest, hooks: MergeHooks): Promise<SummaryEvent> {
  const clock = hooks.clock ?? systemClock
  const templateName = settings.template ?? missing('template', '--template NAME', settings)
  if (settings.source.path === undefined && settings.source.sql === undefined && settings.source.command === undefined)
    missing('list', '--csv FILE', settings)
  for (const report of request.reports ?? []) await checkWritable(report)
  const source = await openList(settings)
  for (const text of source.notes) hooks.note?.(text)
  const template = await openTemplate(templateName, settings)
  const name = request.campaign ?? settings.campaign ?? `${template.name}-${source.stem}`
  const split = await openVariants(templateName, settings, name, request.variant)
  bindAll(template, split, source.columns)
  const emailColumn = addressColumn(settings, source)
  const group = settings.group ?? request.group ?? name
  const lateBy = settings.lateBy ?? LATE_BY_MS
  const rowHour =
    request.atLocal === undefined
      ? undefined
      : openLocalHour(request.atLocal, {
          columns: source.columns,
          zone: settings.timeZone ?? localZone(),
          now: clock.now(),
          lateBy,
        })
  const selector = await openSelector(request, source.columns, settings.segments ?? {}, () => listAgain(settings))

  const real = request.mode === 'send'
  const closing = new AsyncDisposableStack()
  try {
    const ledger = closing.adopt(real ? await openLedger(settings) : await openScratchLedger(), (it) => it.close())
    const shop = makeWorkshop(settings, ledger, request.mode, hooks)
    const follow =
      request.after === undefined ? undefined : closing.adopt(await followUp(shop, request.after), (it) => it.close())
    const campaign = await ledger.campaigns.open(name, { again: request.again ?? false })
    closing.adopt(await ledger.campaigns.claim(campaign, ownerOfThisProcess()), (claim) => claim.release())
    if (request.occurrence !== undefined) await refuseSecond(ledger, request.occurrence)
    const now = clock.now()
    const runId = newRunId(now, clock.random)
    const unsubscribeLinks = await openUnsubscribeLinks(settings, group)
    const preparer = createPreparer({
      settings,
      template,
      ...(unsubscribeLinks === undefined ? {} : { unsubscribeLinks }),
      ...(split === undefined ? {} : { split }),
      campaign: real ? campaign : await tokenOf(settings, campaign),
      ...(emailColumn === undefined ? {} : { emailColumn }),
      ...(request.testTo === undefined ? {} : { testTo: request.testTo }),
    })
    // What cannot be opened is told before the list is read. The sandbox waits: its folder is for what will be in it.
    const opened =
      request.mode === 'sandbox'
        ? undefined
        : closing.adopt(await transportFor(shop, request, undefined), (it) => it.close())
    await ledger.runs.create({
      id: runId,
      campaign,
      startedAt: now,
      ...(request.at === undefined || !real ? {} : { notBefore: request.at }),
      source: source.name,
      template: template.name,
      templateHash: planHash(template, split, settings),
      columns: source.columns,
      options: {
        template: templateName,
        emailColumn,
        variant: request.variant,
        group,
        atLocal: request.atLocal?.text,
        occurrence: request.occurrence,
        after: request.after,
      },
    })
    const planned = await planRows({
      ledger,
      runId,
      source,
      preparer,
      selector,
      settings,
      skipBad: request.skipBad ?? false,
      now,
      // A rehearsal checks the hours and waits for none.
      ...(rowHour === undefined ? {} : { notBefore: (row: Row) => (real ? rowHour(row) : void rowHour(row)) }),
      ...(follow === undefined ? {} : { follow }),
      ...(hooks.onRows === undefined ? {} : { onRows: hooks.onRows }),
      ...(hooks.signal === undefined ? {} : { signal: hooks.signal }),
    })
    for (const problem of planned.problems) hooks.note?.(`row ${problem.row} is skipped: ${problem.message}`)
    const { rows, ...counts } = planned.counts
    hooks.onEvent?.({ event: 'planned', run: runId, campaign: name, rows, toSend: counts.deferred, counts })

    const inbox =
      opened === undefined
        ? closing.adopt(await startInbox({ dir: shop.folder(runId) }), (it) => it.close())
        : undefined
    const transport = opened ?? closing.adopt(await transportFor(shop, request, inbox), (it) => it.close())
    const preview: PlanPreview = {
      campaign: name,
      run: runId,
      source: source.name,
      template: template.name,
      rows,
      toSend: counts.deferred,
      counts,
      ...(planned.first === undefined ? {} : { first: planned.first }),
      server: transport.name,
      ...(request.at === undefined || !real ? {} : { notBefore: request.at }),
    }
    const run = { id: runId, campaign: name, rows }
    if (real && counts.deferred > 0 && hooks.confirm !== undefined && !(await hooks.confirm(preview))) {
      await ledger.runs.end(runId, 'cancelled', clock.now())
      return await summarize(shop, run, { counts, sent: 0, seconds: 0, stopped: { kind: 'not-confirmed' } }, [])
    }
    const own = { id: runId, detach: request.detach ?? false }
    const end = await beginAndDeliver(shop, own, transport, preparer, counts, real ? follow : undefined)
    // What the sandbox took is on the disk before it is told where.
    await inbox?.close()
    const reports = request.reports ?? (request.mode === 'dry-run' ? [] : [join(shop.folder(runId), 'results.csv')])
    const mails = inbox === undefined ? dryRunFolder(settings, request) : shop.folder(runId)
    return await summarize(shop, { ...run, mails }, end, reports)
  } finally {
    await closing.disposeAsync()
  }
}

function missing(what: string, flag: string, { configFile }: Settings): never {
  const hint =
    configFile === undefined
      ? `There is no mailmerge.yaml here or above. Give ${flag}, or make a project to try: mailmerge init.`
      : `Give one with ${flag}, or set it in mailmerge.yaml.`
  throw new UsageError(`there is no ${what}`, { hint })
}

/** In modes that record nothing, messages are still what they would be: the campaign's own token, where there is one. */
async function tokenOf(settings: Settings, scratch: Campaign): Promise<Campaign> {
  const ledger = await openLedger(settings, { existing: true })
  try {
    return (await ledger?.campaigns.find(scratch.name)) ?? scratch
  } finally {
    await ledger?.close()
  }
}

/** Where a dry run writes; undefined in the other modes. */
function dryRunFolder(settings: Settings, { mode, out }: MergeRequest): string | undefined {
  return mode === 'dry-run' ? (out ?? join(settings.root, '.mailmerge', 'dry-run')) : undefined
}

async function transportFor(shop: Workshop, request: MergeRequest, inbox: Inbox | undefined): Promise<Transport> {
  const { settings } = shop
  const dir = dryRunFolder(settings, request)
  if (dir !== undefined) return createFilesTransport({ dir })
  if (inbox === undefined) return openTransport(settings, transportOptions(shop))
  const {
    user: _user,
    password: _password,
    accessToken: _token,
    signIn: _signIn,
    proxy: _proxy,
    ...smtp
  } = settings.smtp
  return createSmtpTransport({ ...smtp, host: inbox.host, port: inbox.port, security: 'none', lmtp: false })
}

/** Of all that start the run of one occurrence of a schedule, one plans it. */
async function refuseSecond(ledger: Ledger, occurrence: string): Promise<void> {
  const planned = (await ledger.runs.list()).find(
    ({ state, options }) => options.occurrence === occurrence && state !== 'planning',
  )
  if (planned === undefined) return
  throw new UnfinishedError(`the occurrence ${occurrence} is planned already, as run ${planned.id}`, {
    hint: `Go on with it: mailmerge resume ${planned.id}`,
  })
}
