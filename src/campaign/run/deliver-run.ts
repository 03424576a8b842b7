/** From a planned run to its summary: waiting for its start time, delivery, copies, results. The work is done by `deliver`. */
import { join } from 'node:path'
import type { Settings } from '../../config/settings.ts'
import { DefectError, MailmergeError, OutputError } from '../../errors.ts'
import { makeFolder } from '../../fs/folder.ts'
import { outputWords } from '../../fs/system-errors.ts'
import {
  canBeLate,
  type DueRow,
  hasRowStartTimes,
  type ResultRow,
  type RunRecord,
  type StatusCounts,
} from '../../ledger/records.ts'
import { PAGE_ROWS, reportHead } from '../../report/head.ts'
import { skipWords } from '../../report/reasons.ts'
import { formatOf, writeReport } from '../../report/report.ts'
import { ProgressWriter } from '../../report/run-progress.ts'
import { localZone } from '../../time-zone.ts'
import { makesDrafts } from '../../transport/open.ts'
import type { Transport } from '../../transport/transport.ts'
import { forecastOf, quotaNameOf, serverNames } from '../accounts/forecast.ts'
import type { SendingAccount } from '../delivery/account-delivery.ts'
import { type DeliverOptions, type DeliveryEnd, deliver } from '../delivery/deliver.ts'
import type { RowEvent, RunOutcome, SummaryEvent } from '../events.ts'
import { recordEnd } from '../notify/notify.ts'
import { rowsOfMessage } from '../plan/row-data.ts'
import { type OpenMerge, runFolder } from './open-merge.ts'
import { RequestWatch } from './request-watch.ts'
import { deliveryFor, openRowZone } from './sending-hours.ts'
import { awaitStart, LATE_BY_MS, startTimeOf } from './start-time.ts'

/** The states of a run before it is delivered: of its rows and, where these are grouped, of its messages. */
export interface StatesBefore {
  readonly counts: StatusCounts
  readonly messages: StatusCounts | undefined
}

/** Waits for the run's start time, if it has one, and delivers. */
export async function beginAndDeliver(
  merge: OpenMerge,
  planned: { readonly id: string; readonly detach: boolean; readonly patience: number | undefined },
  transports: readonly Transport[],
  before: StatesBefore,
): Promise<DeliveryEnd> {
  const { ledger, settings, clock } = merge
  const { counts } = before
  using watch = new RequestWatch(ledger.runs, planned.id)
  const signal = AbortSignal.any([watch.signal, ...(merge.hooks.signal === undefined ? [] : [merge.hooks.signal])])
  const hooks = { ...merge.hooks, signal }
  const run = await ledger.runs.find(planned.id)
  if (run === undefined) throw new DefectError(`the run ${planned.id} is gone`)
  const startTime = planned.detach
    ? ((await startTimeOf(run, ledger)) ?? (await ledger.deliveries.nextDue(run.id)) ?? clock.now())
    : await awaitStart(run, {
        ledger,
        clock,
        lateBy: settings.lateBy ?? LATE_BY_MS,
        patience: planned.patience,
        signal,
        onWaiting: (until) => hooks.onEvent?.({ event: 'paused', run: run.id, reason: { kind: 'start-time' }, until }),
      })
  if (startTime !== undefined) {
    return asAsked(watch, {
      counts,
      sent: 0,
      seconds: 0,
      stopped: {
        kind: 'not-begun',
        startTime,
        last: hasRowStartTimes(run) ? await ledger.deliveries.lastDue(run.id) : undefined,
        detached: planned.detach,
      },
    })
  }
  if (merge.mode === 'send') makeRunFolder(settings, run.id)
  if (merge.mode === 'send' && settings.notify !== undefined && (await hasWork(ledger, run.id, counts)))
    await ledger.notices.expect(run.id)
  if (run.waitsUntil !== undefined) await ledger.runs.waitUntil(run.id, undefined)
  const writer = new ProgressWriter(
    ledger.runs,
    run.id,
    {
      server: serverNames(
        merge.accounts.list,
        transports.map(({ name }) => name),
      ),
      limits: limitsOf(merge),
    },
    () => clock.now(),
  )
  const options = { ...before, patience: planned.patience }
  const end = asAsked(watch, await deliverRun({ ...merge, hooks }, run, transports, options, writer))
  await writer.end()
  if (settings.sentCopy !== undefined && merge.mode === 'send') await keepSent(merge, run, settings.sentCopy)
  return end
}

/** There is no notice of a run that finds nothing to send. */
async function hasWork(
  { carbonCopies }: OpenMerge['ledger'],
  run: string,
  { deferred }: StatusCounts,
): Promise<boolean> {
  return deferred > 0 || (await carbonCopies.counts(run)).deferred > 0
}

