/**
 * When the last message of a run can be accepted under the limits that the sender set, and what is taken of them already. Owns
 * that estimate: of a server's own speed, and of what other runs will take meanwhile, it knows nothing.
 */
import type { RateLimit } from '../../config/settings.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { QuotaTaken } from '../../ledger/records.ts'
import { quotasOf } from '../delivery/throttle.ts'

/** A limit, and what is taken of it in the window that ends now. */
export interface TakenLimit extends RateLimit {
  readonly taken?: QuotaTaken
}

export interface Pace {
  /** The earliest moment at which the last message is accepted. */
  readonly lastAt: Date
  /** The limit that holds it back most. */
  readonly limit: TakenLimit
  /** Messages of each day that has some, by the clock of the zone: `2026-11-27`. */
  readonly days: readonly { readonly day: string; readonly messages: number }[]
}

/** Days that are counted one by one. */
const MOST_DAYS = 370

/** Undefined without limits, or with nothing to send: nothing holds it back. */
export function paceOf(
  messages: number,
  limits: readonly TakenLimit[],
  start: Date,
  timeZone: string | undefined,
): Pace | undefined {
  const longFirst = [...limits].sort((one, other) => other.seconds - one.seconds)
  const [limit] = [...limits].sort((one, other) => secondsTo(messages, [other]) - secondsTo(messages, [one]))
  if (limit === undefined || messages === 0) return undefined
  const at = (message: number): Date => new Date(start.getTime() + secondsTo(message, longFirst) * 1000)
  const day = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeZone })
  const days: { day: string; messages: number }[] = []
  for (let sent = 0; sent < messages && days.length < MOST_DAYS; ) {
    const name = day.format(at(sent + 1))
    const last = lastWithin(sent + 1, messages, (message) => day.format(at(message)) === name)
    days.push({ day: name, messages: last - sent })
    sent = last
  }
  return { lastAt: at(messages), limit, days }
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
