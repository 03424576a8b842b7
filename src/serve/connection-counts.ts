/** How many connections each client has: one that opens more and more must not keep the others out. Owns the counting. */

export class ConnectionCounts {
  readonly #most: number
  readonly #open = new Map<string, number>()

  /** `most` connections of one client at a time. */
  constructor(most: number) {
    this.#most = most
  }

  /** False when `client` has enough. What was let in must be told when it closes. */
  open(client: string): boolean {
    const count = this.#open.get(client) ?? 0
    if (count >= this.#most) return false
    this.#open.set(client, count + 1)
    return true
  }

  close(client: string): void {
    const count = this.#open.get(client) ?? 0
    if (count > 1) this.#open.set(client, count - 1)
    else this.#open.delete(client)
  }
}
