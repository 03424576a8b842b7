/**
 * When a planned run may begin. Owns waiting for that time by the clock on the wall, and the rule that what is found too
 * late is reported and not sent; never sends.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { UnfinishedError } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { hasRowStartTimes, type RunRecord } from '../../ledger/records.ts'
import type { Clock } from '../clock.ts'

/** How late a run may begin where the settings do not say it. */
export const LATE_BY_MS = 3_600_000

/** Between two looks at the clock: it may be set, and the machine may sleep meanwhile. */
const POLL_MS = 250

export interface StartOptions {
  readonly ledger: Ledger
  readonly clock: Clock
  /** Milliseconds; infinite when a person said that late is right. */
  readonly lateBy: number
  /** Milliseconds to wait for the start time at most; without it as long as it takes. */
  readonly patience?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly onWaiting?: ((until: Date) => void) | undefined
}

/** When a run begins that has a start time: its own, or that of the first row still to come. */
export async function startTimeOf(run: RunRecord, ledger: Ledger): Promise<Date | undefined> {
  return run.notBefore ?? (hasRowStartTimes(run) ? ledger.deliveries.nextDue(run.id) : undefined)
}

/**
 * Resolves when the run may begin, with undefined, or with the start time that it still waits for when the signal came first or
 * the patience is too short.
 * Once begun a run is not late any more; rows with start times of their own may be.
 * @throws UnfinishedError when it is later than `lateBy` after it.
 */
export async function awaitStart(run: RunRecord, options: StartOptions): Promise<Date | undefined> {
  const { ledger, clock } = options
  // A follow-up comes some time after the first message, and has no start time that it could be late for.
  const lateBy = run.options.after === undefined ? options.lateBy : Number.POSITIVE_INFINITY
  const startTime = await startTimeOf(run, ledger)
  if (startTime === undefined || (run.begunAt !== undefined && startTime === run.notBefore)) return undefined
  // Once begun, the delivery itself waits for the rows that are still to come.
  if (run.begunAt === undefined && (await waitUntil(startTime, options))) return startTime
  refuseLate(run, startTime, clock.now(), lateBy)
  await ledger.runs.begin(run.id, clock.now())
  return undefined
}

/** True when the signal came before the moment, or the moment is too far off. Follows the wall clock wherever it is set. */
async function waitUntil(moment: Date, { clock, patience, signal, onWaiting }: StartOptions): Promise<boolean> {
  let announced = false
  for (;;) {
    const left = moment.getTime() - clock.now().getTime()
    if (left <= 0) return false
    if (signal?.aborted || left > (patience ?? Number.POSITIVE_INFINITY)) return true
    if (!announced) onWaiting?.(moment)
    announced = true
    await sleep(Math.min(left, POLL_MS), undefined, signal === undefined ? {} : { signal }).catch(() => {})
  }
}

function refuseLate(run: RunRecord, startTime: Date, now: Date, lateBy: number): void {
  const late = now.getTime() - startTime.getTime()
  if (late <= lateBy) return
  throw new UnfinishedError(
    `the run ${run.id} was for ${startTime.toISOString()}, ${lateness(late)} ago: nothing was sent now`,
    {
      hint: `Send it all the same with mailmerge resume ${run.id} --late ok, or end it with mailmerge cancel ${run.id}.`,
    },
  )
}

/** `3 h 10 min`, from milliseconds. */
export function lateness(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / 60_000)
  if (minutes < 1) return `${Math.max(1, Math.round(milliseconds / 1000))} s`
  if (minutes < 60) return `${minutes} min`
  if (minutes < 2 * 24 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
  return `${Math.floor(minutes / 1440)} days`
}
