/** How far a delivery is, reported while it goes on. Owns the counts, the rate, and the estimate of the time that is left. */
import type { RateLimit } from '../../config/settings.ts'
import type { QuotaLeft, RowStatus, StatusCounts } from '../../ledger/records.ts'
import type { Lane } from '../../transport/transport.ts'
import type { Clock } from '../clock.ts'

export interface DeliveryProgress {
  /** Of rows. */
  readonly counts: StatusCounts
  /** Of messages, where rows are grouped. */
  readonly messages?: StatusCounts | undefined
  /** Messages a second over the last seconds. */
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
  const { toCome, retrying, counts, messages } = counter
  const byRate = rate > 0 ? toCome / rate : 0
  const byLimits = limits.map(({ count, seconds, of }) => {
    const free = quota?.count === count && quota.seconds === seconds && quota.of === of ? quota.left : count
    const wanted = of === 'recipients' ? toCome * recipientsEach : toCome
    return (Math.max(0, wanted - free) / count) * seconds
  })
  // The rest goes on other days, and how many seconds that takes is not known here.
  const isForOtherDays = quota?.isRampUp === true && toCome > quota.left
  const secondsLeft = isForOtherDays ? 0 : Math.max(byRate, ...byLimits)
  return {
    counts,
    messages,
    rate,
    lanes,
    retrying,
    quota,
    secondsLeft: secondsLeft > 0 ? secondsLeft : undefined,
  }
}

/** How the lanes are going, each by itself. */
export interface LanesProgress {
  readonly lanes: readonly LaneProgress[]
  /** Lanes that there may be where the server asks for nothing less. */
  readonly most: number
  /** The server asked for fewer. */
  readonly isHeldBack: boolean
}

export interface LaneProgress {
  /** From 1; that of a lane which ended is the next one's. */
  readonly place: number
  /** Row whose message is on its way; undefined while it waits for one. */
  readonly row: number | undefined
  /** Milliseconds since a message was last begun, or its server last answered for one. */
  readonly quietMs: number
  /** Messages a second over the last seconds. */
  readonly rate: number
  /** Whose it is, where there are several accounts. */
  readonly account?: string | undefined
  /** As `Lane.encryption` says it. */
  readonly encryption: Lane['encryption']
}

/** Seconds that the shown rate looks back over. */
const WINDOW_SECONDS = 5

/** How many things a second are done, over the last seconds. */
export class RateWindow {
  readonly #clock: Clock
  readonly #marks: { at: number; done: number }[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Remembers the moment of each call, so call it at intervals. `done` only rises. */
  rate(done: number): number {
    const at = this.#clock.monotonic()
    this.#marks.push({ at, done })
    while (this.#marks.length > 2 && at - (this.#marks[0]?.at ?? at) > WINDOW_SECONDS * 1000) this.#marks.shift()
    const first = this.#marks[0] ?? { at, done }
    return at > first.at ? ((done - first.done) * 1000) / (at - first.at) : 0
  }
}

/** How many rows, and messages, are in each state, and how many messages are done per second. */
export class DeliveryCounts {
  readonly #rows: Record<RowStatus, number>
  readonly #messages: Record<RowStatus, number>
  readonly #isGrouped: boolean
  readonly #window: RateWindow
  /** Messages accepted since the start. */
  sent = 0
  #done = 0
  #retrying = 0

  /** @param messages where rows are grouped: else each row is a message. */
  constructor(rows: StatusCounts, clock: Clock, messages?: StatusCounts) {
    this.#rows = { ...rows }
    this.#messages = { ...(messages ?? rows) }
    this.#isGrouped = messages !== undefined
    this.#window = new RateWindow(clock)
  }

  /** Of rows. */
  get counts(): StatusCounts {
    return { ...this.#rows }
  }

  /** Where rows are grouped. */
  get messages(): StatusCounts | undefined {
    return this.#isGrouped ? { ...this.#messages } : undefined
  }

  /** Messages still to come. */
  get toCome(): number {
    return this.#messages.deferred
  }

  /** Rows that the server deferred and that wait for another try. */
  get retrying(): number {
    return this.#retrying
  }

  /** A message of that many rows that was still to come is now in `status`; `again` says that it was tried before. */
  recordState(status: RowStatus, again: boolean, rows: number): void {
    if (status === 'deferred') {
      if (!again) this.#retrying += rows
      return
    }
    // Rows that an earlier run deferred were not counted here.
    if (again) this.#retrying = Math.max(0, this.#retrying - rows)
    this.#rows.deferred -= rows
    this.#rows[status] += rows
    this.#messages.deferred--
    this.#messages[status]++
    this.#done++
    if (status === 'sent') this.sent++
  }

  /** Messages per second over the last seconds. Remembers the moment of each call, so call it at intervals. */
  rate(): number {
    return this.#window.rate(this.#done)
  }
}
