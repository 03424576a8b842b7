/**
 * Limits for each recipient domain: messages at once and messages in a time. Owns what waits for its domain's turn;
 * when too many wait everything waits, so memory is bounded.
 */
import type { RateLimit } from '../../config/settings.ts'
import { domainOf } from '../../message/address/address.ts'
import type { Clock } from '../clock.ts'
import { RateGate } from './throttle.ts'

export interface DomainLimits {
  readonly concurrency?: number
  readonly rates?: readonly RateLimit[]
}

/** What goes to one address. */
interface Addressed {
  readonly address: string
}

interface Domain<D extends Addressed> {
  busy: number
  readonly gate: RateGate
  readonly waiting: { readonly due: D; readonly id: number }[]
}

/** Domains that are remembered; beyond it, idle ones are forgotten. */
const REMEMBERED = 10_000

/** Whether any domain has a limit: without one nothing waits here. */
export function limitsDomains({ concurrency, rates = [] }: DomainLimits): boolean {
  return concurrency !== undefined || rates.length > 0
}

export class DomainGate<D extends Addressed> {
  readonly #limits: DomainLimits
  readonly #clock: Clock
  readonly #domains = new Map<string, Domain<D>>()
  readonly #heldDomains = new Set<string>()
  readonly #held = new Set<number>()

  constructor(limits: DomainLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
  }

  /** How many wait for their domain's turn. */
  get held(): number {
    return this.#held.size
  }

  /** @param id The one that it was admitted with. */
  holds(id: number): boolean {
    return this.#held.has(id)
  }

  /** True when it may go now, which counts it; else it waits here. */
  admit(due: D, id: number): boolean {
    const name = domainOf(due.address)
    const domain = this.#domain(name)
    if (this.#msUntilAllowed(domain) === 0 && domain.waiting.length === 0) {
      this.#enter(domain)
      return true
    }
    domain.waiting.push({ due, id })
    this.#heldDomains.add(name)
    this.#held.add(id)
    return false
  }

  /** One that waits and whose domain is free again; else the milliseconds until a rate allows one, or undefined. */
  release(): D | number | undefined {
    if (this.#held.size === 0) return undefined
    let soonest: number | undefined
    for (const name of this.#heldDomains) {
      const domain = this.#domain(name)
      const left = this.#msUntilAllowed(domain)
      if (left > 0) {
        if (left !== Number.POSITIVE_INFINITY) soonest = Math.min(soonest ?? left, left)
        continue
      }
      const next = domain.waiting.shift()
      if (domain.waiting.length === 0) this.#heldDomains.delete(name)
      if (next === undefined) continue
      this.#held.delete(next.id)
      this.#enter(domain)
      return next.due
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

  done({ address }: D): void {
    const domain = this.#domains.get(domainOf(address))
    if (domain !== undefined && domain.busy > 0) domain.busy--
  }

  /** Gives back all that wait. */
  drainHeld(): readonly D[] {
    const held: D[] = []
    for (const name of this.#heldDomains)
      for (const { due } of this.#domains.get(name)?.waiting.splice(0) ?? []) held.push(due)
    this.#heldDomains.clear()
    this.#held.clear()
    return held
  }

  #enter(domain: Domain<D>): void {
    domain.busy++
    domain.gate.grant(this.#clock.monotonic())
  }

  #msUntilAllowed(domain: Domain<D>): number {
    if (domain.busy >= (this.#limits.concurrency ?? Number.POSITIVE_INFINITY)) return Number.POSITIVE_INFINITY
    return domain.gate.msUntilAllowed(this.#clock.monotonic())
  }

  #domain(name: string): Domain<D> {
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
