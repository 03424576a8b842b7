/**
 * Notices of runs to people who do not watch. Owns that each is given once as far as that can be known, within a bounded time,
 * and that nothing about them holds up a run or changes how it ends.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Settings } from '../../config/settings.ts'
import { HeldError, MailmergeError, UnreachableError } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { NoticeWay, TakenNotice } from '../../ledger/records.ts'
import {
  type NoticeFacts,
  noticeOfAbandoned,
  noticeOfEnd,
  noticeOfFailure,
  type RunEnd,
  storedNotice,
  testNotice,
} from '../../report/notice.ts'
import { systemClock } from '../clock.ts'
import type { SummaryEvent } from '../events.ts'
import type { MergeHooks } from '../merge.ts'
import { openLedger } from '../run/open-ledger.ts'
import { mail, type Notice, post, type Try } from './ways.ts'

/** Milliseconds: one try, the gaps between tries, and all of it. */
const TRY_MS = 5_000
const GAPS_MS = [1_000, 4_000]
const ALL_MS = 15_000
/** Nobody else takes up a notice meanwhile. */
const LEASE_MS = 60_000
const MOST = 20

type Hooks = Pick<MergeHooks, 'note' | 'abort' | 'clock' | 'onEvent' | 'signal'>

/** Work that nobody watches, so that there is a notice too when it cannot begin. */
export interface Unattended {
  /** An occurrence of a schedule, or the run that is resumed. */
  readonly subject: string
  /** Of the occurrence. */
  readonly campaign: string | undefined
}

/** Does `work`, and gives the notices of it once it is over. What it gives or throws stays as it is. */
export async function withNotices<H extends Hooks>(
  settings: Settings,
  hooks: H,
  unattended: Unattended | undefined,
  work: (hooks: H) => Promise<SummaryEvent>,
): Promise<SummaryEvent> {
  if (settings.notify === undefined) return work(hooks)
  let summarized = false
  const onEvent: Hooks['onEvent'] = (event) => {
    if (event.event === 'summary') summarized = true
    hooks.onEvent?.(event)
  }
  let failure: MailmergeError | undefined
  try {
    return await work({ ...hooks, onEvent })
  } catch (error) {
    const isNews = error instanceof MailmergeError && !(error instanceof HeldError)
    if (isNews && !summarized && hooks.signal?.aborted !== true) failure = error
    throw error
  } finally {
    await giveNotices(settings, hooks, unattended && failure && { ...unattended, error: failure })
  }
}

/** The end of a run into the ledger, to be given later. */
export async function recordEnd(ledger: Ledger, { notify }: Settings, end: RunEnd): Promise<void> {
  if (notify === undefined) return
  await record(ledger, notify.when, end.run, noticeOfEnd(end))
}

async function record(
  ledger: Ledger,
  when: readonly string[],
  subject: string,
  facts: NoticeFacts | undefined,
): Promise<void> {
  const isWanted = facts !== undefined && when.includes(facts.kind)
  await ledger.notices.record(subject, isWanted ? storedNotice(facts) : undefined)
}

/**
 * Gives what is to be given, also what a process left that is gone. Never rejects: what goes wrong is a note.
 * @param failed Work that ended before it began.
 */
