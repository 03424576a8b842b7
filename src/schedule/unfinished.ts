/**
 * What is resumed without being asked: occurrences that were claimed, and runs whose start time has come. Owns the rule that
 * nothing is resumed that stopped too long ago; runs nothing.
 */
import { lateness, startTimeOf } from '../campaign/run/start-time.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { RunRecord } from '../ledger/records.ts'
import type { OccurrenceRecord } from '../ledger/schedules.ts'
import { standingOf } from '../report/head.ts'
import { lateByOf, optionsOf } from './schedule.ts'

/** A piece of work for one process. */
export type Work =
  | { readonly kind: 'occurrence'; readonly occurrence: OccurrenceRecord }
  | {
      readonly kind: 'run'
      readonly run: string
      readonly campaign: string
      /** A person asks for it: it is never too late. */
      readonly isAsked?: boolean
    }

/** A follow-up waits for days, and is not late after an hour. */
const FOLLOW_UP_MS = 7 * 86_400_000

/** Something that a person must know and decide. Each is reported once. */
export interface Notice {
  readonly what: string
  readonly hint: string
}

export interface UnfinishedWork {
  readonly work: readonly Work[]
  readonly notices: readonly Notice[]
}

export interface UnfinishedWorkOptions {
  readonly now: Date
  /** Of the project, in milliseconds. */
  readonly lateBy: number
  /** The last heartbeat on this ledger before now; what was started and left longer ago is reported. */
  readonly aliveAt?: Date | undefined
  /** True for work that this process is doing. */
  readonly isRunning?: (key: string) => boolean
}

export function workKey(work: Work): string {
  return work.kind === 'run' ? `run ${work.run}` : `occurrence ${work.occurrence.schedule} ${work.occurrence.wall}`
}

export async function unfinishedWork(ledger: Ledger, options: UnfinishedWorkOptions): Promise<UnfinishedWork> {
  const work: Work[] = []
  const notices: Notice[] = []
  const tell = async (key: string, what: string, hint: string): Promise<void> => {
    if ((await ledger.timestamps.replace(`told ${key}`, options.now)) === undefined) notices.push({ what, hint })
  }
  const lateBy = new Map(
    (await ledger.schedules.list()).map((one) => {
      const own = optionsOf(one)
      return [one.name, own.catchUp === 'skip' ? lateByOf(own, options.lateBy) : Number.POSITIVE_INFINITY]
    }),
  )
  const runs = await ledger.runs.list()
  const open = runs.filter(({ state }) => state === 'ready')
  // Until its process has obeyed, a run that is to be paused or cancelled is left alone.
  const paused = new Set(
    open.filter(({ requested }) => requested !== undefined && requested !== 'resume').map(({ id }) => id),
  )
  for (const occurrence of await ledger.schedules.unfinished()) {
    if (occurrence.run !== undefined && paused.has(occurrence.run)) continue
    const at = { kind: 'occurrence', occurrence } as const
    const isRunning = options.isRunning?.(workKey(at)) ?? false
    const run = runs.find(({ id }) => id === occurrence.run)
    if (run?.state === 'finished' || run?.state === 'cancelled') {
      // It ended, or a later occurrence of the same campaign took its rows over: what is left is to record it.
      if (!isRunning) await ledger.schedules.update(occurrence, { state: 'done' }, options.now)
      continue
    }
    const due = run === undefined || isRunning ? undefined : await dueOf(run, ledger, options.now)
    if (due === 'later') continue
    const reason = isRunning ? undefined : whyNot(occurrence, run, due, lateBy.get(occurrence.schedule), options)
    if (reason === undefined) {
      work.push(at)
      continue
    }
    await ledger.schedules.update(occurrence, { state: 'failed', reason }, options.now)
    const hint =
      occurrence.run === undefined
        ? `Send it all the same: mailmerge schedule run-due ${occurrence.schedule} --late ok`
        : `Continue it: mailmerge resume ${occurrence.run}, or end it: mailmerge cancel ${occurrence.run}`
    notices.push({
      what: `the occurrence ${occurrence.wall} of ${occurrence.schedule} is not resumed: ${reason}`,
      hint,
    })
  }
  // What a person asks for is not late.
  const asked = open.filter(
    ({ id, requested }) =>
      requested === 'resume' && !options.isRunning?.(workKey({ kind: 'run', run: id, campaign: '' })),
  )
  for (const { id, campaign } of asked) work.push({ kind: 'run', run: id, campaign: campaign.name, isAsked: true })
  for (const run of runs) {
    if (asked.includes(run)) continue
    if (run.state !== 'ready' || run.options.occurrence !== undefined || paused.has(run.id)) continue
    if (options.isRunning?.(workKey({ kind: 'run', run: run.id, campaign: '' }))) continue
    const startTime = await startTimeOf(run, ledger)
    // Runs without a start time belong to a person: what was stopped by hand is not resumed.
    if (startTime === undefined && run.begunAt === undefined) continue
    if ((startTime?.getTime() ?? 0) > options.now.getTime()) continue
    const due = await dueOf(run, ledger, options.now)
    // Rows in doubt are for a person to decide.
    if (due === 'later' || due === 'none') continue
    const still = latest(run.begunAt ?? startTime ?? run.startedAt, due)
    const alive = Math.max(still.getTime(), run.begunAt === undefined ? 0 : (options.aliveAt?.getTime() ?? 0))
    const late = options.now.getTime() - alive
    if (late <= patienceOf(run, options.lateBy)) work.push({ kind: 'run', run: run.id, campaign: run.campaign.name })
    else {
      const since = run.begunAt === undefined ? 'was to begin' : 'has been idle since'
      await tell(
        `run ${run.id} ${still.getTime()}`,
        `the run ${run.id} of ${run.campaign.name} ${since} ${still.toISOString()}, ${lateness(late)} ago: nothing was sent`,
        `Send it all the same: mailmerge resume ${run.id} --late ok, or end it: mailmerge cancel ${run.id}`,
      )
    }
  }
  return { work, notices }
}

