/**
 * Whether a message to a number of recipients may go now: rates, quotas of the ledger, sending hours, pauses between messages and those
 * that the server asked for, and the pace learnt from its refusals. Owns the allowance reserved ahead; grants nothing that was not reserved.
 */
import type { Pause, RampUp, RateLimit } from '../../config/settings.ts'
import { whyNeverAllowed } from '../../config/units.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { Quota, QuotaLeft, RampDay } from '../../ledger/records.ts'
import { dayOf } from '../../sending-window.ts'
import { type Clock, END_OF_TIME } from '../clock.ts'
import type { WindowGate } from './window-gate.ts'

export interface ThrottleOptions {
  readonly ledger: Pick<Ledger, 'quotas'>
  readonly limits: readonly RateLimit[]
  /** Quotas are shared by all that send through the same account. */
  readonly account: string
  readonly clock: Clock
  /** Zone of the run: of its calendar days. */
  readonly zone: string
  /** Sending hours by the clock of a zone; undefined for always, and where each recipient has its own. */
  readonly window?: { readonly gate: WindowGate; readonly zone: string } | undefined
  readonly pause?: Pause | undefined
  readonly rampUp?: RampUp | undefined
}

/** Windows this long or longer hold across runs and processes, so the ledger keeps them. */
const LEDGER_SECONDS = 60

/** While a reservation is being made, lanes ask again this soon. */
const POLL_MS = 2
/** A reservation that failed because of a lock is tried again this soon; one that failed for good ends the run elsewhere. */
const FAILED_MS = 250
/** The ledger counts what it granted by this many parts of a window, and one to spare. */
const QUOTA_PARTS = 60
const FIRST_PAUSE_MS = 2_000
const LONGEST_PAUSE_MS = 600_000
/** A server that names a longer pause is asked again after this. */
const LONGEST_NAMED_PAUSE_MS = 3_600_000
/** A pace learnt from a refusal stays this far below what the server took, but never slower than one message in this time. */
const BELOW = 1.25
const LONGEST_INTERVAL_MS = 5_000
/** The pace gets faster by a third in this time, while the server does not complain. */
const FASTER_MS = 3 * 60_000

export class Throttle {
  readonly #options: ThrottleOptions
  readonly #gate: RateGate
  readonly #quotas: readonly Quota[]
  readonly #chunk: number
  /** Milliseconds that an allowance is valid: later, the quota would no longer count it for as long as it should. */
  readonly #holds: number
  #messages = 0
  #recipients = 0
  #heldUntil = Number.POSITIVE_INFINITY
  #left: QuotaLeft | undefined
  #reserving = false
  #reserveAt = Number.NEGATIVE_INFINITY
  /** The quotas are used up until then: by the wall clock or by the monotonic one, whichever is first. */
  #closed: { readonly until: Date; readonly at: number } | undefined
  #pausedUntil = Number.NEGATIVE_INFINITY
  #pause = FIRST_PAUSE_MS
  /** Milliseconds between two messages; 0 while the server never complained. */
  #interval = 0
  #nextAt = Number.NEGATIVE_INFINITY
  #complainedAt: number
  #acceptedAt: number
  #acceptedSince = 0
  #messagesGone = 0
  #recipientsGone = 0
  /** With a pause between messages: milliseconds of the present one, and the messages on their way. */
  #between = 0
  #onTheWay = 0

  constructor(options: ThrottleOptions) {
    this.#options = options
    this.#gate = new RateGate(shortLimits(options.limits))
    const quotas = quotasOf(options.limits, options.account)
    this.#quotas = quotas
    this.#complainedAt = this.#acceptedAt = options.clock.monotonic()
    // Slow quotas are taken one by one, so that a killed process wastes none; fast ones a tenth of a second ahead.
    const slowest = Math.min(...quotas.map(({ count, seconds }) => count / seconds))
    this.#chunk = options.rampUp === undefined ? Math.max(1, Math.floor(slowest / 10)) : 1
    this.#holds = Math.min(...quotas.map(({ seconds }) => (seconds * 1000) / QUOTA_PARTS))
  }

  /** When the quota opens again, if it is used up; within the sending hours. */
  get closedUntil(): Date | undefined {
    return this.#closed && (this.#windowClosedUntil(this.#closed.until) ?? this.#closed.until)
  }

  /** When the sending hours begin, if it is not in them. */
  get opensAt(): Date | undefined {
    return this.#windowClosedUntil(this.#options.clock.now())
  }

