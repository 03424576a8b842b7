/** `mailmerge status`: the runs of a project and how far they are. Reads the ledger, changes nothing. */
import { findRun } from '../../campaign/run/find-run.ts'
import type { Settings } from '../../config/settings.ts'
import { given } from '../../given.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { type RowStatus, type RunRecord, type StatusCounts, totalOf } from '../../ledger/records.ts'
import { type RunStanding, standingOf } from '../../report/head.ts'
import { runFields } from '../../report/json.ts'
import { pauseWords } from '../../report/reasons.ts'
import { STATUS_WORDS } from '../../report/row-states.ts'
import type { RunProgress } from '../../report/run-progress.ts'
import { conditionWords, type RunCondition, runCondition } from '../../report/words.ts'
import { escapeInvisible } from '../../text/visible.ts'
import type { Action, Context } from '../command.ts'
import { endWords } from '../merge/confirm.ts'
import { LEDGER_OPTION, settingsFor } from '../settings-options.ts'
import { count, dateTimeWords, duration, moment, plural, rate, shortPath } from '../terminal/format.ts'
import { tableLines } from '../terminal/table.ts'
import { withLedger } from '../with-ledger.ts'

/** Runs listed without --verbose. */
const LISTED = 20

const STATUSES = Object.keys(STATUS_WORDS) as RowStatus[]

interface ShownRun extends RunStanding {
  readonly run: RunRecord
  readonly condition: RunCondition
  /** A process plans or sends it now. */
  readonly atWork: boolean
  /** Zone in which its times are shown: the one that they were given in. */
  readonly timeZone: string | undefined
  readonly progress: RunProgress | undefined
}

export const status: Action = {
  usage: 'status [run]',
  describe: 'Show runs and how far they are',
  positionals: {
    run: { names: 'run', describe: 'Show only this run, with its details; the beginning of its id is enough' },
  },
  options: LEDGER_OPTION,
  async run(args, context) {
    const settings = await settingsFor(args, context)
    const id = args.text('run')
    await withLedger(settings, async (ledger) => {
      if (id !== undefined) {
        const run = await findRun(ledger, id)
        if (ledger !== undefined) {
          const shown = await runReader(ledger, await ledger.runs.list(), settings.timeZone)(run)
          const hasAccounts = run.options.accounts !== undefined
          const accounts = hasAccounts ? await ledger.results.accountCounts(run.id) : undefined
          showOne(shown, accounts, hasAccounts ? undefined : await endOf(ledger, settings, shown), context)
        }
      } else if (ledger === undefined)
        context.out.info(
          `nothing was sent in this project yet: there is no ledger ${shortPath(settings.ledger, context.io.cwd)}`,
        )
      else await showAll(ledger, settings.timeZone, context)
    })
    return 0
  },
}

async function showAll(ledger: Ledger, timeZone: string | undefined, { out }: Context): Promise<void> {
  const runs = await ledger.runs.list()
  if (runs.length === 0) out.info('nothing was sent in this project yet')
  const read = runReader(ledger, runs, timeZone)
  const whole = out.json || out.verbose
  const listed: ShownRun[] = []
  let unlisted = 0
  for (const [i, run] of runs.entries()) {
    if (!whole && listed.length === LISTED) {
      unlisted += runs.length - i
      break
    }
    const shown = await read(run)
    // A run that another one took the place of before it sent anything says nothing.
    if (whole || !isWithoutTrace(shown)) listed.push(shown)
    else unlisted++
  }
  if (out.json) {
    for (const { run, atWork, ...standing } of listed) out.result(JSON.stringify(runFields(run, standing, atWork)))
    return
  }
  if (listed.length === 0) return
  for (const line of lines(listed, out.resultColumns)) out.result(line)
  if (unlisted > 0) out.info(`and ${plural(unlisted, 'other run', 'other runs')}; --verbose lists them all`)
}

function isWithoutTrace({ condition, counts }: ShownRun): boolean {
  return condition.kind === 'replaced' && counts.sent + counts.failed + counts.in_doubt === 0
}

/** States that no row has would only make the lines too long for a terminal. */
function lines(listed: readonly ShownRun[], columns: number | undefined): readonly string[] {
  const statuses = STATUSES.filter((one) => one === 'sent' || listed.some(({ counts }) => counts[one] > 0))
  const words = statuses.map((one) => STATUS_WORDS[one].toUpperCase())
  const head = ['RUN', 'STARTED', 'CAMPAIGN', 'STATE', 'ROWS', ...words]
  const rows = listed.map(({ run, counts, condition, timeZone }) => [
    run.id,
    moment(run.startedAt, timeZone),
    campaignName(run),
    conditionWords(condition, (at) => moment(at, timeZone)),
    count(totalOf(counts)),
    ...statuses.map((one) => count(counts[one])),
  ])
  return tableLines(head, rows, { right: new Set(head.keys().drop(4)), columns, cuttable: [2, 3, 1] })
}