/**
 * When the rows or copies of a run that can be sent now were to be sent: undefined for rows without a time of their own, `later`
 * when all wait for a later time, `none` when nothing is left.
 */
async function dueOf(run: RunRecord, ledger: Ledger, now: Date): Promise<Date | undefined | 'later' | 'none'> {
  const { counts, copiesDeferred, waiting } = await standingOf(ledger, run, now)
  if (counts.deferred + copiesDeferred === 0) return 'none'
  const hasRow = counts.deferred > 0 && waiting === undefined
  const [copy] =
    hasRow || copiesDeferred === 0 ? [] : await ledger.carbonCopies.due(run.id, { now, after: 0, limit: 1 })
  if (!hasRow && copy === undefined) return 'later'
  const next = await (hasRow ? ledger.deliveries : ledger.carbonCopies).nextDue(run.id)
  return next === undefined || next.getTime() > now.getTime() ? undefined : next
}

/** How late a run may be resumed. */
function patienceOf({ options }: RunRecord, lateBy: number): number {
  return options.after === undefined ? lateBy : Math.max(lateBy, FOLLOW_UP_MS)
}

function latest(one: Date, other: Date | undefined): Date {
  return other !== undefined && other.getTime() > one.getTime() ? other : one
}

/** Why an occurrence that was claimed is not resumed. */
function whyNot(
  { at, changedAt, run: planned }: OccurrenceRecord,
  run: RunRecord | undefined,
  due: Date | undefined | 'none',
  own: number | undefined,
  { now, lateBy, aliveAt }: UnfinishedWorkOptions,
): string | undefined {
  if (planned !== undefined) {
    if (run === undefined || due === 'none') return undefined
    const still = Math.max(latest(changedAt, due).getTime(), aliveAt?.getTime() ?? 0)
    const late = now.getTime() - still
    return late <= patienceOf(run, lateBy) ? undefined : `its run was idle for ${lateness(late)}`
  }
  if (own === undefined) return 'its schedule was removed before it was planned'
  const late = now.getTime() - at.getTime()
  return late <= own ? undefined : `it could not be planned in time, and is ${lateness(late)} late`
}
