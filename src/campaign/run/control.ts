/**
 * What a person asks of a run from outside: hold it, end it, decide about its rows in doubt; also while another process delivers
 * it, which finds the request in the ledger. Owns who asks and who obeys; the delivery only sees a signal to stop.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Settings } from '../../config/settings.ts'
import { HeldError, UsageError } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { ownerOfThisProcess } from '../../ledger/owner.ts'
import type { Campaign, RunRecord, RunRequest } from '../../ledger/records.ts'
import { parseRowRanges } from '../plan/select.ts'
import { findRun } from './find-run.ts'
import { openLedger } from './open-ledger.ts'

/** Between two looks of the one who asked. */
const POLL_MS = 100
/** A delivery that was asked to stop has its grace for the messages in flight, and this long to write its results. */
const RESULTS_MS = 30_000
/** Open runs that are named where one of them is meant. */
const NAMED = 5

export interface RunControlResult {
  readonly run: string
  /** `asked`: the process that delivers the run has not stopped yet; it will. */
  readonly state: 'paused' | 'cancelled' | 'asked'
}

/**
 * Holds a run until `resumeMerge` goes on with it; schedules and `runMerge` leave it alone. A process that delivers it finishes
 * what is in flight and stops. Without an id it is the one unfinished run.
 * @param signal ends the wait for that process.
 * @throws UsageError for a run that has ended, and for no id where several are open.
 */
export function pauseMerge(settings: Settings, runId?: string, signal?: AbortSignal): Promise<RunControlResult> {
  return withOpenRun(settings, runId, 'pause', async (ledger, run) => {
    await ledger.runs.request(run.id, 'pause')
    if (!(await isLeft(ledger, run.campaign, settings, signal))) return { run: run.id, state: 'asked' }
    refuseEnded((await ledger.runs.find(run.id)) ?? run)
    return { run: run.id, state: 'paused' }
  })
}

/**
 * Ends a run for good: what was not sent stays unsent. A process that delivers it finishes what is in flight and stops.
 * Without an id it is the one unfinished run.
 * @param signal ends the wait for that process.
 * @throws UsageError for a run that has ended, and for no id where several are open.
 */
export function cancelMerge(settings: Settings, runId?: string, signal?: AbortSignal): Promise<RunControlResult> {
  return withOpenRun(settings, runId, 'cancel', async (ledger, run) => {
    if (await ledger.campaigns.isClaimed(run.campaign)) {
      await ledger.runs.request(run.id, 'cancel')
      if (!(await isLeft(ledger, run.campaign, settings, signal))) return { run: run.id, state: 'asked' }
    }
    const claim = await ledger.campaigns.claim(run.campaign, ownerOfThisProcess())
    try {
      const left = (await ledger.runs.find(run.id)) ?? run
      if (left.state !== 'cancelled') {
        refuseEnded(left)
        await ledger.runs.end(run.id, 'cancelled', new Date())
      }
      return { run: run.id, state: 'cancelled' }
    } finally {
      await claim.release()
    }
  })
}

/**
 * Records a decision on rows in doubt of a run that another process delivers now; that process sends what is to be sent again.
 * Gives their number; undefined, with nothing changed, where no process is at it: `resumeMerge` then decides and delivers.
 */
export async function decideWhileAtWork(
  settings: Settings,
  {
    run: runId,
    inDoubt,
    rows,
  }: { readonly run?: string | undefined; readonly inDoubt: 'resend' | 'keep'; readonly rows?: string | undefined },
): Promise<{ readonly run: string; readonly decided: number } | undefined> {
  const ledger = await openLedger(settings, { existing: true })
  if (ledger === undefined) return undefined
  try {
    const run = await ledger.runs.find(runId)
    if (run === undefined || !(await ledger.campaigns.isClaimed(run.campaign))) return undefined
    const ranges = rows === undefined ? undefined : parseRowRanges(rows)
    return {
      run: run.id,
      decided: await ledger.deliveries.resolveInDoubt(run.id, inDoubt, { at: new Date(), rows: ranges }),
    }
  } finally {
    await ledger.close()
  }
}

/** @throws HeldError where a person holds the unfinished run of the campaign: a new one would go on with it. */
export async function refusePaused(ledger: Ledger, campaign: Campaign): Promise<void> {
  const held = (await ledger.runs.list()).find(
    (run) => run.campaign.id === campaign.id && run.state === 'ready' && run.requested === 'pause',
  )
  if (held === undefined) return
  throw new HeldError(`the run ${held.id} of ${campaign.name} is paused`, {
    hint: `Continue it with mailmerge resume ${held.id}, or end it with mailmerge cancel ${held.id} and give the command again.`,
  })
}

async function withOpenRun(
  settings: Settings,
  runId: string | undefined,
  request: RunRequest,
  act: (ledger: Ledger, run: RunRecord) => Promise<RunControlResult>,
): Promise<RunControlResult> {
  const ledger = await openLedger(settings)
  try {
    const run = await theOpenOne(ledger, runId, request)
    refuseEnded(run)
    return await act(ledger, run)
  } finally {
    await ledger.close()
  }
}

/** @throws UsageError also for a run that ended by itself while it was asked to stop. */
function refuseEnded({ id, state }: RunRecord): void {
  if (state === 'ready') return
  throw new UsageError(`the run ${id} is ${state} already`, { hint: 'mailmerge status lists the runs.' })
}

/** The run of that id, or the one that is unfinished. @throws UsageError where that could be one of several. */
async function theOpenOne(ledger: Ledger, id: string | undefined, request: RunRequest): Promise<RunRecord> {
  const open = id === undefined ? (await ledger.runs.list()).filter(({ state }) => state === 'ready') : []
  if (open.length < 2) return open[0] ?? findRun(ledger, id)
  const shown = open.slice(0, NAMED).map((run) => `${run.id} (${run.campaign.name})`)
  const rest = open.length > NAMED ? ' or another; mailmerge status lists them' : ''
  throw new UsageError(`${open.length} runs are unfinished: say which one to ${request}`, {
    hint: `mailmerge ${request} RUN, with one of ${shown.join(', ')}${rest}.`,
  })
}

/** Waits until no process is at the campaign; false when the signal or the end of patience came first. */
async function isLeft(
  ledger: Ledger,
  campaign: Campaign,
  { delivery }: Settings,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const until = performance.now() + delivery.grace + RESULTS_MS
  while (await ledger.campaigns.isClaimed(campaign)) {
    if (signal?.aborted || performance.now() > until) return false
    await sleep(POLL_MS, undefined, signal === undefined ? {} : { signal }).catch(() => {})
  }
  return true
}
