/** `mailmerge status`: where runs stand. Reads the ledger, changes nothing. */
import { findRun } from '../../campaign/run/find-run.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { RunRecord, StatusCounts } from '../../ledger/records.ts'
import { runFields } from '../../report/run-fields.ts'
import { escapeInvisible } from '../../text/visible.ts'
import type { Action, Context } from '../command.ts'
import { LEDGER_OPTION, settingsFor } from '../settings-options.ts'
import { count, hourWords, moment, shortPath } from '../terminal/format.ts'
import { cut, tableLines } from '../terminal/table.ts'
import { withLedger } from '../with-ledger.ts'

/** Runs listed without --verbose. */
const LISTED = 20

const STATES: readonly (readonly [keyof StatusCounts, string])[] = [
  ['sent', 'SENT'],
  ['failed', 'FAILED'],
  ['skipped', 'SKIPPED'],
  ['deferred', 'TO COME'],
  ['in_doubt', 'IN DOUBT'],
]

interface Standing {
  readonly run: RunRecord
  /** A later run of the campaign took its rows over. */
  readonly replaced: boolean
  readonly counts: StatusCounts
}

export const status: Action = {
  usage: 'status [run]',
  describe: 'Show runs and how far they are',
  positionals: { run: { names: 'run', describe: 'Show only this run, with its details' } },
  options: LEDGER_OPTION,
  async run(args, context) {
    const settings = await settingsFor(args, context)
    const id = args.text('run')
    await withLedger(settings, async (ledger) => {
      if (id !== undefined) {
        const run = await findRun(ledger, id)
        await showOne(
          await standingOf(ledger, run, newestOf((await ledger?.runs.list()) ?? [])),
          context,
          settings.timeZone,
        )
      } else if (ledger === undefined)
        context.out.info(
          `nothing was sent in this project yet: there is no ledger ${shortPath(settings.ledger, context.io.cwd)}`,
        )
      else await showAll(ledger, context)
    })
    return 0
  },
}

async function showAll(ledger: Ledger, { out }: Context): Promise<void> {
  const runs = await ledger.runs.list()
  const listed = out.json || out.verbose ? runs : runs.slice(0, LISTED)
  if (runs.length === 0) out.info('nothing was sent in this project yet')
  const standings: Standing[] = []
  const newest = newestOf(runs)
  for (const run of listed) standings.push(await standingOf(ledger, run, newest))
  if (out.json) {
    for (const standing of standings) out.result(JSON.stringify(runFields(standing.run, standing.counts)))
    return
  }
  if (standings.length === 0) return
  // States that no run has would only make the lines too long for a terminal.
  const states = STATES.filter(([status]) => status === 'sent' || standings.some(({ counts }) => counts[status] > 0))
  const head = ['RUN', 'STARTED', 'CAMPAIGN', 'STATE', 'ROWS', ...states.map(([, title]) => title)]
  const rows = standings.map((standing) => {
    const { run, counts } = standing
    return [
      run.id,
      moment(run.startedAt),
      cut(campaignName(run), 32),
      stateWords(standing),
      count(total(counts)),
      ...states.map(([status]) => count(counts[status])),
    ]
  })
  for (const line of tableLines(head, rows, new Set(head.keys().drop(4)))) out.result(line)
  if (listed.length < runs.length) out.info(`and ${count(runs.length - listed.length)} older; --verbose lists all`)
}

async function showOne(standing: Standing, { out }: Context, timeZone: string | undefined): Promise<void> {
  const { run, counts } = standing
  if (out.json) {
    out.result(JSON.stringify(runFields(standing.run, standing.counts)))
    return
  }
  const facts: readonly (readonly [string, string])[] = [
    ['run', run.id],
    ['campaign', campaignName(run)],
    ['state', stateWords(standing)],
    ['template', escapeInvisible(run.template)],
    ['list', escapeInvisible(run.source)],
    ['started', moment(run.startedAt)],
    ...(run.notBefore === undefined ? [] : ([['hour', hourWords(run.notBefore, timeZone)]] as const)),
    ...(run.endedAt === undefined ? [] : ([['ended', moment(run.endedAt)]] as const)),
    ['rows', count(total(counts))],
    ['sent', count(counts.sent)],
    ['failed', count(counts.failed)],
    ['skipped', count(counts.skipped)],
    ['to come', count(counts.deferred)],
    ['in doubt', count(counts.in_doubt)],
  ]
  for (const [name, value] of facts) out.result(`${name.padEnd(9)} ${value}`)
  const open = run.state === 'ready'
  if (open && counts.deferred > 0) out.info(`to continue: mailmerge resume ${run.id}`)
  if (counts.in_doubt > 0) out.info(`decide about rows in doubt: mailmerge resume ${run.id} --in-doubt resend|keep`)
  if (counts.failed > 0) out.info(`to try failed messages again: mailmerge retry ${run.id}`)
}

/** The newest run of each campaign, of runs with the newest first. */
function newestOf(runs: readonly RunRecord[]): ReadonlyMap<string, string> {
  return new Map(runs.toReversed().map((run) => [campaignName(run), run.id]))
}

async function standingOf(
  ledger: Ledger | undefined,
  run: RunRecord,
  newest: ReadonlyMap<string, string>,
): Promise<Standing> {
  const none: StatusCounts = { sent: 0, failed: 0, skipped: 0, deferred: 0, in_doubt: 0 }
  const replaced = newest.get(campaignName(run)) !== run.id
  return { run, replaced, counts: (await ledger?.results.counts(run.id)) ?? none }
}

function stateWords({ run, counts, replaced }: Standing): string {
  if (run.state === 'cancelled') return replaced ? 'replaced' : 'cancelled'
  if (run.state === 'planning') return 'planning was interrupted'
  if (waits(run)) return 'waiting'
  if (counts.deferred > 0) return 'unfinished'
  return counts.in_doubt > 0 ? 'in doubt' : 'finished'
}

/** Planned, and its hour is still to come. */
function waits({ state, notBefore, begunAt }: RunRecord): boolean {
  return state === 'ready' && notBefore !== undefined && begunAt === undefined
}

function campaignName({ campaign }: RunRecord): string {
  return escapeInvisible(campaign.generation === 1 ? campaign.name : `${campaign.name} (${campaign.generation})`)
}

function total(counts: StatusCounts): number {
  return counts.sent + counts.failed + counts.skipped + counts.deferred + counts.in_doubt
}
