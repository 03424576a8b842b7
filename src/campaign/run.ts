/**
 * The whole of a merge, from settings to summary: what the command line, a schedule and a program call. Owns the order of
 * the steps and what is opened and closed around them; the work is done by `plan` and `deliver`.
 */
import { hash } from 'node:crypto'
import { dirname, join } from 'node:path'
import type { Settings } from '../config/settings.ts'
import {
  ConfigError,
  DataError,
  DefectError,
  InputError,
  MailmergeError,
  UnfinishedError,
  UsageError,
} from '../errors.ts'
import { type Inbox, startInbox } from '../inbox/server.ts'
import type { MessageFate } from '../ledger/feedback.ts'
import type { Campaign, Ledger, RunRecord, StatusCounts } from '../ledger/ledger.ts'
import { ownerOfThisProcess } from '../ledger/owner.ts'
import { newRunId } from '../ledger/run-id.ts'
import { nearest } from '../nearest.ts'
import { checkWritable, reportHead, writeReport } from '../report/report.ts'
import { findEmailColumn } from '../source/columns.ts'
import { openSource } from '../source/open.ts'
import type { Row, Source } from '../source/source.ts'
import { type LoadOptions, loadTemplate } from '../template/load.ts'
import type { Template } from '../template/template.ts'
import { createFilesTransport } from '../transport/files.ts'
import { openTransport } from '../transport/open.ts'
import { createSmtpTransport } from '../transport/smtp/smtp-transport.ts'
import type { Transport } from '../transport/transport.ts'
import { localZone } from '../zone.ts'
import { type Clock, systemClock } from './clock.ts'
import { type DeliveryEnd, deliver } from './deliver.ts'
import type { MergeEvent, RowEvent, SummaryEvent } from './events.ts'
import { type FollowUp, openFollowUp } from './follow-up.ts'
import { type LocalHour, openLocalHour } from './local-hour.ts'
import { metered } from './metered.ts'
import { openLedger, openScratchLedger } from './open-ledger.ts'
import { type FirstMessage, planRows } from './plan.ts'
import { createPreparer, type Preparer } from './preparer.ts'
import { restoreRow } from './row-data.ts'
import { openSelector, type Selection } from './select.ts'
import { awaitStart, hourOf, LATE_BY_MS } from './start-time.ts'
import { openWaysOut } from './unsubscribe.ts'
import { openSplit, type Split } from './variants.ts'

/** `send` is the real thing; the other modes record nothing as sent. */
export type MergeMode = 'send' | 'dry-run' | 'sandbox' | 'test'

export interface MergeRequest extends Selection {
  readonly mode: MergeMode
  /** Folder for `.eml` files of a dry run. */
  readonly out?: string
  /** Address that gets every message instead, in mode `test`. */
  readonly testTo?: string
  readonly skipBad?: boolean
  /** Start the campaign anew: who had it before gets it again. */
  readonly again?: boolean
  readonly campaign?: string
  /** Everybody who is still to be sent gets this variant of the project. */
  readonly variant?: string
  /** Result files; their endings say the format. */
  readonly reports?: readonly string[]
  /** Planned and checked now, sent from this moment on. */
  readonly at?: Date
  /** Planned and checked now, each row sent at this hour on the clock of its recipient. */
  readonly atLocal?: LocalHour
  /** Only those who got this earlier campaign and have not answered, left or bounced, so long after it. */
  readonly after?: { readonly campaign: string; readonly wait: number }
  /** Return once planned; `resumeMerge`, or `serve`, sends when the time has come. */
  readonly detach?: boolean
  /** Occurrence of a schedule that this run is. */
  readonly occurrence?: string
  /** Group of the campaign's suppressions, where the settings name none; the campaign without it. */
  readonly group?: string
}

/** Why a run ended that was planned and is not to begin yet. */
const WAITS = 'it waits for its hour'

/** What is going to happen, for the question before sending. */
export interface PlanPreview {
  readonly campaign: string
  readonly run: string
  readonly source: string
  readonly template: string
  readonly rows: number
  readonly toSend: number
  readonly counts: StatusCounts
  readonly first?: FirstMessage
  /** Where to, without secrets. */
  readonly server: string
  /** When it begins, if not at once. */
  readonly notBefore?: Date
}

