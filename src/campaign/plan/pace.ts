/**
 * When the last message of a run can be accepted under the limits that the sender set. Owns that estimate: of a server's own
 * speed, and of what other runs take of a quota, it knows nothing.
 */
import type { RateLimit } from '../../config/settings.ts'

export interface Pace {
  /** The earliest moment at which the last message is accepted. */
  readonly lastAt: Date
  /** The limit that holds it back most. */
  readonly limit: RateLimit
  /** Messages of each day that has some, by the clock of the zone: `2026-11-27`. */
  readonly days: readonly { readonly day: string; readonly messages: number }[]
}

/** Days that are counted one by one. */
const MOST_DAYS = 370

/** Undefined without limits, or with nothing to send: nothing holds it back. */
export function paceOf(
  messages: number,
  limits: readonly RateLimit[],
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

/** Seconds until the message of that number may go: whole windows of the longest limit, and the rest under the others. */
function secondsTo(message: number, [limit, ...shorter]: readonly RateLimit[]): number {
  if (limit === undefined) return 0
  const { count, seconds } = limit
  const windows = Math.floor((message - 1) / count)
  const rest = message - windows * count
  return Math.max(secondsTo(message, shorter), windows * seconds + secondsTo(rest, shorter))
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
