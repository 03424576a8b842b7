/**
 * What is resumed without being asked: occurrences that were claimed, and runs whose start time has come. Owns the rule that
 * nothing is resumed that stopped too long ago; runs nothing.
 */
import { lateness, startTimeOf } from '../campaign/run/start-time.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { RunRecord } from '../ledger/records.ts'
import type { OccurrenceRecord, Schedule } from '../ledger/schedules.ts'
import { standingOf } from '../report/head.ts'
import { lateByOf, optionsOf } from './schedule.ts'

/** A piece of work for one process. `isAsked`: a person asked for it, so it is never too late. */
export type Work =
  | { readonly kind: 'occurrence'; readonly occurrence: OccurrenceRecord; readonly isAsked?: boolean }
  | { readonly kind: 'run'; readonly run: string; readonly campaign: string; readonly isAsked?: boolean }

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
  /** True for work that this process is doing: it is listed, whatever its time. */
  readonly isRunning?: (key: string) => boolean
}

export function workKey(work: Work): string {
  return work.kind === 'run' ? `run ${work.run}` : `occurrence ${work.occurrence.schedule} ${work.occurrence.wall}`
}

export async function unfinishedWork(ledger: Ledger, options: UnfinishedWorkOptions): Promise<UnfinishedWork> {
  const runs = await ledger.runs.list()
  const occurrences = await unfinishedOccurrences(ledger, runs, options)
  const others = await unfinishedRuns(
    ledger,
    runs,
    options,
    new Set(occurrences.work.map(({ occurrence }) => occurrence.run)),
  )
  return { work: [...occurrences.work, ...others.work], notices: [...occurrences.notices, ...others.notices] }
}

async function unfinishedOccurrences(ledger: Ledger, runs: readonly RunRecord[], options: UnfinishedWorkOptions) {
  const { now, isRunning = () => false } = options
  const lateBy = new Map((await ledger.schedules.list()).map((one) => [one.name, resumedWithin(one, options.lateBy)]))
  const work: Extract<Work, { kind: 'occurrence' }>[] = []
  const notices: Notice[] = []
  for (const occurrence of await ledger.schedules.unfinished()) {
    const one = { kind: 'occurrence', occurrence } as const
    const run = runs.find(({ id }) => id === occurrence.run)
    if (isHeld(run)) continue
    const isAsked = run?.state === 'ready' && run.requested === 'resume'
    if (isAsked || isRunning(workKey(one))) {
      work.push({ ...one, isAsked })
      continue
    }
    if (run?.state === 'finished' || run?.state === 'cancelled') {
      // It ended, or a later occurrence of the same campaign took its rows over: what is left is to record it.
      await ledger.schedules.update(occurrence, { state: 'done' }, now)
      continue
    }
    const due = run === undefined ? undefined : await dueOf(run, ledger, now)
    if (due === 'later') continue
    const reason = whyNot(occurrence, run, due, lateBy.get(occurrence.schedule), options)
    if (reason === undefined) {
      work.push(one)
      continue
    }
    await ledger.schedules.update(occurrence, { state: 'failed', reason }, now)
    const hint =
      occurrence.run === undefined
        ? `Send it all the same: mailmerge schedule run-due ${occurrence.schedule} --late ok`
        : `Continue it: mailmerge resume ${occurrence.run}, or end it: mailmerge cancel ${occurrence.run}`
    notices.push({
      what: `the occurrence ${occurrence.wall} of ${occurrence.schedule} is not resumed: ${reason}`,
      hint,
    })
  }
  return { work, notices }
}

/** `taken` are runs that are resumed with their occurrence. */
async function unfinishedRuns(
  ledger: Ledger,
  runs: readonly RunRecord[],
  options: UnfinishedWorkOptions,
  taken: ReadonlySet<string | undefined>,
): Promise<UnfinishedWork> {
  const { now, lateBy, aliveAt, isRunning = () => false } = options
  const asked: Work[] = []
  const work: Work[] = []
  const notices: Notice[] = []
  for (const run of runs) {
    if (run.state !== 'ready' || isHeld(run) || taken.has(run.id)) continue
    const one = { kind: 'run', run: run.id, campaign: run.campaign.name } as const
    if (isRunning(workKey(one))) {
      work.push(one)
      continue
    }
    if (run.requested === 'resume') {
      asked.push({ ...one, isAsked: true })
      continue
    }
    if (run.options.occurrence !== undefined) continue
    const startTime = await startTimeOf(run, ledger)
    // Runs without a start time belong to a person: what was stopped by hand is not resumed.
    if (startTime === undefined && run.begunAt === undefined) continue
    if ((startTime?.getTime() ?? 0) > now.getTime()) continue
    const due = await dueOf(run, ledger, now)
    // Rows in doubt are for a person to decide.
    if (due === 'later' || due === 'none') continue
    const idleSince = latest(run.begunAt ?? startTime ?? run.startedAt, due)
    const alive = Math.max(idleSince.getTime(), run.begunAt === undefined ? 0 : (aliveAt?.getTime() ?? 0))
    const late = now.getTime() - alive
    if (late <= patienceOf(run, lateBy)) {
      work.push(one)
      continue
    }
    const key = `told ${workKey(one)} ${idleSince.getTime()}`
    if ((await ledger.timestamps.replace(key, now)) !== undefined) continue
    const since = run.begunAt === undefined ? 'was to begin' : 'has been idle since'
    notices.push({
      what: `the run ${run.id} of ${run.campaign.name} ${since} ${idleSince.toISOString()}, ${lateness(late)} ago: nothing was sent`,
      hint: `Send it all the same: mailmerge resume ${run.id} --late ok, or end it: mailmerge cancel ${run.id}`,
    })
  }
  return { work: [...asked, ...work], notices }
}

/** Whether a person paused or cancelled the run: until the process that delivers it has stopped, it is left alone. */
function isHeld(run: RunRecord | undefined): boolean {
  return run?.state === 'ready' && (run.requested === 'pause' || run.requested === 'cancel')
}

/** Milliseconds after its time within which an occurrence of the schedule may still be planned. */
function resumedWithin(schedule: Schedule, project: number): number {
  const options = optionsOf(schedule)
  return options.catchUp === 'skip' ? lateByOf(options, project) : Number.POSITIVE_INFINITY
}

/**
 * When the rows or copies of a run that can be sent now were to be sent: undefined for rows without a time of their own, `later`
 * when all wait for a later time, `none` when nothing is left.
 */
async function dueOf(run: RunRecord, ledger: Ledger, now: Date): Promise<Date | undefined | 'later' | 'none'> {
  const { counts, copiesDeferred, waiting } = await standingOf(ledger, run, now)
  if (counts.deferred + copiesDeferred === 0) return 'none'
  if (run.waitsUntil !== undefined && run.waitsUntil > now) return 'later'
  const hasRow = counts.deferred > 0 && waiting === undefined
  const [copy] =
    hasRow || copiesDeferred === 0 ? [] : await ledger.carbonCopies.due(run.id, { now, after: 0, limit: 1 })
  if (!hasRow && copy === undefined) return 'later'
  const next = await (hasRow ? ledger.deliveries : ledger.carbonCopies).nextDue(run.id)
  if (next === undefined || next.getTime() > now.getTime()) return run.waitsUntil
  return latest(next, run.waitsUntil)
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
