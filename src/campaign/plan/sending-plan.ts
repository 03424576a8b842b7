/**
 * The sending hours, the pause and the rising limit of an account as the forecast needs them: which stretches of time messages may go
 * in, and how many in each. Owns laying them out from a moment on; of rates and quotas it knows nothing.
 */
import { rampUpCap } from '../../config/sending-hours.ts'
import type { DeliverySettings, RampUp } from '../../config/settings.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { RampUse } from '../../ledger/records.ts'
import { closesAt, dayOf, opensAt, type WeekHours } from '../../sending-window.ts'
import { localZone } from '../../time-zone.ts'

export interface SendingPlan {
  readonly window: (WeekHours & { readonly text: string }) | undefined
  /** By whose clock the hours go. */
  readonly windowZone: string
  /** Milliseconds between two messages, on the average. */
  readonly pause: number | undefined
  readonly rampUp: RampUp | undefined
  /** What was taken of it when the run begins. */
  readonly use: RampUse
  /** Zone of its calendar days. */
  readonly zone: string
}

/** Undefined where nothing of it is set. */
export async function sendingPlanOf(
  quotas: Pick<Ledger['quotas'], 'rampUse'> | undefined,
  { window, pause, rampUp }: DeliverySettings,
  account: string,
  { start, timeZone = localZone() }: { readonly start: Date; readonly timeZone: string | undefined },
): Promise<SendingPlan | undefined> {
  if (window === undefined && pause === undefined && rampUp === undefined) return undefined
  const use = rampUp && (await quotas?.rampUse(account, dayOf(start, timeZone).day))
  return {
    window,
    // Where each recipient has hours of its own, the zone of the run stands in for theirs.
    windowZone: window?.zone === undefined || window.zone === 'recipient' ? timeZone : window.zone,
    pause: pause && (pause.from + pause.to) / 2,
    rampUp,
    use: use ?? { days: 0, used: 0 },
    zone: timeZone,
  }
}

/** `Mon-Fri 09:00-17:00, a pause of 8.5 s, 50/day, +50 %/day` */
export function planWords({ window, pause, rampUp }: SendingPlan): string {
  return [window?.text, pause === undefined ? undefined : `a pause of ${pause / 1000} s`, rampUp?.text]
    .filter((part) => part !== undefined)
    .join(', ')
}

/** A time in which messages may go, and how many at most. */
export interface Stretch {
  readonly from: Date
  /** Undefined where it has no end. */
  readonly until: Date | undefined
  readonly most: number
}

/** The stretches from `start` on, as each ends up with `sent` messages that the caller puts into it. */
export class Stretches {
  readonly #plan: SendingPlan
  #at: Date
  #days: number
  /** The calendar day, and what was taken of its limit. */
  #day: string
  #used: number

  constructor(plan: SendingPlan, start: Date) {
    this.#plan = plan
    this.#at = start
    this.#days = plan.use.days
    this.#used = plan.use.used
    this.#day = dayOf(start, plan.zone).day
  }

  /** Undefined where there is none for years. */
  next(): Stretch | undefined {
    const { window, windowZone, rampUp, zone } = this.#plan
    const from = window === undefined ? this.#at : opensAt(window, windowZone, this.#at)
    if (from === undefined) return undefined
    const closes = window && closesAt(window, windowZone, from)
    if (rampUp === undefined) return { from, until: closes, most: Number.POSITIVE_INFINITY }
    const { day, endsAt } = dayOf(from, zone)
    if (day !== this.#day) {
      if (this.#used > 0) this.#days++
      this.#day = day
      this.#used = 0
    }
    const most = Math.max(0, rampUpCap(rampUp, this.#days) - this.#used)
    return { from, until: closes === undefined || endsAt < closes ? endsAt : closes, most }
  }

  /** Goes on behind a stretch, in which that many were sent. */
  pass({ until }: Stretch, sent: number): void {
    this.#used += sent
    if (until !== undefined) this.#at = until
  }
}