export async function giveNotices(
  settings: Settings,
  hooks: Pick<Hooks, 'note' | 'abort' | 'clock'>,
  failed?: Unattended & { readonly error: MailmergeError },
): Promise<void> {
  if (settings.notify === undefined) return
  const clock = hooks.clock ?? systemClock
  try {
    const ledger = await openLedger(settings, { existing: true })
    if (ledger === undefined) return
    try {
      if (failed !== undefined) {
        const { subject, error } = failed
        const run = await ledger.runs.find(subject)
        const campaign = run?.campaign.name ?? failed.campaign ?? ''
        await ledger.notices.expect(subject)
        const facts = noticeOfFailure({ at: clock.now(), run: run?.id, campaign, error })
        await record(ledger, settings.notify.when, subject, facts)
      }
      await recordAbandoned(ledger, settings.notify.when, clock.now())
      const now = clock.now()
      const taken = await ledger.notices.take(now, new Date(now.getTime() + LEASE_MS), MOST)
      await Promise.all(taken.map((one) => giveOne(one, settings, ledger, hooks)))
    } finally {
      await ledger.close()
    }
  } catch (error) {
    hooks.note?.(`notices cannot be given: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Records the end of runs whose process ended before it could record it. */
async function recordAbandoned(ledger: Ledger, when: readonly string[], at: Date): Promise<void> {
  for (const subject of await ledger.notices.owed()) {
    const run = await ledger.runs.find(subject)
    if (run === undefined) await ledger.notices.record(subject, undefined)
    else if (!(await ledger.campaigns.isClaimed(run.campaign))) {
      const counts = await ledger.results.counts(run.id)
      const copies = await ledger.carbonCopies.counts(run.id)
      const isDone = counts.deferred + counts.in_doubt + copies.deferred === 0
      const end = { run: run.id, campaign: run.campaign.name, at, counts, copiesDeferred: copies.deferred, isDone }
      await record(ledger, when, subject, noticeOfAbandoned(end))
    }
  }
}

async function giveOne(
  taken: TakenNotice,
  settings: Settings,
  { notices }: Ledger,
  { note, abort, clock = systemClock }: Pick<Hooks, 'note' | 'abort' | 'clock'>,
): Promise<void> {
  const notice: Notice = {
    id: `${taken.subject} ${taken.number}`,
    facts: JSON.parse(taken.facts) as NoticeFacts,
  }
  await Promise.all(
    waysOf(settings).map(async ({ way, name, once }) => {
      if (taken.given.includes(way)) return
      const result = await inTime((signal) => once(notice, clock.now(), signal), abort)
      if (result.kind === 'given') await notices.given(taken, way)
      else note?.(`the notice to ${name} was not given: ${result.why}`)
    }),
  )
  // Where a person broke it off, the next command gives it.
  if (abort?.aborted !== true) await notices.close(taken)
}

interface Way {
  readonly way: NoticeWay
  /** For people; a path may hold a secret. */
  readonly name: string
  once(notice: Notice, now: Date, signal: AbortSignal): Promise<Try>
}

function waysOf(settings: Settings): readonly Way[] {
  const { mail: mailing, webhook } = settings.notify ?? {}
  const ways: Way[] = []
  if (mailing !== undefined) {
    const once: Way['once'] = (notice, now, signal) => mail(settings, mailing, notice, now, signal)
    ways.push({ way: 'mail', name: mailing.to.join(', '), once })
  }
  if (webhook !== undefined) {
    const once: Way['once'] = (notice, now, signal) => post(webhook, notice, now, signal)
    ways.push({ way: 'webhook', name: new URL(webhook.url).origin, once })
  }
  return ways
}

/** A few tries within the time. */
async function inTime(once: (signal: AbortSignal) => Promise<Try>, abort: AbortSignal | undefined): Promise<Try> {
  const over = AbortSignal.any([AbortSignal.timeout(ALL_MS), ...(abort === undefined ? [] : [abort])])
  for (let tries = 0; ; tries++) {
    const result = await once(AbortSignal.any([over, AbortSignal.timeout(TRY_MS)]))
    const gap = GAPS_MS[tries]
    if (result.kind !== 'again' || gap === undefined || over.aborted) return result
    await sleep(gap, undefined, { signal: over }).catch(() => {})
    if (over.aborted) return result
  }
}

/** Where notices go, for people. */
export function noticeTargets(settings: Settings): readonly string[] {
  return waysOf(settings).map(({ way, name }) => `${way} ${name}`)
}

/** Gives a test notice each way. @throws UnreachableError that says which way does not work, and why. */
export async function giveTestNotice(settings: Settings): Promise<void> {
  const now = systemClock.now()
  const notice = { id: `test ${now.toISOString()}`, facts: testNotice(now, settings.campaign ?? 'test') }
  const results = await Promise.all(
    waysOf(settings).map(async ({ name, once }) => ({
      name,
      result: await inTime((signal) => once(notice, now, signal), undefined),
    })),
  )
  const failed = results.flatMap(({ name, result }) => (result.kind === 'given' ? [] : [`${name}: ${result.why}`]))
  if (failed.length > 0) throw new UnreachableError(`the test notice was not given to ${failed.join('; ')}`)
}
