/** How far a delivery is, reported while it goes on. Owns the estimate of the time that is left; pure but for the rate. */
import type { RateLimit } from '../config/settings.ts'
import type { StatusCounts } from '../ledger/records.ts'
import type { QuotaLeft } from '../report/reasons.ts'
import type { DeliveryCounts } from './delivery/delivery-counts.ts'

export interface DeliveryProgress {
  readonly counts: StatusCounts
  /** Rows a second over the last seconds. */
  readonly rate: number
  readonly lanes: number
  /** Rows that the server deferred and that wait for another try. */
  readonly retrying: number
  /** What is left of the quota that will be used up first. */
  readonly quota?: QuotaLeft | undefined
  /** Seconds to the end, at this rate and within the limits; absent when it is not known. */
  readonly secondsLeft?: number | undefined
}

export function progressOf(
  counter: DeliveryCounts,
  lanes: number,
  limits: readonly RateLimit[],
  { quotaLeft: quota, recipientsEach }: { readonly quotaLeft: QuotaLeft | undefined; readonly recipientsEach: number },
): DeliveryProgress {
  const rate = counter.rate()
  const { toCome, retrying, counts } = counter
  const byRate = rate > 0 ? toCome / rate : 0
  const byLimits = limits.map(({ count, seconds, of }) => {
    const free = quota?.count === count && quota.seconds === seconds && quota.of === of ? quota.left : count
    const wanted = of === 'recipients' ? toCome * recipientsEach : toCome
    return (Math.max(0, wanted - free) / count) * seconds
  })
  const secondsLeft = Math.max(byRate, ...byLimits)
  return {
    counts,
    rate,
    lanes,
    retrying,
    quota,
    secondsLeft: secondsLeft > 0 ? secondsLeft : undefined,
  }
}
