/**
 * The whole of a merge, from settings to summary: what the command line, a schedule and a program call. Owns the order of
 * the steps; the work is done by `plan` and `deliver`.
 */
import type { Settings } from '../../config/settings.ts'
import { HeldError, MailmergeError } from '../../errors.ts'
import { given } from '../../given.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { StatusCounts } from '../../ledger/records.ts'
import { newRunId } from '../../ledger/run-id.ts'
import { checkWritable } from '../../report/report.ts'
import { draftSettings, makesDrafts } from '../../transport/open.ts'
import { forecastOf, lastOf, serverNames } from '../accounts/forecast.ts'
import { checkMergeRequest } from '../check-request.ts'
import { END_OF_TIME } from '../clock.ts'
import type { SkipCounts, SummaryEvent } from '../events.ts'
import type { MergeHooks, MergeRequest } from '../merge.ts'
import { withNotices } from '../notify/notify.ts'
import { planRows } from '../plan/plan.ts'
import { startTimes } from '../plan/recipient-time.ts'
import type { MessagePreview } from '../plan/render-row.ts'
import { type MessageSizes, withSize } from '../plan/sizes.ts'
import { templatesOf, usedColumns } from './content.ts'
import { refusePaused } from './control.ts'
import { beginAndDeliver, rowEvent, summarize } from './deliver-run.ts'
import { openDestination } from './destination.ts'
import { createRun, openInputs, type RunInputs } from './inputs.ts'
import { deliveredBy, leftOutBy } from './left-out.ts'
import { withMetricsFile } from './metrics-file.ts'
import { type OpenMerge, openMerge } from './open-merge.ts'
import { refuseClosed } from './sending-hours.ts'

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
export async function runMerge(
  settings: Settings,
  request: MergeRequest,
  hooks: MergeHooks = {},
): Promise<SummaryEvent> {
  checkMergeRequest(request, hooks)
  const metrics = request.mode === 'send' ? settings.metrics : undefined
  const { mode, occurrence, campaign } = request
  const work = (own: MergeHooks) => withMetricsFile(metrics, own, (inner) => planAndDeliver(settings, request, inner))
  if (mode !== 'send') return work(hooks)
  const unattended = occurrence === undefined ? undefined : { subject: occurrence, campaign }
  return withNotices(settings, hooks, unattended, work)
}

async function planAndDeliver(given: Settings, request: MergeRequest, hooks: MergeHooks): Promise<SummaryEvent> {
  const isDrafts = request.mode === 'send' && (request.drafts === true || makesDrafts(given))
  const settings = isDrafts ? draftSettings(given) : given
  for (const report of request.reports ?? []) await checkWritable(report)
  await using inputs = await openInputs(settings, request, hooks)
  const { name, content, emailColumn, group } = inputs
  const { again = false, after, testTo, mode } = request
  const options = { mode, content, campaign: name, again, group, emailColumn, after, testTo, ledger: undefined }
  await using merge = await openMerge(settings, options, hooks)
  refuseClosed(merge)
  if (mode === 'send') await refusePaused(merge.ledger, merge.campaign)
  if (request.occurrence !== undefined) await refuseSecond(merge.ledger, request.occurrence)
  const id = newRunId(inputs.now, merge.clock.random)
  await using destination = await openDestination(merge, id, request.out)
  await createRun(merge, id, inputs, request)
  const counted = await plan(merge, id, inputs, request)
  const { rows, toSend, counts, messages, skipped } = counted
  const copies = await merge.ledger.carbonCopies.counts(id)
  hooks.onEvent?.({ event: 'planned', run: id, campaign: name, rows, toSend, counts, messages, skipped, copies })
  const transports = await destination.transports()
  const run = { id, campaign: name, rows, mails: destination.mails }
  if (
    !(await confirmed(
      merge,
      id,
      inputs,
      counted,
      request,
      transports.map(({ name: server }) => server),
    ))
  ) {
    await merge.ledger.runs.end(id, 'cancelled', merge.clock.now())
    const end = { counts, sent: 0, seconds: 0, stopped: { kind: 'not-confirmed' } } as const
    return await summarize(merge, { ...run, mails: undefined }, end, [])
  }
  await reportSkipped(merge, id, counted)
  const end = await beginAndDeliver(
    merge,
    { id, detach: request.detach ?? false, patience: request.patience },
    transports,
    { counts, messages },
  )
  // What the sandbox took is on the disk before its folder is named.
  await destination.finish()
  return await summarize(merge, run, end, request.reports)
}

/** What a plan found, in the numbers that people see before anything is sent. */
interface Counted {
  readonly rows: number
  readonly toSend: number
  readonly counts: StatusCounts
  /** Of messages, where rows are grouped. */
  readonly messages: StatusCounts | undefined
  readonly skipped: SkipCounts
}

