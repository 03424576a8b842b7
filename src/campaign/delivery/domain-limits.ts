/**
 * Limits for each recipient domain: messages at once and messages in a time. Owns what waits for its domain's turn;
 * when too many wait everything waits, so memory is bounded.
 */
import type { RateLimit } from '../../config/settings.ts'
import { domainOf } from '../../message/address/address.ts'
import type { Clock } from '../clock.ts'
import { type Due, idOf } from './due.ts'
import { RateGate } from './throttle.ts'

export interface DomainLimits {
  readonly concurrency?: number
  readonly rates?: readonly RateLimit[]
}

interface Domain {
  busy: number
  readonly gate: RateGate
  readonly waiting: Due[]
}

/** Domains that are remembered; beyond it, idle ones are forgotten. */
const REMEMBERED = 10_000

export class DomainGate {
  readonly #limits: DomainLimits
  readonly #clock: Clock
  readonly #active: boolean
  readonly #domains = new Map<string, Domain>()
  readonly #heldDomains = new Set<string>()
  readonly #held = new Set<number>()

  constructor(limits: DomainLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
    this.#active = limits.concurrency !== undefined || (limits.rates?.length ?? 0) > 0
  }

  /** How many wait for their domain's turn. */
  get held(): number {
    return this.#held.size
  }

  /** @param id As `idOf` gives it. */
  holds(id: number): boolean {
    return this.#held.has(id)
  }

  /** True when it may go now, which counts it; else it waits here. */
  admit(due: Due): boolean {
    if (!this.#active) return true
    const name = domainOf(due.address)
    const domain = this.#domain(name)
    if (this.#msUntilAllowed(domain) === 0 && domain.waiting.length === 0) {
      this.#enter(domain)
      return true
    }
    domain.waiting.push(due)
    this.#heldDomains.add(name)
    this.#held.add(idOf(due))
    return false
  }

  /** One that waits and whose domain is free again; else the milliseconds until a rate allows one, or undefined. */
  release(): Due | number | undefined {
    if (this.#held.size === 0) return undefined
    let soonest: number | undefined
    for (const name of this.#heldDomains) {
      const domain = this.#domain(name)
      const left = this.#msUntilAllowed(domain)
      if (left > 0) {
        if (left !== Number.POSITIVE_INFINITY) soonest = Math.min(soonest ?? left, left)
        continue
      }
      const due = domain.waiting.shift()
      if (domain.waiting.length === 0) this.#heldDomains.delete(name)
      if (due === undefined) continue
      this.#held.delete(idOf(due))
      this.#enter(domain)
      return due
    }
    return soonest
  }

  /** Milliseconds until one that waits may go; 0 when one may now, or when none waits. */
  msUntilAllowed(): number {
    if (this.#held.size === 0) return 0
    let soonest = Number.POSITIVE_INFINITY
    for (const name of this.#heldDomains) soonest = Math.min(soonest, this.#msUntilAllowed(this.#domain(name)))
    return soonest
  }

  done(due: Due): void {
    if (!this.#active) return
    const domain = this.#domains.get(domainOf(due.address))
    if (domain !== undefined && domain.busy > 0) domain.busy--
  }

  /** Gives back all that wait. */
  drainHeld(): readonly Due[] {
    const held: Due[] = []
    for (const name of this.#heldDomains) held.push(...(this.#domains.get(name)?.waiting.splice(0) ?? []))
    this.#heldDomains.clear()
    this.#held.clear()
    return held
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