/** A delivery that stopped because a person asked for it from outside. */
function asAsked({ request }: RequestWatch, end: DeliveryEnd): DeliveryEnd {
  if (request === undefined || (end.stopped?.kind !== 'interrupted' && end.stopped?.kind !== 'not-begun')) return end
  return { ...end, stopped: { kind: request === 'pause' ? 'paused' : 'cancelled' } }
}

/** Its folder outlives a ledger that is lost, and reports that something was sent. */
function makeRunFolder(settings: Settings, id: string): void {
  const folder = runFolder(settings, id)
  try {
    makeFolder(folder, { mode: 0o700 })
  } catch (cause) {
    throw new OutputError(`the folder ${folder} cannot be made: ${outputWords(cause)}`, { cause })
  }
}

/** Copies are a convenience: what goes wrong with them is noted, and changes nothing about what was sent. */
async function keepSent({ ledger, settings, hooks, renderer }: OpenMerge, run: RunRecord, folder: string) {
  const { imap } = settings
  if (imap === undefined) return
  try {
    const { keepCopies } = await import('./sent-copy.ts')
    const { copies } = ledger
    const { signal } = hooks
    await keepCopies({ copies, runId: run.id, imap, folder, render: (due, date) => renderer.render(due, date), signal })
  } catch (error) {
    if (!(error instanceof MailmergeError)) throw error
    const hint = error.hint === undefined ? '' : ` ${error.hint}`
    hooks.note?.(
      `copies in '${folder}' are not complete: ${error.message}.${hint} mailmerge resume ${run.id} continues.`,
    )
  }
}

/** Limits that hold for all that the run sends; several accounts have limits of their own. */
function limitsOf({ accounts: { list } }: OpenMerge): Settings['delivery']['rates'] {
  const [first, second] = list
  return second === undefined ? first.settings.delivery.rates : []
}

/** Messages of each account, where they share them: the parts that people confirmed. */
async function sharesOf(
  { accounts, ledger, clock, mode }: OpenMerge,
  runId: string,
  transports: readonly Transport[],
  { counts, messages }: StatesBefore,
): Promise<ReadonlyMap<string, number> | undefined> {
  if (accounts.by !== 'share') return undefined
  const now = clock.now()
  const list = accounts.list.map((account) => ({
    ...account,
    settings: { ...account.settings, delivery: deliveryFor(mode, account.settings) },
  }))
  const [first, ...others] = list
  if (first === undefined) return undefined
  const forecast = await forecastOf(
    { ...accounts, list: [first, ...others] },
    {
      ...{ ledger, runId, now, start: now, timeZone: undefined, servers: transports.map(({ name }) => name) },
      messages: (messages ?? counts).deferred,
    },
  )
  return new Map(forecast.map(({ account, messages: part }) => [account, part]))
}

async function deliverRun(
  merge: OpenMerge,
  run: RunRecord,
  transports: readonly Transport[],
  { counts, messages, patience }: StatesBefore & Pick<DeliverOptions, 'patience'>,
  writer: ProgressWriter,
): Promise<DeliveryEnd> {
  const { settings, ledger, hooks, clock, mode, accounts, follow } = merge
  const runId = run.id
  const { onEvent } = hooks
  const sending = transports.flatMap((transport, at): readonly SendingAccount[] => {
    const account = accounts.list[at]
    if (account === undefined) return []
    const { name, renderer } = account
    return [
      {
        name,
        transport,
        prepare: (due, date) => renderer.render(due, date),
        settings: deliveryFor(mode, account.settings),
        quotaName: quotaNameOf(account.settings, transport.name),
        zoneOf: openRowZone(account.settings, run),
      },
    ]
  })
  return deliver({
    ledger,
    runId,
    accounts: sending,
    hasOwnRows: accounts.by === 'column',
    shares: await sharesOf(merge, runId, transports, { counts, messages }),
    // A rehearsal has looked at the earlier campaign once, and waits for nothing.
    stopped: follow === undefined || mode !== 'send' ? undefined : (rows) => follow.stopped(rows),
    zone: settings.timeZone ?? localZone(),
    group: groupOf(settings, run),
    lateBy: canBeLate(run) ? (settings.lateBy ?? LATE_BY_MS) : undefined,
    counts,
    messages,
    patience,
    clock,
    stop: hooks.signal,
    abort: hooks.abort,
    onNote: (text) => hooks.note?.(text),
    onSettled: onEvent && ((row, due) => eventsOf(row, due, run).forEach(onEvent)),
    onPaused: (reason, until, account) => {
      writer.paused(reason, until)
      // A disk that fails here fails at the next record too, where it stops the run.
      if (reason.kind === 'window') ledger.runs.waitUntil(runId, until).catch(() => {})
      onEvent?.({ event: 'paused', run: runId, reason, until, account })
    },
    onProgress: (state, lanes) => {
      writer.progress(state, lanes)
      onEvent?.({ event: 'progress', run: runId, ...state })
    },
  })
}

