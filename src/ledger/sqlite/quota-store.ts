/**
 * Limits that hold across runs and processes: a number of messages in any window. Owns the counting in the ledger and the clock that
 * it is done by; never waits.
 *
 * A window is counted in 60 parts. A part counts until 61 further ones have begun, so that whatever window one lays over
 * time never holds more than the limit, with one part to spare for what is still on its way to the server.
 *
 * Messages are written down under the name of the quota, and recipients beyond the first of each under a name beside it, for
 * every length of window, whatever its quotas count: the recipients are both together. So a quota may begin to count
 * recipients at any time, and a message of which no more is known was one recipient at least.
 *
 * A limit that rises counts calendar days by the wall clock, each by its name: a clock that is set back finds the day as it was left.
 */

import { rampUpCap } from '../../config/sending-hours.ts'
import type { Quotas } from '../ledger.ts'
import type { Quota, QuotaLeft, QuotaTaken, RampDay, RampUse, Reservation } from '../records.ts'
import * as sql from './queries.ts'
import { numberOf, type SqliteStore } from './store.ts'

const PARTS = 60
const COUNTED_PARTS = PARTS + 2

/** Time since this machine was started: it grows also while the machine sleeps, and nobody can set it. */
export interface BootClock {
  readonly bootId: string
  /** Seconds. */
  uptime(): number
}

export class QuotaStore implements Quotas {
  readonly #store: SqliteStore
  readonly #boot: BootClock | undefined

  /** Without a boot clock time is what the caller says, save that it never goes back. */
  constructor(store: SqliteStore, boot: BootClock | undefined) {
    this.#store = store
    this.#boot = boot
  }

  reserve(quotas: readonly Quota[], count: number, now: Date, recipients = 1, ramp?: RampDay): Promise<Reservation> {
    if ((quotas.length === 0 && ramp === undefined) || count <= 0) {
      return Promise.resolve({ granted: Math.max(0, count) })
    }
    return this.#store.write(() => {
      const time = this.#time(now)
      const today = ramp && this.#rampRest(ramp)
      const rests = quotas.map((quota) => Math.floor(quota.count - this.#used(quota, time)))
      /** Messages that each quota has room for. */
      const rooms = quotas.map((quota, at) => (rests[at] ?? 0) / costOf(quota, recipients))
      const least = Math.min(...rooms, today?.left ?? Number.POSITIVE_INFINITY)
      const granted = Math.max(0, Math.min(count, Math.floor(least)))
      if (granted > 0) {
        for (const window of windowsOf(quotas)) this.#use(window, time, granted, recipients)
        if (ramp !== undefined) this.#store.run(sql.useRampDay, ramp.name, ramp.day, granted)
      }
      const tightest = rooms.indexOf(least)
      const left =
        tightest < 0 && today !== undefined
          ? { ...today, left: today.left - granted }
          : leftOf(quotas[tightest], rests[tightest] ?? 0, granted, recipients)
      if (granted === count) return { granted, left }
      const waits = quotas.map((quota) => this.#untilRoom(quota, time, costOf(quota, recipients)))
      if (ramp !== undefined && today?.left === granted) waits.push(ramp.endsAt.getTime() - now.getTime())
      const wait = Math.max(0, ...waits)
      const retryAt = Number.isFinite(wait) ? new Date(now.getTime() + Math.ceil(wait)) : undefined
      return { granted, left, retryAt }
    })
  }

  taken(quotas: readonly Quota[], now: Date): Promise<readonly QuotaTaken[]> {
    return this.#store.read(() => {
      const { time } = this.#clock(now)
      return quotas.map((quota) => this.#taken(quota, time))
    })
  }

  rampUse(name: string, day: string): Promise<RampUse> {
    return this.#store.read(() => this.#rampUse(name, day))
  }

