/**
 * How several accounts share the messages of a run: each has a part, and what one leaves is divided among the others. Owns the
 * parts; which row goes to whom is the cursor's.
 */

/** Rows that an account takes at once, so that few wait for one account while another is idle. */
const AT_ONCE = 20

interface Share {
  /** Messages that it still has to take of its part. */
  left: number
  readonly weight: number
  state: 'open' | 'waiting' | 'stopped'
}

export class Shares {
  readonly #shares: ReadonlyMap<string, Share>
  readonly atOnce = AT_ONCE

  /** @param parts Messages of each account. */
  constructor(parts: ReadonlyMap<string, number>) {
    this.#shares = new Map([...parts].map(([name, left]) => [name, { left, weight: Math.max(1, left), state: 'open' }]))
  }

  get size(): number {
    return this.#shares.size
  }

  /** The accounts that have not stopped. */
  get remaining(): readonly string[] {
    return [...this.#shares].filter(([, { state }]) => state !== 'stopped').map(([name]) => name)
  }

  /** Whether the account sends, or will soon. */
  isOpen(name: string): boolean {
    return this.#shares.get(name)?.state === 'open'
  }

  /** Whether it takes part at all: an account of an earlier run may be gone. */
  has(name: string): boolean {
    return this.#shares.has(name)
  }

  hasStopped(name: string): boolean {
    return this.#shares.get(name)?.state === 'stopped'
  }

  /** How many messages an account may take now. What is beyond all parts is for everybody. */
  room(name: string): number {
    const share = this.#shares.get(name)
    if (share === undefined || share.state === 'stopped') return 0
    if (share.left > 0) return share.left
    return this.#others(name).some(({ left }) => left > 0) ? 0 : Number.POSITIVE_INFINITY
  }

  take(name: string, messages: number): void {
    const share = this.#shares.get(name)
    if (share !== undefined) share.left = Math.max(0, share.left - messages)
  }

  /** The account sends again, or does not for a long while. */
  setOpen(name: string, isOpen: boolean): void {
    const share = this.#shares.get(name)
    if (share !== undefined && share.state !== 'stopped') share.state = isOpen ? 'open' : 'waiting'
  }

  /** The account that waited sends again: what is left is divided again, with it among them. */
  rejoin(name: string): void {
    const share = this.#shares.get(name)
    if (share?.state !== 'waiting') return
    share.state = 'open'
    const open = [share, ...this.#others(name)]
    const rest = open.reduce((sum, { left }) => sum + left, 0)
    for (const one of open) one.left = 0
    divide(rest, open)
  }

  /**
   * The account sends no more, or not for long: what it has left, and what it gives back, is for the others that send, by their
   * parts. It keeps it where there is no other.
   */
  leave(name: string, givenBack: number, state: 'waiting' | 'stopped'): void {
    const share = this.#shares.get(name)
    if (share === undefined) return
    share.state = state
    const others = this.#others(name)
    if (others.length === 0) {
      share.left += givenBack
      return
    }
    divide(share.left + givenBack, others)
    share.left = 0
  }

  #others(name: string): readonly Share[] {
    return [...this.#shares]
      .filter(([other, { state }]) => other !== name && state === 'open')
      .map(([, share]) => share)
  }
}

/** Adds that many messages to the parts of these, by their weights. */
function divide(messages: number, among: readonly Share[]): void {
  let rest = messages
  let weights = among.reduce((sum, { weight }) => sum + weight, 0)
  for (const share of among) {
    const part = Math.round((rest * share.weight) / weights)
    share.left += part
    rest -= part
    weights -= share.weight
  }
}
