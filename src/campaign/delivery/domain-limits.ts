/**
 * Limits for each recipient domain: messages at once and messages in a time. Owns the rows that wait for their domain's turn;
 * when too many wait everything waits, so memory is bounded.
 */
import type { RateLimit } from '../../config/settings.ts'
import type { DueRow } from '../../ledger/records.ts'
import { domainOf } from '../../message/address/address.ts'
import type { Clock } from '../clock.ts'
import { RateGate } from './throttle.ts'

export interface DomainLimits {
  readonly concurrency?: number
  readonly rates?: readonly RateLimit[]
}

interface Domain {
  busy: number
  readonly gate: RateGate
  readonly waiting: DueRow[]
}

/** Domains that are remembered; beyond it, idle ones are forgotten. */
const REMEMBERED = 10_000

export class DomainGate {
  readonly #limits: DomainLimits
  readonly #clock: Clock
  readonly #active: boolean
  readonly #domains = new Map<string, Domain>()
  readonly #heldDomains = new Set<string>()
  readonly #heldRecipients = new Set<number>()

  constructor(limits: DomainLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
    this.#active = limits.concurrency !== undefined || (limits.rates?.length ?? 0) > 0
  }

  /** Rows that wait for their domain's turn. */
  get held(): number {
    return this.#heldRecipients.size
  }

  holds(recipient: number): boolean {
    return this.#heldRecipients.has(recipient)
  }

  /** True when the row may go now, which counts it; else the row waits here. */
  admit(row: DueRow): boolean {
    if (!this.#active) return true
    const name = domainOf(row.address)
    const domain = this.#domain(name)
    if (this.#msUntilAllowed(domain) === 0 && domain.waiting.length === 0) {
      this.#enter(domain)
      return true
    }
    domain.waiting.push(row)
    this.#heldDomains.add(name)
    this.#heldRecipients.add(row.recipient)
    return false
  }

  /** A waiting row whose domain is free again; else the milliseconds until a rate allows one, or undefined. */
  release(): DueRow | number | undefined {
    if (this.#heldRecipients.size === 0) return undefined
    let soonest: number | undefined
    for (const name of this.#heldDomains) {
      const domain = this.#domain(name)
      const left = this.#msUntilAllowed(domain)
      if (left > 0) {
        if (left !== Number.POSITIVE_INFINITY) soonest = Math.min(soonest ?? left, left)
        continue
      }
      const row = domain.waiting.shift()
      if (domain.waiting.length === 0) this.#heldDomains.delete(name)
      if (row === undefined) continue
      this.#heldRecipients.delete(row.recipient)
      this.#enter(domain)
      return row
    }
    return soonest
  }

  /** Milliseconds until a waiting row may go; 0 when one may now, or when none waits. */
  msUntilAllowed(): number {
    if (this.#heldRecipients.size === 0) return 0
    let soonest = Number.POSITIVE_INFINITY
    for (const name of this.#heldDomains) soonest = Math.min(soonest, this.#msUntilAllowed(this.#domain(name)))
    return soonest
  }

  done(row: DueRow): void {
    if (!this.#active) return
    const domain = this.#domains.get(domainOf(row.address))
    if (domain !== undefined && domain.busy > 0) domain.busy--
  }

  /** Gives back all rows that wait. */
  drainHeld(): readonly DueRow[] {
    const rows: DueRow[] = []
    for (const name of this.#heldDomains) rows.push(...(this.#domains.get(name)?.waiting.splice(0) ?? []))
    this.#heldDomains.clear()
    this.#heldRecipients.clear()
    return rows
  }

  #enter(domain: Domain): void {
    domain.busy++
    domain.gate.grant(this.#clock.monotonic())
  }

  #msUntilAllowed(domain: Domain): number {
    if (domain.busy >= (this.#limits.concurrency ?? Number.POSITIVE_INFINITY)) return Number.POSITIVE_INFINITY
    return domain.gate.msUntilAllowed(this.#clock.monotonic())
  }

  #domain(name: string): Domain {
    let domain = this.#domains.get(name)
    if (domain === undefined) {
      if (this.#domains.size >= REMEMBERED) this.#forgetIdle()
      domain = { busy: 0, gate: new RateGate(this.#limits.rates ?? []), waiting: [] }
      this.#domains.set(name, domain)
    }
    return domain
  }

  #forgetIdle(): void {
    const now = this.#clock.monotonic()
    for (const [name, domain] of this.#domains) {
      if (domain.busy === 0 && domain.waiting.length === 0 && domain.gate.msUntilAllowed(now) === 0)
        this.#domains.delete(name)
    }
  }
}