  #rampUse(name: string, day: string): RampUse {
    const row = this.#store.get(sql.rampUse, name, day)
    return { days: numberOf(row?.['days']), used: numberOf(row?.['used']) }
  }

  #rampRest({ name, day, rampUp }: RampDay): QuotaLeft {
    const { days, used } = this.#rampUse(name, day)
    const cap = rampUpCap(rampUp, days)
    return { count: cap, seconds: 86_400, left: Math.max(0, cap - used), isRampUp: true }
  }

  #taken(quota: Quota, time: number): QuotaTaken {
    const { seconds } = quota
    const parts = namesOf(quota).flatMap((name) =>
      this.#store.all(sql.quotaBuckets, name, seconds, oldestPart(seconds, time)),
    )
    const first = Math.min(...parts.map(({ bucket }) => numberOf(bucket)))
    const age = parts.length === 0 ? 0 : Math.max(0, (time - first * partLength(seconds)) / 1000)
    return { count: parts.reduce((sum, { used }) => sum + numberOf(used), 0), age: Math.min(age, seconds) }
  }

  /**
   * The ledger's own time in milliseconds. On one boot of a machine it follows the time since boot, so that no one's
   * setting of the clock frees a quota; after a reboot it goes on from the wall clock, yet never backwards.
   */
  #time(now: Date): number {
    const { time, uptime } = this.#clock(now)
    this.#store.run(sql.setMeta, 'quota_time', time)
    if (this.#boot !== undefined) {
      this.#store.run(sql.setMeta, 'quota_boot', this.#boot.bootId)
      this.#store.run(sql.setMeta, 'quota_uptime', uptime)
    }
    return time
  }

  #clock(now: Date): { readonly time: number; readonly uptime: number } {
    const last = this.#number('quota_time')
    const boot = this.#boot
    const uptime = boot === undefined ? 0 : Math.floor(boot.uptime() * 1000)
    const sameBoot = boot !== undefined && this.#store.get(sql.getMeta, 'quota_boot')?.['value'] === boot.bootId
    const time =
      sameBoot && last !== undefined
        ? last + Math.max(0, uptime - (this.#number('quota_uptime') ?? uptime))
        : Math.max(now.getTime(), last ?? Number.NEGATIVE_INFINITY)
    return { time, uptime }
  }

  #number(name: string): number | undefined {
    const value = this.#store.get(sql.getMeta, name)?.['value']
    return typeof value === 'number' ? value : undefined
  }

  #used(quota: Quota, time: number): number {
    const { seconds } = quota
    const oldest = oldestPart(seconds, time)
    let used = 0
    for (const name of namesOf(quota)) used += numberOf(this.#store.get(sql.usedQuota, name, seconds, oldest)?.['used'])
    return used
  }

  #use({ name, seconds }: Quota, time: number, messages: number, recipients: number): void {
    this.#add(name, seconds, time, messages)
    if (recipients > 1) this.#add(copiesOf(name), seconds, time, messages * (recipients - 1))
  }

  #add(name: string, seconds: number, time: number, count: number): void {
    this.#store.run(sql.forgetQuota, name, seconds, oldestPart(seconds, time))
    this.#store.run(sql.useQuota, name, seconds, partOf(seconds, time), count)
  }

  /** Milliseconds until there is room for `cost` more: 0 when there is now, infinite when there never is. */
  #untilRoom(quota: Quota, time: number, cost: number): number {
    const { seconds, count } = quota
    const parts = namesOf(quota)
      .flatMap((name) => this.#store.all(sql.quotaBuckets, name, seconds, oldestPart(seconds, time)))
      .map(({ bucket, used }) => ({ bucket: numberOf(bucket), used: numberOf(used) }))
      .sort((one, other) => one.bucket - other.bucket)
    let used = parts.reduce((sum, part) => sum + part.used, 0)
    if (used + cost <= count) return 0
    for (const part of parts) {
      used -= part.used
      if (used + cost <= count) return (part.bucket + COUNTED_PARTS) * partLength(seconds) - time
    }
    return Number.POSITIVE_INFINITY
  }
}

/** What one message takes of a quota. */
function costOf({ of }: Quota, recipients: number): number {
  return of === 'recipients' ? recipients : 1
}

function namesOf({ name, of }: Quota): readonly string[] {
  return of === 'recipients' ? [name, copiesOf(name)] : [name]
}

function copiesOf(name: string): string {
  return `${name} (copies)`
}

/** Quotas of one length share what is written down for it. */
function windowsOf(quotas: readonly Quota[]): readonly Quota[] {
  return quotas.filter(
    ({ name, seconds }, at) => quotas.findIndex((other) => other.name === name && other.seconds === seconds) === at,
  )
}

function leftOf(quota: Quota | undefined, rest: number, granted: number, recipients: number): Reservation['left'] {
  if (quota === undefined) return undefined
  const { name: _, ...limit } = quota
  return { ...limit, left: Math.max(0, rest - granted * costOf(quota, recipients)) }
}

/** Milliseconds. */
function partLength(seconds: number): number {
  return (seconds * 1000) / PARTS
}

function partOf(seconds: number, time: number): number {
  return Math.floor(time / partLength(seconds))
}

function oldestPart(seconds: number, time: number): number {
  return partOf(seconds, time) - COUNTED_PARTS + 1
}
