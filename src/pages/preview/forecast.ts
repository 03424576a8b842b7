/**
 * What a run would do, before it is started: who gets it, who does not and why, until when, how large. Owns putting together
 * what the plan and the settings say; counts nothing by itself.
 */

import { lastOf, quotaNameOf } from '../../campaign/accounts/forecast.ts'
import { type Pace, paceOf, type TakenLimit, takenLimits } from '../../campaign/plan/pace.ts'
import { type SendingPlan, sendingPlanOf } from '../../campaign/plan/sending-plan.ts'
import { withSize } from '../../campaign/plan/sizes.ts'
import { openLedger } from '../../campaign/run/open-ledger.ts'
import { GMAIL_CLIP } from '../../check/lints/message-lints.ts'
import type { Settings } from '../../config/settings.ts'
import { MailmergeError } from '../../errors.ts'
import { given } from '../../given.ts'
import type { Message } from '../../message/message.ts'
import { readMessage } from '../message/read.ts'
import type { ForecastView, LeftOutWhy, PaceView, SizesView } from '../wire.ts'
import type { PlannedList, Project } from './project.ts'

/** In the order in which people read them. */
const ORDER: readonly LeftOutWhy[] = [
  'sent-before',
  'suppressed',
  'hidden',
  'duplicate',
  'unselected',
  'follow-up',
  'bad',
  'other',
]
/** Messages that are made to know their size, and milliseconds that this may take. */
const MEASURED = 3_000
const MEASURING_MS = 4_000

/** What holds the messages of a project back. */
export interface LimitsNow {
  readonly limits: readonly TakenLimit[]
  readonly plan: SendingPlan | undefined
}

export interface ForecastOptions extends LimitsNow {
  readonly server: string
  readonly command: string
  readonly now: Date
  readonly sizes: SizesView | undefined
}

/** The limits of a project, and what other runs have taken of them by now. */
export async function limitsNow(settings: Settings, now: Date): Promise<LimitsNow> {
  const { delivery, timeZone } = settings
  const { rates, rampUp } = delivery
  const isCounted = rates.length > 0 || rampUp !== undefined
  const ledger = isCounted ? await openLedger(settings, { existing: true }) : undefined
  const account = quotaNameOf(settings, serverName(settings))
  try {
    return {
      limits: ledger === undefined ? rates : await takenLimits(ledger, rates, account, { now, start: now }),
      plan: await sendingPlanOf(ledger?.quotas, delivery, account, { start: now, timeZone }),
    }
  } finally {
    await ledger?.close()
  }
}

function serverName({ transport }: Settings): string {
  return typeof transport === 'string' ? transport : ''
}

export function forecastOf(
  { settings }: Project,
  { counts, skipped, suppressed, accounts }: PlannedList,
  { server, command, now, sizes, limits, plan }: ForecastOptions,
): ForecastView {
  const of = (kind: LeftOutWhy): number => skipped.get(kind) ?? 0
  const duplicates = settings.duplicates === 'error' ? of('duplicate') : 0
  const leftOut = ORDER.filter((kind) => of(kind) > 0).map((why) => ({
    why,
    rows: of(why),
    detail: why === 'suppressed' ? suppressedWords(suppressed) : undefined,
  }))
  const messages = settings.groupBy === undefined ? undefined : counts.messages.deferred
  const pace =
    accounts === undefined
      ? paceOf(messages ?? counts.deferred, limits, now, settings.timeZone, plan)
      : lastOf(accounts)
  return {
    rows: counts.rows,
    toSend: counts.deferred,
    messages,
    stopping: of('bad') + duplicates,
    leftOut,
    sizes,
    pace: pace && paceView(pace),
    accounts: accounts?.map(({ account, messages: own }) => ({ account, messages: own })),
    connections: settings.delivery.concurrency,
    server,
    command,
  }
}

function paceView({ lastAt, days, limit: most, plan }: Pace): PaceView {
  const held = most === undefined ? undefined : { count: most.count, seconds: most.seconds, ...given({ of: most.of }) }
  return { lastAt: lastAt.toISOString(), limit: held, days, taken: most?.taken?.count, plan }
}

const REASONS: Readonly<Record<string, string>> = {
  unsubscribed: 'unsubscribed',
  hard_bounce: 'bounced for good',
  soft_bounces: 'bounced again and again',
  complaint: 'complained',
  manual: 'added by hand',
  imported: 'imported',
}

/** `31 unsubscribed, 5 bounced for good` */
function suppressedWords(suppressed: ReadonlyMap<string, number>): string {
  const sorted = [...suppressed].sort(([, one], [, other]) => other - one)
  return sorted.map(([reason, rows]) => `${rows.toLocaleString('en-US')} ${REASONS[reason] ?? reason}`).join(', ')
}

/** Makes the messages of rows all over the list, and gives the smallest and the largest of them. */
export async function measure(project: Project, signal: AbortSignal): Promise<SizesView | undefined> {
  const { rows } = project
  const numbers = rows.spread(MEASURED)
  const until = performance.now() + MEASURING_MS
  let sizes: SizesView | undefined
  for (const number of numbers) {
    if (signal.aborted || performance.now() > until) break
    const row = await rows.row(number)
    if (row === undefined || row.problems !== undefined) continue
    try {
      const { message } = await project.message(row)
      const clipped = (sizes?.clipped ?? 0) + ((await isClipped(message)) ? 1 : 0)
      sizes = { ...withSize(sizes, number, message.size), clipped }
    } catch (error) {
      if (!(error instanceof MailmergeError)) throw error
    }
  }
  return sizes
}

/** Whether Gmail hides the end of its HTML; a message that is not that large as a whole need not be read. */
async function isClipped({ size, chunks }: Message): Promise<boolean> {
  if (size <= GMAIL_CLIP) return false
  const { html } = await readMessage(Buffer.concat(chunks))
  return html !== undefined && Buffer.byteLength(html) > GMAIL_CLIP
}
