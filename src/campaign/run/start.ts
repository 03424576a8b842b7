/**
 * The whole of a merge, from settings to summary: what the command line, a schedule and a program call. Owns the order of
 * the steps; the work is done by `plan` and `deliver`.
 */
import type { Settings } from '../../config/settings.ts'
import { UnfinishedError } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { newRunId } from '../../ledger/run-id.ts'
import { checkWritable } from '../../report/report.ts'
import type { Row, Source } from '../../source/source.ts'
import { localZone } from '../../time-zone.ts'
import { systemClock } from '../clock.ts'
import type { SummaryEvent } from '../events.ts'
import type { MergeHooks, MergeRequest, PlanPreview } from '../merge.ts'
import { type Planned, planRows } from '../plan/plan.ts'
import { openRecipientTime } from '../plan/recipient-time.ts'
import { openSelector, readingOf, type Selector } from '../plan/select.ts'
import { type Content, openContent, templatesOf, usedColumns } from './content.ts'
import { beginAndDeliver, summarize } from './deliver-run.ts'
import { openDestination } from './destination.ts'
import { addressColumn, missing, openList, openListAgain } from './list.ts'
import { withMetricsFile } from './metrics-file.ts'
import { type OpenMerge, openMerge } from './open-merge.ts'
import { LATE_BY_MS } from './start-time.ts'

/**
 * Plans and delivers one merge.
 *
 * @example
 * const summary = await runMerge(await loadSettings({ cwd: process.cwd(), env: process.env, flags: {} }), { mode: 'sandbox' })
 * console.log(summary.counts.sent)
 *
 * @returns the summary, also when rows failed or the run stopped early: `outcome` says how it ended.
 * @throws MailmergeError for everything that keeps a run from starting, and for what breaks it.
 */
export function runMerge(settings: Settings, request: MergeRequest, hooks: MergeHooks = {}): Promise<SummaryEvent> {
  const metrics = request.mode === 'send' ? settings.metrics : undefined
  return withMetricsFile(metrics, hooks, (own) => planAndDeliver(settings, request, own))
}

async function planAndDeliver(settings: Settings, request: MergeRequest, hooks: MergeHooks): Promise<SummaryEvent> {
  for (const report of request.reports ?? []) await checkWritable(report)
  const inputs = await openInputs(settings, request, hooks)
  const { name, content, emailColumn, group } = inputs
  const { again = false, after, testTo, mode } = request
  const options = { mode, content, campaign: name, again, group, emailColumn, after, testTo, ledger: undefined }
  await using merge = await openMerge(settings, options, hooks)
  if (request.occurrence !== undefined) await refuseSecond(merge.ledger, request.occurrence)
  const id = newRunId(inputs.now, merge.clock.random)
  await using destination = await openDestination(merge, id, request.out)
  await createRun(merge, id, inputs, request)
  const planned = await plan(merge, id, inputs, request)
  const { rows, ...counts } = planned.counts
  hooks.onEvent?.({ event: 'planned', run: id, campaign: name, rows, toSend: counts.deferred, counts })
  const transport = await destination.transport()
  const run = { id, campaign: name, rows, mails: destination.mails }
  if (!(await confirmed(merge, planned, previewOf(id, inputs, planned, request, transport.name)))) {
    await merge.ledger.runs.end(id, 'cancelled', merge.clock.now())
    return await summarize(
      merge,
      { ...run, mails: undefined },
      { counts, sent: 0, seconds: 0, stopped: { kind: 'not-confirmed' } },
      [],
    )
  }
  const end = await beginAndDeliver(merge, { id, detach: request.detach ?? false }, transport, counts)
  // What the sandbox took is on the disk before its folder is named.
  await destination.finish()
  return await summarize(merge, run, end, request.reports)
}

/** What a run is made from: nothing of it is opened in the ledger yet. */
interface Inputs {
  /** Of the campaign. */
  readonly name: string
  readonly group: string
  readonly source: Source
  readonly content: Content
  readonly emailColumn: string | undefined
  readonly selector: Selector
  /** When each row starts, where each has a time of its own. */
  readonly startTime: ((row: Row) => Date) | undefined
  readonly now: Date
}

