/**
 * Limits that hold across runs and processes: so many in any window. Owns the counting in the ledger and the clock that
 * it is done by; never waits.
 *
 * A window is counted in 60 parts. A part counts until 61 further ones have begun, so that whatever window one lays over
 * time never holds more than the limit, with one part to spare for what is still on its way to the server.
 */
import type { Quota, Reservation } from './ledger.ts'
import * as sql from './sqlite-queries.ts'
import type { SqliteStore } from './sqlite-store.ts'
import { numberOf } from './sqlite-values.ts'

const PARTS = 60
const COUNTED_PARTS = PARTS + 2

/** Time since this machine was started: it grows also while the machine sleeps, and nobody can set it. */
export interface BootClock {
  readonly bootId: string
  /** Seconds. */
  uptime(): number
}

export class QuotaStore {
  readonly #store: SqliteStore
  readonly #boot: BootClock | undefined

  /** Without a boot clock time is what the caller says, save that it never goes back. */
  constructor(store: SqliteStore, boot: BootClock | undefined) {
    this.#store = store
    this.#boot = boot
  }

  reserve(quotas: readonly Quota[], count: number, now: Date): Promise<Reservation> {
    if (quotas.length === 0 || count <= 0) return Promise.resolve({ granted: Math.max(0, count) })
    return this.#store.write(() => {
      const time = this.#time(now)
      const rests = quotas.map((quota) => Math.floor(quota.count - this.#used(quota, time)))
      const least = Math.min(...rests)
      const granted = Math.max(0, Math.min(count, least))
      if (granted > 0) {
        for (const quota of quotas) this.#use(quota, time, granted)
      }
      const tightest = quotas[rests.indexOf(least)]
      const left =
        tightest === undefined
          ? {}
          : { left: { count: tightest.count, seconds: tightest.seconds, left: Math.max(0, least - granted) } }
      if (granted === count) return { granted, ...left }
      const waits = quotas.map((quota) => this.#wait(quota, time))
      const wait = Math.max(...waits)
      const retryAt = Number.isFinite(wait) ? { retryAt: new Date(now.getTime() + Math.ceil(wait)) } : {}
      return { granted, ...left, ...retryAt }
    })
  }

  /**
   * The ledger's own time in milliseconds. On one boot of a machine it follows the time since boot, so that no one's
   * setting of the clock frees a quota; after a reboot it goes on from the wall clock, yet never backwards.
   */
  #time(now: Date): number {
    const mark = this.#mark('quota_time')
    const boot = this.#boot
    const uptime = boot === undefined ? 0 : Math.floor(boot.uptime() * 1000)
    const sameBoot = boot !== undefined && this.#store.get(sql.getMeta, 'quota_boot')?.['value'] === boot.bootId
    const time =
      sameBoot && mark !== undefined
        ? mark + Math.max(0, uptime - (this.#mark('quota_uptime') ?? uptime))
        : Math.max(now.getTime(), mark ?? Number.NEGATIVE_INFINITY)
    this.#store.run(sql.setMeta, 'quota_time', time)
    if (boot !== undefined) {
      this.#store.run(sql.setMeta, 'quota_boot', boot.bootId)
      this.#store.run(sql.setMeta, 'quota_uptime', uptime)
    }
    return time
  }

  #mark(name: string): number | undefined {
    const value = this.#store.get(sql.getMeta, name)?.['value']
    return typeof value === 'number' ? value : undefined
  }

  #used({ name, seconds }: Quota, time: number): number {
    return numberOf(this.#store.get(sql.usedQuota, name, seconds, oldestPart(seconds, time))?.['used'])
  }

  #use({ name, seconds }: Quota, time: number, count: number): void {
    this.#store.run(sql.forgetQuota, name, seconds, oldestPart(seconds, time))
    this.#store.run(sql.useQuota, name, seconds, partOf(seconds, time), count)
  }

  /** Milliseconds until one more may go: 0 when it may now, infinite when the quota is nothing. */
  #wait({ name, seconds, count }: Quota, time: number): number {
    const parts = this.#store.all(sql.quotaBuckets, name, seconds, oldestPart(seconds, time))
    let used = parts.reduce((sum, part) => sum + numberOf(part['used']), 0)
    if (used + 1 <= count) return 0
    for (const part of parts) {
      used -= numberOf(part['used'])
      if (used + 1 <= count) return (numberOf(part['bucket']) + COUNTED_PARTS) * partLength(seconds) - time
    }
    return Number.POSITIVE_INFINITY
  }
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