async function plan(
  merge: OpenMerge,
  runId: string,
  { source, selector, excluded, grouping, startTime, now, content, emailColumn }: RunInputs,
  request: MergeRequest,
): Promise<Counted> {
  const { settings, ledger, campaign, renderer, follow, hooks, mode } = merge
  const { skipBad = false, again = false } = request
  const { duplicates, key, groupBy } = settings
  const known = new Set(source.notes)
  const planned = await planRows({
    ledger,
    runId,
    source,
    renderer,
    selector,
    excluded,
    duplicates,
    key,
    skipBad,
    now,
    follow,
    signal: hooks.signal,
    startTimes: startTime && startTimes(startTime, deliveredBy(merge, again)),
    waits: mode === 'send',
    used: usedColumns(templatesOf(content), emailColumn, key, groupBy, ...(content.split?.columns ?? [])),
    leftOut: await leftOutBy(merge, again),
    // A rehearsal has a memory of its own, which is empty.
    grouping: grouping && { ...grouping, history: (keys) => ledger.results.deliveryHistory(campaign, keys) },
    observer: { onBatch: (_, read) => hooks.onRows?.(read) },
  })
  // A character late in a list may have decided about its encoding.
  for (const text of source.notes) if (!known.has(text)) hooks.note?.(text)
  for (const { row = 0, message } of planned.problems) {
    const first = planned.withoutBad.get(row)
    hooks.note?.(
      `row ${row} is ${first === undefined ? 'skipped' : `left out of the message of row ${first}`}: ${message}`,
    )
  }
  if (planned.unlisted > 0) hooks.note?.(`and ${planned.unlisted} more problems; the results list every skipped row`)
  const { rows, messages, ...counts } = planned.counts
  const skipped = counts.skipped === 0 ? {} : Object.fromEntries(await ledger.results.skipCounts(runId))
  if (skipped.hidden !== undefined) hooks.note?.(hiddenWords(skipped.hidden))
  if (skipped.unselected === rows) hooks.note?.(`no row is selected by ${selectionWords(request)}`)
  return { rows, toSend: counts.deferred, counts, messages: grouping && messages, skipped }
}

/** The options that select rows, as they are given on the command line. */
function selectionWords({ rows, where = [], notIn = [], segment, limit, sample }: MergeRequest): string {
  const texts = [
    rows === undefined ? [] : [`--rows ${rows}`],
    where.map((condition) => `--where ${condition}`),
    segment === undefined ? [] : [`--segment ${segment}`],
    notIn.map((name) => `--not-in ${name}`),
    sample === undefined ? [] : [`--sample ${sample}`],
    limit === undefined ? [] : [`--limit ${limit}`],
  ]
  return texts.flat().join(' ')
}

function hiddenWords(count: number): string {
  const rows = count === 1 ? '1 row is' : `${count} rows are`
  return `${rows} hidden in the workbook and skipped; --hidden-rows send sends them too`
}

/** Only a real run with something to send is asked about. */
async function confirmed(
  merge: OpenMerge,
  run: string,
  { name: campaign, source, content }: RunInputs,
  counted: Counted,
  { at }: MergeRequest,
  servers: readonly string[],
): Promise<boolean> {
  const { mode, hooks, settings, clock, accounts, ledger } = merge
  if (mode !== 'send' || counted.toSend === 0 || hooks.confirm === undefined) return true
  const { template } = content
  const first = await firstMessage(merge, run)
  const now = clock.now()
  const start = at ?? now
  const forecast = await forecastOf(accounts, {
    ...{ ledger, runId: run, servers, now, start, timeZone: settings.timeZone },
    messages: counted.messages?.deferred ?? counted.toSend,
  })
  const preview = {
    campaign,
    run,
    source: source.name,
    template: template.name,
    ...counted,
    first,
    server: serverNames(accounts.list, servers),
    accounts: accounts.list[0].name === undefined ? undefined : forecast,
    notBefore: at,
    drafts: makesDrafts(settings) || undefined,
    pace: lastOf(forecast),
    sizes: await sizesOf(merge, run, counted.rows),
  }
  return hooks.confirm(given(preview))
}

/** The first message that will be sent. */
async function firstMessage({ ledger, renderer, clock }: OpenMerge, run: string): Promise<MessagePreview | undefined> {
  const [due] = await ledger.deliveries.due(run, { now: END_OF_TIME, after: 0, limit: 1 })
  return due === undefined ? undefined : renderer.preview(due, clock.now())
}

/** Messages that are made to know their size, and milliseconds that this may take while a person waits. */
const MEASURED = 200
const MEASURING_MS = 500

/** Sizes of messages all over the run. */
async function sizesOf(
  { ledger, renderer, clock }: OpenMerge,
  run: string,
  rows: number,
): Promise<MessageSizes | undefined> {
  const until = performance.now() + MEASURING_MS
  const step = Math.max(1, Math.floor(rows / MEASURED))
  let sizes: MessageSizes | undefined
  for (let after = 0; performance.now() < until; ) {
    const [due] = await ledger.deliveries.due(run, { now: END_OF_TIME, after, limit: 1 })
    if (due === undefined) break
    after = due.row + step - 1
    try {
      sizes = withSize(sizes, due.row, (await renderer.render(due, clock.now())).size)
    } catch (error) {
      // What changed since it was checked is said of its row when it is sent.
      if (!(error instanceof MailmergeError)) throw error
    }
  }
  return sizes
}

/** Rows that are left out for something that is said of them have an event each, as those that are sent. */
async function reportSkipped({ ledger, hooks }: OpenMerge, run: string, { counts, skipped }: Counted): Promise<void> {
  if (hooks.onEvent === undefined || counts.skipped === (skipped.unselected ?? 0)) return
  for await (const rows of ledger.results.rows(run)) {
    for (const row of rows) {
      if (row.status === 'skipped' && row.skip?.kind !== 'unselected') hooks.onEvent(rowEvent(row))
    }
  }
}

/** Of all that start the run of one occurrence of a schedule, one plans it. */
async function refuseSecond(ledger: Ledger, occurrence: string): Promise<void> {
  const planned = (await ledger.runs.list()).find(
    ({ state, options }) => options.occurrence === occurrence && state !== 'planning',
  )
  if (planned === undefined) return
  throw new HeldError(`the occurrence ${occurrence} is planned already, as run ${planned.id}`, {
    hint: `Continue it: mailmerge resume ${planned.id}`,
  })
}