/** Whatever is wrong with list or template is found before a ledger is touched. */
async function openInputs(settings: Settings, request: MergeRequest, hooks: MergeHooks): Promise<Inputs> {
  const { template: templateName, timeZone = localZone(), lateBy = LATE_BY_MS } = settings
  if (templateName === undefined) throw missing('template', '--template NAME', settings)
  const source = await openList(settings)
  const { columns } = source
  for (const text of source.notes) hooks.note?.(text)
  const named = request.campaign ?? settings.campaign
  const nameFor = (template: string): string => named ?? `${template}-${source.stem}`
  const content = await openContent(settings, { templateName, campaign: nameFor, variant: request.variant, columns })
  const name = nameFor(content.template.name)
  const now = (hooks.clock ?? systemClock).now()
  return {
    name,
    group: settings.group ?? request.group ?? name,
    source,
    content,
    emailColumn: addressColumn(settings, source, templatesOf(content)),
    startTime:
      request.atLocal === undefined
        ? undefined
        : openRecipientTime(request.atLocal, { columns, zone: timeZone, now, lateBy }),
    selector: await openSelector(request, columns, settings.segments ?? {}, readingOf(settings), () =>
      openListAgain(settings),
    ),
    now,
  }
}

async function createRun(
  { ledger, campaign, mode, group }: OpenMerge,
  id: string,
  { source, content, emailColumn, now }: Inputs,
  { at, variant, atLocal, occurrence, after }: MergeRequest,
): Promise<void> {
  const { template, templateName, hash } = content
  const { columns } = source
  await ledger.runs.create({
    id,
    campaign,
    startedAt: now,
    ...(at === undefined || mode !== 'send' ? {} : { notBefore: at }),
    source: source.name,
    template: template.name,
    templateHash: hash,
    columns,
    options: { template: templateName, emailColumn, variant, group, atLocal: atLocal?.text, occurrence, after },
  })
}

async function plan(
  { settings, ledger, renderer, follow, hooks, mode }: OpenMerge,
  runId: string,
  { source, selector, startTime, now, content, emailColumn }: Inputs,
  { skipBad = false, hiddenRows }: MergeRequest,
): Promise<Planned> {
  const { duplicates, key } = settings
  let hidden = 0
  const planned = await planRows({
    ...{ ledger, runId, source, renderer, selector, duplicates, key, skipBad, now, follow, signal: hooks.signal },
    notBefore: mode === 'send' ? startTime : checkedOnly(startTime),
    used: usedColumns(templatesOf(content), emailColumn, key),
    observer: {
      onBatch(rows, read) {
        hidden += rows.filter((row) => row.hidden).length
        hooks.onRows?.(read)
      },
    },
  })
  if (hidden > 0 && hiddenRows !== 'send') hooks.note?.(hiddenWords(hidden))
  for (const problem of planned.problems) hooks.note?.(`row ${problem.row} is skipped: ${problem.message}`)
  return planned
}

function hiddenWords(count: number): string {
  const rows = count === 1 ? '1 row is' : `${count} rows are`
  return `${rows} hidden in the workbook and skipped; --hidden-rows send sends them too`
}

/** A rehearsal checks the start times and waits for none. */
function checkedOnly(startTime: Inputs['startTime']): ((row: Row) => undefined) | undefined {
  if (startTime === undefined) return undefined
  return (row) => {
    startTime(row)
  }
}

function previewOf(
  run: string,
  { name: campaign, source, content }: Inputs,
  { counts: { rows, ...counts }, first }: Planned,
  { at, mode }: MergeRequest,
  server: string,
): PlanPreview {
  return {
    campaign,
    run,
    source: source.name,
    template: content.template.name,
    rows,
    toSend: counts.deferred,
    counts,
    ...(first === undefined ? {} : { first }),
    server,
    ...(at === undefined || mode !== 'send' ? {} : { notBefore: at }),
  }
}

/** Only a real run with something to send is asked about. */
async function confirmed({ mode, hooks }: OpenMerge, { counts }: Planned, preview: PlanPreview): Promise<boolean> {
  return mode !== 'send' || counts.deferred === 0 || ((await hooks.confirm?.(preview)) ?? true)
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
