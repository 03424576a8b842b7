/**
 * Runs the schedules of a ledger for as long as it lives: claims what is due, starts a process for each piece of work,
 * resumes what was left, and does its periodic jobs. Owns when things are tried again; what is due is decided in
 * `schedule/`, and everything that must outlive a kill is in the ledger.
 */
import type { Clock } from '../campaign/clock.ts'
import { LATE_BY_MS } from '../campaign/run/start-time.ts'
import type { Settings } from '../config/settings.ts'
import { MailmergeError, OutputError } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { claimDue } from '../schedule/due.ts'
import { recordHeartbeat, startHeartbeat } from '../schedule/heartbeat.ts'
import { unfinishedWork, type Work, workKey } from '../schedule/unfinished.ts'
import type { FromJob, JobResult } from './job-messages.ts'

/** Something done again and again, such as reading bounces. */
export interface PeriodicJob {
  readonly name: string
  /** Milliseconds from the end of one time to the beginning of the next. */
  readonly every: number
  run(signal: AbortSignal): Promise<void>
}

/** A line of the log: what happened, and its facts by name. */
export type Log = (
  level: 'info' | 'warning' | 'error',
  event: string,
  facts?: Readonly<Record<string, unknown>>,
) => void

/** Work that a process of its own is doing. */
export interface JobHandle {
  readonly ended: Promise<JobResult>
  stop(): void
  abort(): void
}

export interface ServeOptions {
  readonly settings: Settings
  readonly ledger: Ledger
  readonly clock: Clock
  readonly log: Log
  start(work: Work, onMessage: (message: FromJob) => void): JobHandle
  /** Called after each scan of the schedules: the process is doing its work. */
  readonly scanned?: () => void
  readonly jobs?: readonly PeriodicJob[]
  /** First request to stop: finish what is in flight. */
  readonly signal: AbortSignal
  /** Second request: at once. */
  readonly abort: AbortSignal
}

/** Between two scans of schedules and start times. */
const SCAN_MS = 500
const ALIVE_MS = 30_000
/** Runs at a time; the others wait in the ledger. */
const MOST_RUNS = 4
/** Gaps until a piece of work is tried again: grow from the first to the last. */
const FIRST_GAP_MS = 15_000
const LAST_GAP_MS = 15 * 60_000
/** Work that another process holds is tried again after this. */
const HELD_GAP_MS = 5_000

/** Serves until the signal, and resolves when all work has ended. @throws OutputError when the ledger fails. */
export async function serve(options: ServeOptions): Promise<void> {
  const { ledger, clock, log, signal } = options
  const { aliveAt, changed } = await startHeartbeat(ledger, clock.now())
  for (const notice of changed) log('warning', 'changed', { ...notice })
  const supervisor = new Supervisor(options, aliveAt)
  const jobs: readonly PeriodicJob[] = [
    { name: 'schedules', every: SCAN_MS, run: () => supervisor.scan() },
    {
      name: 'alive',
      every: ALIVE_MS,
      run: async () => {
        await recordHeartbeat(ledger, clock.now())
      },
    },
    ...(options.jobs ?? []),
  ]
  const broken = new AbortController()
  const over = AbortSignal.any([signal, broken.signal])
  const results = await Promise.allSettled(jobs.map((job) => repeat(job, over, log, (error) => broken.abort(error))))
  await supervisor.end()
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

/** A job that fails is tried again at its next time; a ledger that fails ends everything. */
async function repeat(job: PeriodicJob, signal: AbortSignal, log: Log, onBroken: (error: unknown) => void) {
  while (!signal.aborted) {
    try {
      await job.run(signal)
    } catch (error) {
      if (!(error instanceof MailmergeError) || error instanceof OutputError) {
        onBroken(error)
        throw error
      }
      log('warning', 'job failed', { job: job.name, reason: error.message, hint: error.hint })
    }
    await pause(job.every, signal)
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, milliseconds)
    signal.addEventListener('abort', end, { once: true })
  })
}

interface Rest {
  readonly failures: number
  /** By the monotonic clock. */
  readonly until: number
}

class Supervisor {
  readonly #options: ServeOptions
  readonly #working = new Map<string, JobHandle>()
  readonly #resting = new Map<string, Rest>()
  /** Of the life before this one; then of this one. */
  #aliveAt: Date | undefined
  #stopping = false

