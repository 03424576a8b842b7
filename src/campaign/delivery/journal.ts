/**
 * Group commit: gathers the events of all lanes of one turn of the event loop and records it in one transaction. Owns the
 * order and the moment of recording; never looks at what the events mean.
 */
import type { Deliveries } from '../../ledger/ledger.ts'
import type { LedgerEvent } from '../../ledger/records.ts'

interface Waiter {
  resolve(): void
  reject(error: unknown): void
}

export class Journal {
  readonly #deliveries: Deliveries
  #events: LedgerEvent[] = []
  #durable: (() => void)[] = []
  #waiters: Waiter[] = []
  #scheduled = false
  #recording: Promise<void> | undefined
  #failure: unknown

  constructor(deliveries: Deliveries) {
    this.#deliveries = deliveries
  }

  /** The error that broke the ledger, if any: from then on nothing is recorded, so nothing may be sent. */
  get failure(): unknown {
    return this.#failure
  }

  /** Adds an event. It is durable when a `sync` called now or later resolves, and `onDurable` is called before that. */
  add(event: LedgerEvent, onDurable?: () => void): void {
    this.#events.push(event)
    if (onDurable !== undefined) this.#durable.push(onDurable)
    this.#schedule()
  }

  /** Resolves when everything added so far is durable; rejects when the ledger is broken. */
  sync(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#events.length === 0 && this.#recording === undefined) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject })
      this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#scheduled || this.#recording !== undefined) return
    this.#scheduled = true
    // After the poll phase: every socket that had something to say in this turn has said it.
    setImmediate(() => {
      this.#scheduled = false
      this.#recording = this.#record().finally(() => {
        this.#recording = undefined
        if (this.#events.length > 0 || this.#waiters.length > 0) this.#schedule()
      })
    })
  }

  async #record(): Promise<void> {
    const events = this.#events
    const durable = this.#durable
    const waiters = this.#waiters
    this.#events = []
    this.#durable = []
    this.#waiters = []
    try {
      if (this.#failure !== undefined) throw this.#failure
      if (events.length > 0) await this.#deliveries.record(events)
      for (const call of durable) call()
      for (const waiter of waiters) waiter.resolve()
    } catch (error) {
      this.#failure ??= error
      for (const waiter of waiters) waiter.reject(this.#failure)
    }
  }
}