/** `ends`: when the last message can be accepted. */
function showOne(
  shown: ShownRun,
  accounts: ReadonlyMap<string, StatusCounts> | undefined,
  ends: string | undefined,
  { out }: Context,
): void {
  const { run, counts, messages, copiesDeferred, waiting, condition, atWork, timeZone, progress } = shown
  if (out.json) {
    const of = accounts && Object.fromEntries(accounts)
    out.result(JSON.stringify({ ...runFields(run, shown, atWork), ...given({ accounts: of }) }))
    return
  }
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['run', run.id],
    ['campaign', campaignName(run)],
    ['state', conditionWords(condition, (at) => moment(at, timeZone))],
    ['now', progress === undefined ? undefined : progressWords(progress, timeZone)],
    ['template', escapeInvisible(run.template)],
    ['list', escapeInvisible(run.source)],
    ['started', dateTimeWords(run.startedAt, timeZone)],
    ['begins', run.notBefore === undefined ? undefined : dateTimeWords(run.notBefore, timeZone)],
    ['next', waiting === undefined ? undefined : dateTimeWords(waiting.first, timeZone)],
    ['last', waiting === undefined ? undefined : dateTimeWords(waiting.last, timeZone)],
    ['ends', ends],
    ['ended', run.endedAt === undefined ? undefined : dateTimeWords(run.endedAt, timeZone)],
    [
      'rows',
      `${count(totalOf(counts))}${messages === undefined ? '' : `, in ${plural(totalOf(messages), 'message')}`}`,
    ],
    ...STATUSES.map((one) => [STATUS_WORDS[one].toLowerCase(), stateWords(counts[one], messages?.[one])] as const),
    ...[...(accounts ?? [])].map(([name, own]) => ['account', `${name}: ${accountWords(own)}`] as const),
    ['copies', copiesDeferred === 0 ? undefined : `${count(copiesDeferred)} still to come`],
  ]
  for (const [name, value] of facts) if (value !== undefined) out.result(`${name.padEnd(9)} ${value}`)
  if (run.state === 'ready' && counts.deferred + copiesDeferred > 0 && !atWork)
    out.info(`to continue: mailmerge resume ${run.id}`)
  if (counts.in_doubt > 0) out.info(`decide about rows in doubt: mailmerge resume ${run.id} --in-doubt resend|keep`)
  if (counts.failed > 0) out.info(`to try failed messages again: mailmerge retry ${run.id}`)
}

/** `300 sent, 12 waiting` */
function accountWords(counts: StatusCounts): string {
  const some = STATUSES.filter((one) => one === 'sent' || counts[one] > 0)
  return some.map((one) => `${count(counts[one])} ${STATUS_WORDS[one].toLowerCase()}`).join(', ')
}

/** When the last message can be accepted, where something that is set holds it back. */
async function endOf(
  ledger: Ledger,
  settings: Settings,
  { run, counts, messages, waiting, timeZone }: ShownRun,
): Promise<string | undefined> {
  if (run.state !== 'ready' || counts.deferred === 0) return undefined
  const { forecastOf } = await import('../../campaign/accounts/forecast.ts')
  const now = new Date()
  const start = waiting?.first ?? (run.begunAt === undefined ? run.notBefore : undefined) ?? now
  const servers = [typeof settings.transport === 'string' ? settings.transport : '']
  const [forecast] = await forecastOf(
    { by: 'name', list: [{ name: undefined, settings, from: undefined }] },
    { ...{ ledger, runId: run.id, servers, now, start, timeZone }, messages: (messages ?? counts).deferred },
  )
  return forecast?.pace && endWords(forecast.pace, timeZone)
}

/** `1,200 in 300 messages` */
function stateWords(rows: number, messages: number | undefined): string {
  return messages === undefined || messages === 0 ? count(rows) : `${count(rows)} in ${plural(messages, 'message')}`
}

/** Reads what is shown of a run. `runs` are all of the ledger, the newest first. */
function runReader(
  ledger: Ledger,
  runs: readonly RunRecord[],
  timeZone: string | undefined,
): (run: RunRecord) => Promise<ShownRun> {
  const newest = new Map(runs.toReversed().map((run) => [campaignName(run), run.id]))
  return async (run) => {
    const standing = await standingOf(ledger, run)
    const isNewest = newest.get(campaignName(run)) === run.id
    const atWork = isNewest && run.endedAt === undefined && (await ledger.campaigns.isClaimed(run.campaign))
    const condition = runCondition(run, standing, { atWork, newest: isNewest })
    const progress = atWork ? await progressOf(ledger, run.id) : undefined
    return { run, ...standing, condition, atWork, timeZone: run.options.timeZone ?? timeZone, progress }
  }
}

async function progressOf(ledger: Ledger, run: string): Promise<RunProgress | undefined> {
  const { readProgress } = await import('../../report/run-progress.ts')
  return readProgress(ledger.runs, run)
}

function campaignName({ campaign }: RunRecord): string {
  return escapeInvisible(campaign.generation === 1 ? campaign.name : `${campaign.name} (${campaign.generation})`)
}

/** `14.9/s over 4 connections, about 12 min left; the server asks for fewer messages` */
function progressWords({ rate: now, lanes, secondsLeft, pause }: RunProgress, timeZone: string | undefined): string {
  const left = secondsLeft === undefined || now === 0 ? '' : `, about ${duration(secondsLeft)} left`
  const until = pause?.until === undefined ? '' : `, until ${moment(pause.until, timeZone)}`
  const waits = pause === undefined ? '' : `; ${escapeInvisible(pauseWords(pause.reason))}${until}`
  return `${rate(now)} over ${plural(lanes, 'connection')}${left}${waits}`
}