  constructor(options: ServeOptions, aliveAt: Date | undefined) {
    this.#options = options
    this.#aliveAt = aliveAt
    const stop = (): void => {
      this.#stopping = true
      for (const working of this.#working.values()) working.stop()
    }
    if (options.signal.aborted) stop()
    else options.signal.addEventListener('abort', stop, { once: true })
    options.abort.addEventListener('abort', () => {
      for (const working of this.#working.values()) working.abort()
    })
  }

  /** One scan: claims what is due and starts what is open. */
  async scan(): Promise<void> {
    const { ledger, clock, settings, log } = this.#options
    const lateBy = settings.lateBy ?? LATE_BY_MS
    const now = clock.now()
    for (const schedule of await ledger.schedules.list()) {
      const { claimed, missed, unlisted } = await claimDue(ledger, schedule, now, lateBy)
      for (const { wall, campaign } of claimed) log('info', 'due', { schedule: schedule.name, wall, campaign })
      for (const { occurrence, reason } of missed) {
        const hint = `mailmerge schedule run-due ${schedule.name} --late ok sends the last one`
        log('warning', 'missed', { schedule: schedule.name, wall: occurrence.wall, reason, hint })
      }
      if (unlisted !== undefined) log('warning', 'missed before those', { ...unlisted })
    }
    const open = await unfinishedWork(ledger, {
      now,
      lateBy,
      aliveAt: this.#aliveAt,
      isRunning: (key) => this.#working.has(key),
    })
    for (const { what, hint } of open.notices) log('warning', 'late', { what, hint })
    this.#aliveAt = now
    this.#options.scanned?.()
    const keys = new Set(open.work.map(workKey))
    for (const key of this.#resting.keys()) if (!keys.has(key)) this.#resting.delete(key)
    for (const work of open.work) await this.#start(work)
  }

  /** Resolves when the work under way has ended. */
  async end(): Promise<void> {
    this.#stopping = true
    for (const working of this.#working.values()) working.stop()
    await Promise.all([...this.#working.values()].map(({ ended }) => ended))
  }

  async #start(work: Work): Promise<void> {
    const { ledger, log, clock } = this.#options
    const key = workKey(work)
    if (this.#stopping || this.#working.has(key) || this.#working.size >= MOST_RUNS) return
    if (work.isAsked) this.#resting.delete(key)
    else if ((this.#resting.get(key)?.until ?? 0) > clock.monotonic()) return
    const facts =
      work.kind === 'run'
        ? { run: work.run, campaign: work.campaign }
        : { schedule: work.occurrence.schedule, wall: work.occurrence.wall, campaign: work.occurrence.campaign }
    const working = this.#options.start(work, (message) => {
      if (message.kind === 'planned') {
        log('info', 'planned', { ...facts, run: message.run, rows: message.rows, to_send: message.toSend })
      } else if (message.kind === 'note') log('info', 'note', { ...facts, text: message.text })
      else if (message.kind === 'paused') {
        log('info', 'paused', { ...facts, reason: message.reason, until: message.until ?? null })
      }
    })
    this.#working.set(key, working)
    void working.ended.then((end) => {
      this.#working.delete(key)
      this.#ended(key, facts, end)
    })
    // Asked once: where it cannot go on, it is tried again like any other.
    const run = work.kind === 'run' ? work.run : work.occurrence.run
    if (work.isAsked && run !== undefined) await ledger.runs.request(run, undefined)
  }

  #ended(key: string, facts: Readonly<Record<string, unknown>>, end: JobResult): void {
    const { log, clock } = this.#options
    const held = end.kind === 'held'
    const waiting = end.kind === 'waiting'
    const open = end.kind !== 'done'
    if (open && !waiting) {
      const failures = held ? 0 : (this.#resting.get(key)?.failures ?? 0) + 1
      const gap = held ? HELD_GAP_MS : Math.min(LAST_GAP_MS, FIRST_GAP_MS * 2 ** (failures - 1))
      this.#resting.set(key, { failures, until: clock.monotonic() + gap })
    }
    if (held && !this.#stopping) return
    const { failed = 0, in_doubt: inDoubt = 0 } = end.counts ?? {}
    const isFine = waiting || (!open && failed === 0 && inDoubt === 0)
    const level = end.error !== undefined ? 'error' : isFine ? 'info' : 'warning'
    log(level, waiting ? 'waiting' : open ? 'not finished' : 'finished', {
      ...facts,
      run: end.run,
      ...end.counts,
      exit_code: end.exitCode,
      stopped: end.stopped,
      ...(end.error === undefined
        ? {}
        : { reason: end.error.message, hint: end.error.hint ?? null, problems: end.error.problems }),
    })
  }
}
