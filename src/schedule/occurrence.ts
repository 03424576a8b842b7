/**
 * One occurrence of a schedule, from its list to its end. Owns that it is planned once and resumed wherever it was left; the
 * merge is that of `campaign/run/start.ts`.
 */
import type { MergeEvent, SummaryEvent } from '../campaign/events.ts'
import type { MergeHooks } from '../campaign/merge.ts'
import { resumeMerge } from '../campaign/run/resume.ts'
import { runMerge } from '../campaign/run/start.ts'
import type { Settings } from '../config/settings.ts'
import { HeldError, InputError, MailmergeError, OutputError, UnfinishedError, UnreachableError } from '../errors.ts'
import { given } from '../given.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Occurrence } from '../ledger/schedules.ts'
import { waitsUntil } from '../report/reasons.ts'
import { campaignOf, occurrenceId, type ScheduleOptions } from './schedule.ts'

/** Errors that pass by themselves, or end a run that can be resumed: a list that is not there yet, a server that is away. */
const PASSING = [InputError, UnreachableError, OutputError, UnfinishedError] as const

/** Milliseconds that a piece of work waits in all for rows that are to be sent later; then it ends, and is resumed at their time. */
export const PATIENCE_MS = 10 * 60_000

/** How a piece of work ended: an occurrence of a schedule, or a run that was resumed. */
export type WorkResult =
  /** Nothing is left to send. */
  | { readonly kind: 'done'; readonly summary?: SummaryEvent; readonly error?: undefined }
  /** What is left is to be sent later: rows have times of their own, or are tried again then. */
  | { readonly kind: 'waiting'; readonly summary: SummaryEvent; readonly until: Date; readonly error?: undefined }
  /** To be resumed: rows are still to come, or something was in the way. */
  | { readonly kind: 'open'; readonly summary?: SummaryEvent; readonly error?: MailmergeError }
  /** Another process does it, or a person paused it. */
  | { readonly kind: 'held'; readonly error: MailmergeError; readonly summary?: undefined }
  /** A person must look. */
  | { readonly kind: 'failed'; readonly error: MailmergeError; readonly summary?: undefined }

/** How work ended that has a summary. */
export function workResultOf(summary: SummaryEvent): WorkResult {
  const until = waitsUntil(summary.stopped)
  if (until !== undefined) return { kind: 'waiting', summary, until }
  return { kind: summary.counts.deferred + summary.copies.deferred > 0 ? 'open' : 'done', summary }
}

/** How work ended that threw. */
export function workErrorOf(error: MailmergeError): Exclude<WorkResult, { kind: 'done' | 'waiting' }> {
  if (error instanceof HeldError) return { kind: 'held', error }
  return PASSING.some((kind) => error instanceof kind) ? { kind: 'open', error } : { kind: 'failed', error }
}

/**
 * Plans and delivers an occurrence that was claimed, or resumes it. Whether it is late was decided when it was claimed. The
 * result is in the ledger when this resolves.
 */
export async function runOccurrence(
  settings: Settings,
  options: ScheduleOptions,
  occurrence: Occurrence,
  ledger: Ledger,
  hooks: MergeHooks = {},
): Promise<WorkResult> {
  const clock = hooks.clock ?? { now: () => new Date() }
  const id = occurrenceId(occurrence)
  const planned = async (run: string): Promise<void> => {
    await ledger.schedules.update(occurrence, { state: 'planned', run }, clock.now())
  }
  // Where all occurrences are one campaign, the newest run of it may be that of a later one.
  const own = (await ledger.runs.list()).find(({ state, options }) => options.occurrence === id && state !== 'planning')
  if (own !== undefined && own.state !== 'ready') {
    await ledger.schedules.update(occurrence, { state: 'done', run: own.id }, clock.now())
    return { kind: 'done' }
  }
  const { after } = requestOf(options, occurrence, id)
  if (own === undefined && after !== undefined && (await ledger.campaigns.find(after.campaign)) === undefined) {
    const reason = `nothing was sent yet in the campaign '${after.campaign}', so there is nothing to follow`
    hooks.note?.(reason)
    await ledger.schedules.update(occurrence, { state: 'done', reason }, clock.now())
    return { kind: 'done' }
  }
  // The run is known to the schedule as soon as it is planned, not only when it ends.
  let recorded: Promise<void> | undefined
  const onEvent = (event: MergeEvent): void => {
    if (event.event === 'planned') {
      recorded = planned(event.run)
      recorded.catch(() => {})
    }
    hooks.onEvent?.(event)
  }
  const anyHour = { ...settings, lateBy: Number.POSITIVE_INFINITY }
  try {
    const summary =
      own === undefined
        ? await runMerge(anyHour, requestOf(options, occurrence, id), { ...hooks, onEvent })
        : await resumeMerge(anyHour, { run: own.id, patience: PATIENCE_MS }, { ...hooks, onEvent })
    await recorded
    const result = workResultOf(summary)
    if (result.kind === 'done') {
      await ledger.schedules.update(occurrence, { state: 'done', run: summary.run }, clock.now())
    }
    return result
  } catch (error) {
    if (!(error instanceof MailmergeError)) throw error
    const result = workErrorOf(error)
    if (result.kind !== 'failed') return result
    if (hooks.signal?.aborted) return { kind: 'open', error }
    await ledger.schedules.update(occurrence, { state: 'failed', reason: error.message }, clock.now())
    return result
  }
}

function requestOf(
  { selection, after }: ScheduleOptions,
  { campaign, at, schedule, wall }: Occurrence,
  occurrence: string,
) {
  const { skipBad = false, ...rows } = selection
  return {
    mode: 'send',
    campaign,
    at,
    occurrence,
    group: schedule,
    patience: PATIENCE_MS,
    skipBad,
    ...given({ ...rows, after: after && { campaign: campaignOf(after.campaign, schedule, wall), wait: after.wait } }),
  } as const
}
