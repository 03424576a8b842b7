/**
 * How long a server may be silent (RFC 5321 section 4.5.3.2). Owns one coarse timer a connection and counts its ticks, so that
 * asking costs nothing a message, and so that a machine that slept or a loop that was busy is not taken for a slow server.
 */
export class Deadline {
  readonly #tick: number
  readonly #expired: () => void
  #left = Number.POSITIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  /** `shortest`: the shortest limit that will be asked for, in milliseconds. Limits are kept to an eighth of it. */
  constructor(shortest: number, expired: () => void) {
    this.#tick = Math.max(10, Math.min(1000, shortest / 8))
    this.#expired = expired
  }

  start(): void {
    this.#timer = setInterval(() => this.#count(), this.#tick)
  }

  /** Starts again with that many milliseconds. */
  set(milliseconds: number): void {
    this.#left = milliseconds / this.#tick + 1
  }

  clear(): void {
    this.#left = Number.POSITIVE_INFINITY
  }

  stop(): void {
    this.clear()
    clearInterval(this.#timer)
  }

  #count(): void {
    if (--this.#left > 0) return
    this.clear()
    this.#expired()
  }
}