export interface MergeHooks {
  onEvent?(event: MergeEvent): void
  /** False ends the run with nothing sent. */
  confirm?(plan: PlanPreview): Promise<boolean>
  /** Things worth saying once: the encoding found, a fallback taken. */
  note?(text: string): void
  /** Rows read so far while planning. */
  onRows?(rows: number): void
  /** One line of the conversation with the server, secrets and bodies left out. */
  dialogue?(line: string): void
  /** First stop: finish what is in flight. */
  readonly signal?: AbortSignal
  /** Second stop: at once. */
  readonly abort?: AbortSignal
  readonly clock?: Clock
}

/** What a run needs beside its ledger, opened once and closed once. */
interface Workshop {
  readonly settings: Settings
  readonly ledger: Ledger
  readonly hooks: MergeHooks
  readonly clock: Clock
  readonly mode: MergeMode
  /** Folder for this run's files, beside the ledger. */
  readonly folder: (runId: string) => string
}

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
  const templateName = settings.template ?? missing('template', '--template NAME')
  if (settings.source.path === undefined && settings.source.sql === undefined && settings.source.command === undefined)
    missing('list', '--csv FILE')
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
  const ledger = real ? await openLedger(settings) : await openScratchLedger()
  const folder = real ? join(dirname(resolveLedger(settings)), 'runs') : join(settings.root, '.mailmerge', request.mode)
  const shop: Workshop = { settings, ledger, hooks, clock, mode: request.mode, folder: (id) => join(folder, id) }
  let inbox: Inbox | undefined
  let follow: FollowUp | undefined
  try {
    follow = request.after === undefined ? undefined : await followUp(shop, request.after)
    const campaign = await ledger.campaign(name, { again: request.again ?? false })
    const claim = await ledger.claim(campaign, ownerOfThisProcess())
    try {
      if (request.occurrence !== undefined) await refuseSecond(ledger, request.occurrence)
      const now = clock.now()
      const runId = newRunId(now, clock.random)
      const waysOut = await openWaysOut(settings, group)
      const preparer = createPreparer({
        settings,
        template,
        ...(waysOut === undefined ? {} : { waysOut }),
        ...(split === undefined ? {} : { split }),
        campaign: real ? campaign : await tokenOf(settings, campaign),
        ...(emailColumn === undefined ? {} : { emailColumn }),
        ...(request.testTo === undefined ? {} : { testTo: request.testTo }),
      })
      try {
        await ledger.createRun({
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
            ...(emailColumn === undefined ? {} : { emailColumn }),
            ...(request.variant === undefined ? {} : { variant: request.variant }),
            group,
            ...(request.atLocal === undefined ? {} : { atLocal: request.atLocal.text }),
            ...(request.occurrence === undefined ? {} : { occurrence: request.occurrence }),
            ...(request.after === undefined ? {} : { after: request.after }),
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

        if (request.mode === 'sandbox') inbox = await startInbox({ dir: shop.folder(runId) })
        const transport = await transportFor(shop, request, inbox)
        try {
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
          if (real && counts.deferred > 0 && hooks.confirm !== undefined && !(await hooks.confirm(preview))) {
            await ledger.endRun(runId, 'cancelled', clock.now())
            return await summarize(
              shop,
              { id: runId, campaign: name, rows },
              { counts, sent: 0, seconds: 0, stopped: 'not confirmed' },
              [],
            )
          }
          const own = { id: runId, detach: request.detach ?? false }
          const end = await beginAndDeliver(shop, own, transport, preparer, counts, real ? follow : undefined)
          await inbox?.close()
          const reports =
            request.reports ?? (request.mode === 'dry-run' ? [] : [join(shop.folder(runId), 'results.csv')])
          const mails = inbox === undefined ? dryRunFolder(settings, request) : shop.folder(runId)
          return await summarize(shop, { id: runId, campaign: name, rows, mails }, end, reports)
        } finally {
          await transport.close()
        }
      } finally {
        await preparer.close()
      }
    } finally {
      await claim.release()
    }
  } finally {
    await inbox?.close()
    await follow?.close()
    await ledger.close()
  }
}

/** Which run to go on with, and what to do with rows in doubt. */
export interface ResumeRequest {
  /** Run id; without it the newest unfinished run to go on with, or the newest run to try again. */
  readonly run?: string
  readonly inDoubt?: 'resend' | 'keep'
  readonly reports?: readonly string[]
}

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
      if (request.inDoubt !== undefined) await ledger.settleInDoubt(run.id, request.inDoubt)
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
      await ledger.retryFailed(run.id)
    }),
  )
}