  get quotaLeft(): QuotaLeft | undefined {
    if (this.#left === undefined) return undefined
    const { left, of } = this.#left
    return { ...this.#left, left: left + (of === 'recipients' ? this.#recipients : this.#messages) }
  }

  /** Recipients of a message, on the average of those that went. */
  get recipientsEach(): number {
    return this.#messagesGone === 0 ? 1 : this.#recipientsGone / this.#messagesGone
  }

  /** Why a message to this many recipients could never go, however long it waits. */
  whyNeverAllowed(recipients: number): string | undefined {
    return recipients === 1 ? undefined : whyNeverAllowed(this.#options.limits, recipients)
  }

  /** Milliseconds until the quota opens again; asking early is safe, because the ledger counts by a clock that nobody can set. */
  closedFor(now: number): number {
    if (this.#closed === undefined) return 0
    const { until, at } = this.#closed
    return Math.max(0, Math.min(at - now, until.getTime() - this.#options.clock.now().getTime()))
  }

  /** Milliseconds for which no lane needs to be open, when the next message has this many recipients. */
  pausedFor(now: number, recipients = 1): number {
    const gate = this.#gate.msUntilAllowed(now, recipients)
    const between = this.#onTheWay > 0 ? this.#between : 0
    return Math.max(
      0,
      this.#pausedUntil - now,
      this.#nextAt - now,
      between,
      this.closedFor(now),
      this.#windowFor(),
      gate,
    )
  }

  /** Milliseconds until a message to this many may go; 0 when it may now, with all its recipients reserved. */
  msUntilAllowed(now: number, recipients = 1): number {
    const paused = this.pausedFor(now, recipients)
    return paused > 0 ? paused : this.msUntilReserved(now, recipients)
  }

  /** The same, for a moment at which such a message is known not to be paused. */
  msUntilReserved(now: number, recipients = 1): number {
    if (!this.#reserves) return 0
    if (now >= this.#heldUntil) this.#messages = this.#recipients = 0
    if (this.#messages > 0 && this.#recipients >= recipients) return 0
    if (this.#reserveAt > now) return this.#reserveAt - now
    this.#reserve(now, recipients)
    return POLL_MS
  }

  /** How many messages the rates allow until then, as far as it can be known, counted up to `most`. */
  room(until: number, most: number): number {
    return this.#gate.room(until, most, this.recipientsEach)
  }

  /** Counts a message that `msUntilAllowed` allowed at this very moment. */
  grant(now: number, recipients = 1): void {
    this.#gate.grant(now, recipients)
    // The pace is that of messages: how long it took to connect and to log in does not count.
    if (this.#messagesGone === 0) this.#complainedAt = now
    this.#messagesGone++
    this.#recipientsGone += recipients
    if (this.#interval > 0) this.#nextAt = Math.max(now, this.#nextAt) + this.#interval
    const { pause, clock } = this.#options
    if (pause !== undefined) {
      this.#between = pause.from + clock.random() * (pause.to - pause.from)
      this.#onTheWay++
    }
    if (!this.#reserves) return
    this.#messages--
    this.#recipients = this.#messages === 0 ? 0 : this.#recipients - recipients
  }

  /** A message that was granted is over: the pause until the next one begins. */
  recordEnd(now: number): void {
    if (this.#options.pause === undefined) return
    this.#onTheWay--
    this.#nextAt = Math.max(this.#nextAt, now + this.#between)
  }

  /**
   * The server complained about the rate: all lanes pause, longer each time it accepts nothing in between, and then go on at the
   * pace at which it accepted messages since its last complaint. A pause that the server names (`named`, in milliseconds) is kept.
   * Returns the pause in milliseconds, or undefined within one.
   */
  recordThrottling(now: number, named = 0): number | undefined {
    if (now < this.#pausedUntil) return undefined
    if (this.#acceptedSince > 0) {
      const taken = (now - this.#complainedAt) / this.#acceptedSince
      this.#interval = Math.min(LONGEST_INTERVAL_MS, Math.max(this.#interval, taken * BELOW))
      this.#pause = FIRST_PAUSE_MS
    }
    this.#complainedAt = now
    this.#acceptedSince = 0
    const own = this.#pause * (0.8 + 0.4 * this.#options.clock.random())
    const pause = Math.max(own, Math.min(named, LONGEST_NAMED_PAUSE_MS))
    this.#pausedUntil = now + pause
    this.#pause = Math.min(LONGEST_PAUSE_MS, this.#pause * 2)
    return pause
  }

  recordSuccess(): void {
    this.#acceptedSince++
    if (this.#interval === 0) return
    const now = this.#options.clock.monotonic()
    this.#interval *= 0.75 ** ((now - Math.max(this.#acceptedAt, this.#complainedAt)) / FASTER_MS)
    this.#acceptedAt = now
  }

  /** True where what may go is asked of the ledger. */
  get #reserves(): boolean {
    return this.#quotas.length > 0 || this.#options.rampUp !== undefined
  }

  #windowClosedUntil(at: Date): Date | undefined {
    const { window } = this.#options
    return window?.gate.closedUntil(window.zone, at)
  }

  #windowFor(): number {
    if (this.#options.window === undefined) return 0
    const now = this.#options.clock.now()
    return (this.#windowClosedUntil(now) ?? now).getTime() - now.getTime()
  }

  #rampDay(now: Date): RampDay | undefined {
    const { rampUp, account, zone } = this.#options
    return rampUp && { name: account, rampUp, ...dayOf(now, zone) }
  }

  #reserve(now: number, recipients: number): void {
    if (this.#reserving) return
    this.#reserving = true
    const { ledger, clock } = this.#options
    const asked = clock.now()
    const ramp = this.#rampDay(asked)
    // What is taken of a day is for that day.
    const holds = Math.min(this.#holds, (ramp?.endsAt.getTime() ?? Number.POSITIVE_INFINITY) - asked.getTime())
    // How many recipients the message after this one has is not known: what is taken ahead is for one each.
    ledger.quotas
      .reserve(this.#quotas, recipients === 1 ? this.#chunk : 1, asked, recipients, ramp)
      .then(({ granted, retryAt, left }) => {
        // What is held already is the older part of it.
        if (this.#messages === 0) this.#heldUntil = now + holds
        this.#messages += granted
        this.#recipients += granted * recipients
        this.#left = left
        // A quota of nothing never opens.
        const until = retryAt ?? END_OF_TIME
        const wait = until.getTime() - asked.getTime()
        this.#closed = granted > 0 ? undefined : { until, at: clock.monotonic() + wait }
      })
      // A disk that fails here fails at the next record too, where it stops the run.
      .catch(() => {
        this.#reserveAt = clock.monotonic() + FAILED_MS
      })
      .finally(() => {
        this.#reserving = false
      })
  }
}

/** The limits that this process can keep by itself. */
export function shortLimits(limits: readonly RateLimit[]): readonly RateLimit[] {
  return limits.filter(({ seconds }) => seconds < LEDGER_SECONDS)
}

/** The limits that outlast a run, named after the account they belong to, so that all runs through it share them. */
export function quotasOf(limits: readonly RateLimit[], account: string): readonly Quota[] {
  return limits.filter(({ seconds }) => seconds >= LEDGER_SECONDS).map((limit) => ({ name: account, ...limit }))
}

/** The server counts by its own clock and the wire adds jitter: a window is kept a little longer than asked. */
const MARGIN = 1.02

/**
 * At most `count` messages or recipients in any window, kept in memory and exactly, by a monotonic clock in milliseconds.
 * Limits that outlast a run are quotas of the ledger.
 */
export class SlidingWindow {
  readonly #grants: Float64Array
  readonly #milliseconds: number
  readonly #ofRecipients: boolean
  #next = 0

  constructor(limit: RateLimit) {
    this.#grants = new Float64Array(Math.max(1, Math.floor(limit.count))).fill(Number.NEGATIVE_INFINITY)
    this.#milliseconds = limit.seconds * 1000 * MARGIN
    this.#ofRecipients = limit.of === 'recipients'
  }

  /** Milliseconds until a message to this many recipients is allowed: 0 for now, infinite for never. Counts nothing. */
  msUntilAllowed(now: number, recipients = 1): number {
    const needed = this.#ofRecipients ? recipients : 1
    if (needed > this.#grants.length) return Number.POSITIVE_INFINITY
    const last = this.#grants[(this.#next + needed - 1) % this.#grants.length] ?? Number.NEGATIVE_INFINITY
    return Math.max(0, last + this.#milliseconds - now)
  }

  /** How many messages are allowed until then, each to `recipientsEach` on average, counted up to `most`. */
  room(until: number, most: number, recipientsEach = 1): number {
    const each = this.#ofRecipients ? recipientsEach : 1
    const last = Math.min(Math.ceil(most * each), this.#grants.length)
    let free = 0
    while (free < last) {
      const grant = this.#grants[(this.#next + free) % this.#grants.length] ?? Number.NEGATIVE_INFINITY
      if (grant + this.#milliseconds > until) break
      free++
    }
    return Math.min(most, Math.floor(free / each))
  }

  /** Counts a message. */
  grant(now: number, recipients = 1): void {
    for (let left = this.#ofRecipients ? recipients : 1; left > 0; left--) {
      this.#grants[this.#next] = now
      this.#next = (this.#next + 1) % this.#grants.length
    }
  }
}

/** Several windows that must all allow a message. */
export class RateGate {
  readonly #windows: readonly SlidingWindow[]

  constructor(limits: readonly RateLimit[]) {
    this.#windows = limits.map((limit) => new SlidingWindow(limit))
  }

  msUntilAllowed(now: number, recipients = 1): number {
    let longest = 0
    for (const window of this.#windows) longest = Math.max(longest, window.msUntilAllowed(now, recipients))
    return longest
  }

  room(until: number, most: number, recipientsEach = 1): number {
    let least = most
    for (const window of this.#windows) least = window.room(until, least, recipientsEach)
    return least
  }

  grant(now: number, recipients = 1): void {
    for (const window of this.#windows) window.grant(now, recipients)
  }
}