/** A row as its event reports it, with the words of why it is skipped. */
export function rowEvent(row: ResultRow): RowEvent {
  const { status, skip, reason } = row
  return { event: status, ...row, reason: skip === undefined ? reason : skipWords(skip) }
}

/** One event for each row of a message. */
function eventsOf(row: ResultRow, due: DueRow, { options }: RunRecord): readonly RowEvent[] {
  const event = rowEvent(row)
  if (options.groupBy === undefined) return [event]
  return rowsOfMessage(due).map((number) => ({ ...event, row: number, sentWith: due.row }))
}

/** The suppressions of a run: those that it was planned with, unless the settings name others now. */
export function groupOf(settings: Settings, { campaign, options }: RunRecord): string {
  return settings.group ?? options.group ?? campaign.name
}

/** What breaks a run is an error, which has an exit code of its own. */
const EXIT_CODES: Readonly<Record<RunOutcome, number>> = { done: 0, planned: 0, failed: 1, unfinished: 75, broken: 70 }

/** Writes the results and reports the summary. @throws what broke the delivery, after all that. */
export async function summarize(
  merge: OpenMerge,
  run: { readonly id: string; readonly campaign: string; readonly rows: number; readonly mails: string | undefined },
  end: DeliveryEnd,
  wanted: readonly string[] | undefined,
): Promise<SummaryEvent> {
  const { settings, ledger, hooks, clock, mode } = merge
  const usual = join(runFolder(settings, run.id, mode), 'results.csv')
  const reports = wanted === undefined ? (mode === 'dry-run' ? [] : [usual]) : withAllRows(wanted, usual, run.rows)
  // What a ledger that failed says of the end cannot be trusted.
  if (end.ledgerFailed === true) throw end.error
  const counts = await ledger.results.counts(run.id)
  const copies = await ledger.carbonCopies.counts(run.id)
  const isDone = counts.deferred === 0 && counts.in_doubt === 0 && copies.deferred === 0
  if (end.stopped?.kind === 'cancelled') await ledger.runs.end(run.id, 'cancelled', clock.now())
  else if (isDone && end.stopped?.kind !== 'not-confirmed') await ledger.runs.end(run.id, 'finished', clock.now())
  if (mode === 'send') {
    const said = { run: run.id, campaign: run.campaign, at: clock.now(), counts, copiesDeferred: copies.deferred }
    await recordEnd(ledger, settings, { ...said, stopped: end.stopped, isDone })
  }
  const head = await reportHead(ledger, run.id, {
    rehearsal: mode === 'send' || mode === 'check' ? undefined : mode,
    rates: mode === 'send' || mode === 'test' ? limitsOf(merge) : [],
    results: reports.find((report) => /\.csv$/i.test(report)),
  })
  for (const report of reports) {
    await writeReport(report, ledger.results.rows(run.id), head).catch((error: unknown) => {
      throw end.error ?? error
    })
  }
  const outcome = outcomeOf(end, isDone, counts)
  const summary: SummaryEvent = {
    event: 'summary',
    run: run.id,
    campaign: run.campaign,
    rows: run.rows,
    counts,
    messages: head.messages,
    copies,
    seconds: end.seconds,
    rate: end.seconds > 0 ? end.sent / end.seconds : 0,
    outcome,
    exitCode: end.error?.exitCode ?? EXIT_CODES[outcome],
    reports,
    variants: head.variants,
    accounts: head.accounts,
    mails: run.mails,
    drafts: makesDrafts(settings) || undefined,
    stopped: end.stopped,
  }
  hooks.onEvent?.(summary)
  if (end.error instanceof MailmergeError) throw end.error
  return summary
}

/** A page that cannot show every row links to a file that has them. */
function withAllRows(wanted: readonly string[], usual: string, rows: number): readonly string[] {
  const formats = wanted.map((report) => formatOf(report))
  return rows > PAGE_ROWS && formats.includes('html') && !formats.includes('csv') ? [usual, ...wanted] : wanted
}

function outcomeOf({ error, stopped }: DeliveryEnd, isDone: boolean, { failed }: StatusCounts): RunOutcome {
  if (error !== undefined) return 'broken'
  if (stopped?.kind === 'not-begun' && stopped.detached) return 'planned'
  if (!isDone) return 'unfinished'
  return failed > 0 ? 'failed' : 'done'
}
