/**
 * When the last message of a run can be accepted under the limits that the sender set, and what is taken of them already. Owns
 * that estimate: of a server's own speed, and of what other runs will take meanwhile, it knows nothing.
 */
import type { RateLimit } from '../../config/settings.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { QuotaTaken } from '../../ledger/records.ts'
import { quotasOf } from '../delivery/throttle.ts'
import { planWords, type SendingPlan, Stretches } from './sending-plan.ts'

/** A limit, and what is taken of it in the window that ends now. */
export interface TakenLimit extends RateLimit {
  readonly taken?: QuotaTaken
}

export interface Pace {
  /** The earliest moment at which the last message is accepted. */
  readonly lastAt: Date
  /** The limit that holds it back most; undefined where none is set. */
  readonly limit: TakenLimit | undefined
  /** Messages of each day that has some, by the clock of the zone: `2026-11-27`. */
  readonly days: readonly { readonly day: string; readonly messages: number }[]
  /** Sending hours, pause and rising limit that were counted in, as they are written. */
  readonly plan: string | undefined
}

/** Days that are counted one by one. */
const MOST_DAYS = 370

/** Stretches of time that are laid out one by one: beyond them, when the last message goes is only known not to be sooner. */
const MOST_STRETCHES = 2_000

/** Messages that go in one stretch, by the limits as they are taken when it begins. */
interface Part {
  readonly from: Date
  readonly messages: number
  readonly limits: readonly TakenLimit[]
}

/** Undefined without limits, or with nothing to send: nothing holds it back. */
export function paceOf(
  messages: number,
  limits: readonly TakenLimit[],
  start: Date,
  timeZone: string | undefined,
  plan?: SendingPlan,
): Pace | undefined {
  const [limit] = [...limits].sort((one, other) => secondsTo(messages, [other]) - secondsTo(messages, [one]))
  if ((limit === undefined && plan === undefined) || messages === 0) return undefined
  const parts = partsOf(messages, limits, start, plan)
  const day = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeZone })
  const days: { day: string; messages: number }[] = []
  for (const part of parts) {
    const name = (message: number): string => day.format(momentIn(part, message))
    for (let sent = 0; sent < part.messages && days.length < MOST_DAYS; ) {
      const own = name(sent + 1)
      const last = lastWithin(sent + 1, part.messages, (message) => name(message) === own)
      const same = days.at(-1)?.day === own ? days.pop() : undefined
      days.push({ day: own, messages: (same?.messages ?? 0) + last - sent })
      sent = last
    }
  }
  const last = parts.findLast((part) => part.messages > 0)
  const lastAt = last === undefined ? start : momentIn(last, last.messages)
  return { lastAt, limit, days, plan: plan && planWords(plan) }
}

function momentIn({ from, limits }: Part, message: number): Date {
  return new Date(from.getTime() + secondsTo(message, limits) * 1000)
}

/** Without sending hours and a rising limit all go in one stretch. */
function partsOf(
  messages: number,
  limits: readonly TakenLimit[],
  start: Date,
  plan: SendingPlan | undefined,
): readonly Part[] {
  const all = plan?.pause === undefined ? limits : [...limits, { count: 1, seconds: plan.pause / 1000 }]
  const longFirst = [...all].sort((one, other) => other.seconds - one.seconds)
  if (plan === undefined) return [{ from: start, messages, limits: longFirst }]
  const stretches = new Stretches(plan, start)
  const parts: Part[] = []
  for (let left = messages; left > 0 && parts.length < MOST_STRETCHES; ) {
    const stretch = stretches.next()
    if (stretch === undefined) break
    const { from, until, most } = stretch
    const own = longFirst.map((limit) => takenAt(limit, from, start, parts))
    const fits = Math.min(left, most)
    const goes = (message: number): boolean =>
      until === undefined || secondsTo(message, own) * 1000 < until.getTime() - from.getTime()
    const sent = fits > 0 && goes(1) ? lastWithin(1, fits, goes) : 0
    parts.push({ from, messages: sent, limits: own })
    stretches.pass(stretch, sent)
    left -= sent
    // Nothing comes behind a stretch without an end.
    if (until === undefined) break
  }
  return parts
}

/** The limit with what is taken of it at that moment: before the run, and by the stretches before. */
function takenAt(limit: TakenLimit, at: Date, start: Date, parts: readonly Part[]): TakenLimit {
  const { count, seconds, of, taken } = limit
  const age = (since: Date): number => (at.getTime() - since.getTime()) / 1000
  const before = taken === undefined ? undefined : { count: taken.count, age: taken.age + age(start) }
  const all = [before, ...parts.map((part) => ({ count: part.messages, age: age(part.from) }))].filter(
    (one) => one !== undefined && one.count > 0 && one.age < seconds,
  )
  const [oldest] = all
  const plain = of === undefined ? { count, seconds } : { count, seconds, of }
  if (oldest === undefined) return plain
  return { ...plain, taken: { count: all.reduce((sum, one) => sum + (one?.count ?? 0), 0), age: oldest.age } }
}

/**
 * Seconds until the message of that number may go: whole windows of the longest limit, and the rest under the others. The first
 * window began with the first message that is taken of it.
 */
function secondsTo(message: number, [limit, ...shorter]: readonly TakenLimit[]): number {
  if (limit === undefined) return 0
  const { count, seconds, taken } = limit
  const before = Math.min(taken?.count ?? 0, count)
  const windows = Math.floor((message - 1 + before) / count)
  if (windows === 0) return secondsTo(message, shorter)
  const rest = message + before - windows * count
  const wait = windows * seconds - (taken?.age ?? 0)
  return Math.max(secondsTo(message, shorter), wait + secondsTo(rest, shorter))
}

/** How many messages may go within that many seconds; none where a limit is zero. */
export function messagesWithin(limits: readonly TakenLimit[], seconds: number): number {
  const longFirst = [...limits].sort((one, other) => other.seconds - one.seconds)
  const goes = (message: number): boolean => secondsTo(message, longFirst) <= seconds
  if (limits.some(({ count }) => count < 1) || !goes(1)) return 0
  return lastWithin(1, MOST_MESSAGES, goes)
}

/** More than any list has. */
const MOST_MESSAGES = 1_000_000_000

/** The limits with what is still taken of their quotas when a run begins; `account` is whose they are. */
export async function takenLimits(
  { quotas }: Pick<Ledger, 'quotas'>,
  limits: readonly RateLimit[],
  account: string,
  { now, start }: { readonly now: Date; readonly start: Date },
): Promise<readonly TakenLimit[]> {
  const long = quotasOf(limits, account)
  const taken = await quotas.taken(long, now)
  const later = Math.max(0, start.getTime() - now.getTime()) / 1000
  return limits.map((limit) => {
    const own = taken[long.findIndex((quota) => isSame(quota, limit))]
    const age = (own?.age ?? 0) + later
    return own === undefined || own.count === 0 || age >= limit.seconds
      ? limit
      : { ...limit, taken: { count: own.count, age } }
  })
}

function isSame(one: RateLimit, other: RateLimit): boolean {
  return one.count === other.count && one.seconds === other.seconds && one.of === other.of
}

/** The last of these numbers for which it holds, as it does for the first. */
function lastWithin(first: number, last: number, holds: (message: number) => boolean): number {
  let [low, high] = [first, last]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (holds(middle)) low = middle
    else high = middle - 1
  }
  return low
}