/**
 * Ends a run for good: what was not sent stays unsent. Gives the run's id.
 * @throws UsageError for a run that has ended, UnfinishedError when a process is at it.
 */
export async function cancelMerge(settings: Settings, runId?: string): Promise<string> {
  const ledger = await openLedger(settings)
  try {
    const run = await newestUnfinished(ledger, runId)
    if (run.state !== 'ready') {
      throw new UsageError(`the run ${run.id} is ${run.state} already`, { hint: 'mailmerge status lists the runs.' })
    }
    const claim = await ledger.claim(run.campaign, ownerOfThisProcess())
    try {
      await ledger.endRun(run.id, 'cancelled', new Date())
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
  const clock = hooks.clock ?? systemClock
  for (const report of request.reports ?? []) await checkWritable(report)
  const ledger = await openLedger(settings)
  try {
    const run = await choose(ledger, request.run)
    if (run.state === 'cancelled') {
      throw new UsageError(`the run ${run.id} was cancelled`, { hint: 'Give the run command again to plan a new run.' })
    }
    const claim = await ledger.claim(run.campaign, ownerOfThisProcess())
    const folder = join(dirname(resolveLedger(settings)), 'runs')
    const shop: Workshop = { settings, ledger, hooks, clock, mode: 'send', folder: (id) => join(folder, id) }
    try {
      const templateName = String(run.options.template ?? run.template)
      const template = await openTemplate(templateName, settings)
      const { emailColumn, variant } = run.options
      const only = typeof variant === 'string' ? variant : undefined
      const split = await openVariants(templateName, settings, run.campaign.name, only)
      bindAll(template, split, run.columns)
      if (planHash(template, split, settings) !== run.templateHash) {
        throw new DataError(`the template '${run.template}' changed after run ${run.id} was planned`, {
          hint: 'Give the run command again: it plans anew with the template as it is now, and sends what is not yet sent. What failed for good can be retried after it.',
        })
      }
      await prepareLedger(ledger, run)
      const waysOut = await openWaysOut(settings, groupOf(settings, run))
      const preparer = createPreparer({
        settings,
        template,
        ...(split === undefined ? {} : { split }),
        ...(waysOut === undefined ? {} : { waysOut }),
        campaign: run.campaign,
        ...(typeof emailColumn === 'string' ? { emailColumn } : {}),
      })
      const transport = await openTransport(settings, transportOptions(shop))
      try {
        const counts = await ledger.counts(run.id)
        const rows = Object.values(counts).reduce((sum, count) => sum + count, 0)
        hooks.onEvent?.({
          event: 'planned',
          run: run.id,
          campaign: run.campaign.name,
          rows,
          toSend: counts.deferred,
          counts,
        })
        const follow = isAfter(run.options['after']) ? await followUp(shop, run.options['after']) : undefined
        const end = await beginAndDeliver(shop, { ...run, detach: false }, transport, preparer, counts, follow)
        const reports = request.reports ?? [join(shop.folder(run.id), 'results.csv')]
        return await summarize(shop, { id: run.id, campaign: run.campaign.name, rows }, end, reports)
      } finally {
        await transport.close()
        await preparer.close()
      }
    } finally {
      await claim.release()
    }
  } finally {
    await ledger.close()
  }
}

/** The run of that id, or the newest unfinished one, or the newest where all are finished. */
async function newestUnfinished(ledger: Ledger, id: string | undefined): Promise<RunRecord> {
  if (id !== undefined) return findRun(ledger, id)
  const open = (await ledger.runs()).filter(({ state }) => state === 'ready')
  // One that was broken off comes before one that waits for its hour.
  const waits = ({ notBefore, begunAt }: RunRecord): boolean => notBefore !== undefined && begunAt === undefined
  return open.find((run) => !waits(run)) ?? open[0] ?? findRun(ledger, undefined)
}

async function findRun(ledger: Ledger, id: string | undefined): Promise<RunRecord> {
  const run = await ledger.run(id)
  if (run !== undefined) return run
  if (id === undefined)
    throw new InputError('there is no run in this ledger', { hint: 'Start one with mailmerge run.' })
  const guess = nearest(
    id,
    (await ledger.runs()).map((known) => known.id),
  )
  throw new InputError(`there is no run '${id}' in ${ledger.location}`, {
    hint:
      guess === undefined
        ? 'mailmerge status lists the runs.'
        : `Did you mean ${guess}? mailmerge status lists the runs.`,
  })
}

/** The list of the settings, with its columns as they are mapped. */
export function openList(settings: Settings): Promise<Source> {
  return openSource(settings.source, {
    ...(settings.locale === undefined ? {} : { locale: settings.locale }),
    ...(settings.timeZone === undefined ? {} : { timeZone: settings.timeZone }),
  })
}

/** The list from its beginning, for a sample. @throws UsageError for standard input, which is read once. */
export function listAgain(settings: Settings): Promise<Source> {
  if (settings.source.path !== '-') return openList(settings)
  throw new UsageError('--sample must read the list twice, which standard input does not allow', {
    hint: 'Write the list to a file first, or choose rows with --limit or --where.',
  })
}

export function openTemplate(name: string, settings: Settings, instead?: LoadOptions['instead']): Promise<Template> {
  return loadTemplate(name, {
    root: settings.root,
    message: settings.message,
    ...(instead === undefined ? {} : { instead }),
    ...(settings.locale === undefined ? {} : { locale: settings.locale }),
    ...(settings.timeZone === undefined ? {} : { timeZone: settings.timeZone }),
  })
}

/** The variants of a campaign, each as a template; `only` takes one of them for everybody. */
export function openVariants(
  templateName: string,
  settings: Settings,
  campaign: string,
  only?: string,
): Promise<Split | undefined> {
  return openSplit(settings.variants, campaign, only, ({ template = templateName, subject }) =>
    openTemplate(
      template,
      settings,
      subject === undefined ? undefined : { fields: { subject }, file: 'mailmerge.yaml (variants)' },
    ),
  )
}

function bindAll(template: Template, split: Split | undefined, columns: readonly string[]): void {
  if (split === undefined) template.bind(columns)
  else for (const variant of split.variants) variant.template.bind(columns)
}

/** Everything outside the rows that a message depends on, frozen when the run is planned. */
function planHash(template: Template, split: Split | undefined, settings: Settings): string {
  const { message, locale, timeZone, unsubscribe } = settings
  return hash(
    'sha256',
    JSON.stringify([
      template.hash,
      split?.variants.map(({ name, share, template }) => [name, share, template.hash]),
      message,
      locale,
      timeZone,
      unsubscribe?.url,
      unsubscribe?.mailto,
      settings.bounces.returnPath,
    ]),
    'hex',
  )
}

/** The column that holds the address. @throws ConfigError for a column that is set and not there. */
export function addressColumn(settings: Settings, source: Source): string | undefined {
  for (const [flag, column] of [
    ['emailColumn', settings.emailColumn],
    ['--key', settings.key],
  ] as const) {
    if (column === undefined || source.columns.includes(column)) continue
    const guess = nearest(column, source.columns)
    throw new ConfigError(`${flag} names the column '${column}', which ${source.name} does not have`, {
      hint: guess === undefined ? `Its columns are ${source.columns.join(', ')}.` : `Did you mean '${guess}'?`,
    })
  }
  return settings.emailColumn ?? findEmailColumn(source.columns)
}

function missing(what: string, flag: string): never {
  throw new UsageError(`there is no ${what}`, { hint: `Give one with ${flag}, or set it in mailmerge.yaml.` })
}

function resolveLedger(settings: Settings): string {
  // A ledger on a server has no folder of its own: run files live in the project.
  return /^postgres(ql)?:/.test(settings.ledger) ? join(settings.root, '.mailmerge', 'ledger') : settings.ledger
}

/** In modes that record nothing, messages are still what they would be: the campaign's own token, where there is one. */
async function tokenOf(settings: Settings, scratch: Campaign): Promise<Campaign> {
  const ledger = await openLedger(settings, { existing: true })
  try {
    return (await ledger?.findCampaign(scratch.name)) ?? scratch
  } finally {
    await ledger?.close()
  }
}

function transportOptions({ ledger, hooks }: Workshop): Parameters<typeof openTransport>[1] {
  return {
    memory: {
      get: (server) => ledger.serverMemory(server),
      set: (server, memory) => ledger.rememberServer(server, memory),
    },
    ...(hooks.dialogue === undefined ? {} : { dialogue: hooks.dialogue }),
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
  const { user: _user, password: _password, accessToken: _token, proxy: _proxy, ...smtp } = settings.smtp
  return createSmtpTransport({ ...smtp, host: inbox.host, port: inbox.port, security: 'none', lmtp: false })
}

/** The suppressions of a run: those that it was planned with, unless the settings name others now. */
function groupOf(settings: Settings, { campaign, options }: RunRecord): string {
  return settings.group ?? (typeof options['group'] === 'string' ? options['group'] : campaign.name)
}

function isAfter(value: unknown): value is NonNullable<MergeRequest['after']> {
  return typeof value === 'object' && value !== null && 'campaign' in value && 'wait' in value
}

/** The follow-up of a run. A rehearsal looks at the real ledger, and waits for nothing. */
async function followUp(
  { settings, ledger, mode }: Workshop,
  { campaign, wait }: NonNullable<MergeRequest['after']>,
): Promise<FollowUp> {
  if (mode === 'send') {
    const subjectOf = await earlierSubjects(settings, await ledger.run(undefined, campaign))
    return openFollowUp({ ledger, after: campaign, wait, subjectOf, close: () => Promise.resolve() })
  }
  const real = (await openLedger(settings, { existing: true })) ?? (await openScratchLedger())
  try {
    const subjectOf = await earlierSubjects(settings, await real.run(undefined, campaign))
    return await openFollowUp({ ledger: real, after: campaign, subjectOf, close: () => real.close() })
  } catch (error) {
    await real.close()
    throw error
  }
}

/** The subjects of an earlier run, made again from its rows; none where its template is gone. */
async function earlierSubjects(settings: Settings, run: RunRecord | undefined): Promise<(fate: MessageFate) => string> {
  if (run === undefined) return () => ''
  const name = String(run.options['template'] ?? run.template)
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

/** Of all that start the run of one occurrence of a schedule, one plans it. */
async function refuseSecond(ledger: Ledger, occurrence: string): Promise<void> {
  const planned = (await ledger.runs()).find(
    ({ state, options }) => options['occurrence'] === occurrence && state !== 'planning',
  )
  if (planned === undefined) return
  throw new UnfinishedError(`the occurrence ${occurrence} is planned already, as run ${planned.id}`, {
    hint: `Go on with it: mailmerge resume ${planned.id}`,
  })
}

/** Waits for the run's hour, if it has one, and delivers. */
async function beginAndDeliver(
  shop: Workshop,
  planned: { readonly id: string; readonly detach: boolean },
  transport: Transport,
  preparer: Preparer,
  counts: StatusCounts,
  follow: FollowUp | undefined,
): Promise<DeliveryEnd & { readonly waitsUntil?: Date }> {
  const { ledger, settings, hooks, clock } = shop
  const run = await ledger.run(planned.id)
  if (run === undefined) throw new DefectError(`the run ${planned.id} is gone`)
  const waitsUntil = planned.detach
    ? ((await hourOf(run, ledger)) ?? (await ledger.nextDue(run.id)) ?? clock.now())
    : await awaitStart(run, {
        ledger,
        clock,
        lateBy: settings.lateBy ?? LATE_BY_MS,
        signal: hooks.signal,
        onWaiting: (until) =>
          hooks.onEvent?.({ event: 'paused', run: run.id, reason: 'the run begins at its hour', until }),
      })
  if (waitsUntil !== undefined) return { counts, sent: 0, seconds: 0, stopped: WAITS, waitsUntil }
  const end = await deliverRun(shop, run, transport, preparer, counts, follow)
  if (settings.sentCopy !== undefined && shop.mode === 'send') await keepSent(shop, run, preparer, settings.sentCopy)
  return end
}

/** Copies are a convenience: what goes wrong with them is said, and changes nothing about what was sent. */
async function keepSent(
  { ledger, settings, hooks }: Workshop,
  run: RunRecord,
  preparer: Preparer,
  folder: string,
): Promise<void> {
  const { imap } = settings
  if (imap === undefined) return
  try {
    const { keepCopies } = await import('./sent-copy.ts')
    const { copies } = ledger
    await keepCopies({
      ...{ copies, runId: run.id, imap, folder, prepare: (due, date) => preparer.message(due, date) },
      ...(hooks.signal === undefined ? {} : { signal: hooks.signal }),
    })
  } catch (error) {
    if (!(error instanceof MailmergeError)) throw error
    const hint = error.hint === undefined ? '' : ` ${error.hint}`
    hooks.note?.(`copies in '${folder}' are not complete: ${error.message}.${hint} mailmerge resume ${run.id} goes on.`)
  }
}

function deliverRun(
  shop: Workshop,
  run: RunRecord,
  transport: Transport,
  preparer: Preparer,
  counts: StatusCounts,
  follow: FollowUp | undefined,
): Promise<DeliveryEnd> {
  const { settings, ledger, hooks, clock, mode } = shop
  const runId = run.id
  const { onEvent } = hooks
  // Limits are the real server's; a folder or the sandbox has none.
  const local = mode === 'dry-run' || mode === 'sandbox'
  const delivery = local ? { ...settings.delivery, rates: [] } : settings.delivery
  const { perDomain: _, ...unlimited } = delivery
  return deliver({
    ledger,
    runId,
    transport,
    prepare: (due, date) => preparer.message(due, date),
    ...(follow === undefined ? {} : { stopped: (rows) => follow.stopped(rows) }),
    settings: local ? unlimited : delivery,
    account: accountOf(settings, transport),
    group: groupOf(settings, run),
    ...(run.options['atLocal'] === undefined ? {} : { lateBy: settings.lateBy ?? LATE_BY_MS }),
    counts,
    clock,
    ...(hooks.signal === undefined ? {} : { stop: hooks.signal }),
    ...(hooks.abort === undefined ? {} : { abort: hooks.abort }),
    ...(hooks.note === undefined ? {} : { onNote: (text: string) => hooks.note?.(text) }),
    ...(onEvent === undefined
      ? {}
      : {
          onSettled: (row) => onEvent({ event: row.status as RowEvent['event'], ...row }),
          onPaused: (reason, until) =>
            onEvent({ event: 'paused', run: runId, reason, ...(until === undefined ? {} : { until }) }),
          onProgress: (state) => onEvent({ event: 'progress', run: runId, ...state }),
        }),
  })
}

/** Whose quota it is: of a login at a server, or of another way to send. */
function accountOf({ smtp, transport }: Settings, { name }: Transport): string {
  return transport === undefined || transport === 'smtp' ? `${smtp.user ?? ''}@${smtp.host}` : name
}

async function summarize(
  shop: Workshop,
  run: { readonly id: string; readonly campaign: string; readonly rows: number; readonly mails?: string | undefined },
  end: DeliveryEnd & { readonly waitsUntil?: Date },
  reports: readonly string[],
): Promise<SummaryEvent> {
  const { ledger, hooks, clock } = shop
  if (end.error?.code === 'output') throw end.error
  const counts = await ledger.counts(run.id)
  const finished = counts.deferred === 0 && counts.in_doubt === 0
  if (finished && end.stopped !== 'not confirmed') await ledger.endRun(run.id, 'finished', clock.now())
  const head = await reportHead(ledger, run)
  for (const report of reports) await writeReport(report, ledger.results(run.id), head)
  const summary: SummaryEvent = {
    event: 'summary',
    run: run.id,
    campaign: run.campaign,
    rows: run.rows,
    counts,
    seconds: end.seconds,
    rate: end.seconds > 0 ? end.sent / end.seconds : 0,
    exitCode: end.error?.exitCode ?? (finished ? (counts.failed > 0 ? 1 : 0) : 75),
    reports,
    ...(head.variants === undefined ? {} : { variants: head.variants }),
    ...(run.mails === undefined ? {} : { mails: run.mails }),
    ...(end.stopped === undefined ? {} : { stopped: end.stopped }),
    ...(end.waitsUntil === undefined ? {} : { waitsUntil: end.waitsUntil }),
  }
  hooks.onEvent?.(summary)
  if (end.error instanceof MailmergeError) throw end.error
  return summary
}
