/**
 * Everything that is due now, done in this process: the way of a crontab. Owns the order; what is due is decided in
 * `due.ts` and `unfinished.ts`.
 */
import { type Clock, systemClock } from '../campaign/clock.ts'
import type { MergeHooks } from '../campaign/merge.ts'
import { giveNotices } from '../campaign/notify/notify.ts'
import { resumeMerge } from '../campaign/run/resume.ts'
import { LATE_BY_MS } from '../campaign/run/start-time.ts'
import type { Flags } from '../config/load.ts'
import type { Settings } from '../config/settings.ts'
import { MailmergeError } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Occurrence } from '../ledger/schedules.ts'
import { claimDue, claimMissed, type DueOccurrences } from './due.ts'
import { startHeartbeat } from './heartbeat.ts'
import { PATIENCE_MS, runOccurrence, type WorkResult, workErrorOf, workResultOf } from './occurrence.ts'
import { flagsOf, optionsOf } from './schedule.ts'
import { type Notice, unfinishedWork, type Work } from './unfinished.ts'

/** The settings of a piece of work: those of the project with flags over them, read again. */
export type SettingsWith = (flags: Flags) => Promise<Settings>

export interface DueReport {
  /** Of one schedule, decided now. */
  onMissed?(due: DueOccurrences): void
  onNotice?(notice: Notice): void
  /** A piece of work begins. Gives what hears of it. */
  onWork?(work: Work): MergeHooks
  /** It ended; without summary and error nothing was left to do. */
  onEnd?(work: Work, result: WorkResult): void
}

export interface RunDueOptions {
  readonly ledger: Ledger
  readonly settings: Settings
  readonly settingsWith: SettingsWith
  /** Only this schedule. */
  readonly name?: string
  /** A person said that late is right: what was missed or failed last is made up for. */
  readonly anyLate?: boolean
  readonly clock?: Clock
  readonly signal?: AbortSignal
}

/** Runs what is due, one after the other, and gives how each ended. Another process's work is left to it: it is `held`. */
export async function runDue(options: RunDueOptions, report: DueReport = {}): Promise<readonly WorkResult[]> {
  const { ledger, settings, name, signal } = options
  const clock = options.clock ?? systemClock
  const lateBy = settings.lateBy ?? LATE_BY_MS
  const now = clock.now()
  const { aliveAt, changed } = await startHeartbeat(ledger, now)
  for (const one of changed) report.onNotice?.(one)
  const schedules = (await ledger.schedules.list()).filter((one) => name === undefined || one.name === name)
  for (const schedule of schedules) {
    const due = await claimDue(ledger, schedule, now, lateBy)
    if (due.missed.length > 0) report.onMissed?.(due)
    if (options.anyLate) await claimMissed(ledger, schedule, now)
  }
  const open = await unfinishedWork(ledger, {
    now,
    lateBy: options.anyLate ? Number.POSITIVE_INFINITY : lateBy,
    aliveAt,
  })
  for (const one of open.notices) report.onNotice?.(one)
  const results: WorkResult[] = []
  for (const work of open.work) {
    if (signal?.aborted) break
    if (name !== undefined && (work.kind === 'run' || work.occurrence.schedule !== name)) continue
    const result = await doWork(work, options, report)
    report.onEnd?.(work, result)
    results.push(result)
  }
  // Work that was left has said so to nobody.
  await giveNotices(settings, { clock })
  return results
}

async function doWork(work: Work, options: RunDueOptions, report: DueReport): Promise<WorkResult> {
  try {
    return await runWork(work, options, report.onWork?.(work) ?? {})
  } catch (error) {
    if (error instanceof MailmergeError) return { kind: 'failed', error }
    throw error
  }
}

/** One piece of work to its end. @throws MailmergeError only for what is wrong with the project itself. */
export async function runWork(
  work: Work,
  { ledger, settingsWith }: Pick<RunDueOptions, 'ledger' | 'settingsWith'>,
  hooks: MergeHooks,
): Promise<WorkResult> {
  if (work.kind === 'run') {
    try {
      // Asked once: where it cannot go on, the reason is reported and not tried for again.
      if (work.isAsked) await ledger.runs.request(work.run, undefined)
      const settings = await settingsWith({})
      const own = work.isAsked ? { ...settings, lateBy: Number.POSITIVE_INFINITY } : settings
      return workResultOf(await resumeMerge(own, { run: work.run, patience: PATIENCE_MS }, hooks))
    } catch (error) {
      if (error instanceof MailmergeError) return workErrorOf(error)
      throw error
    }
  }
  const options = await optionsFor(ledger, work.occurrence)
  const settings = await settingsWith(options === undefined ? {} : flagsOf(options))
  return runOccurrence(settings, options ?? NO_OPTIONS, work.occurrence, ledger, hooks)
}

/** Of a removed schedule only what is planned is resumed, and a plan needs no options. */
const NO_OPTIONS = { flags: {}, selection: {}, campaign: '', catchUp: 'skip' } as const

async function optionsFor(ledger: Ledger, { schedule }: Occurrence) {
  const found = (await ledger.schedules.list()).find(({ name }) => name === schedule)
  return found === undefined ? undefined : optionsOf(found)
}
