/** A cache that cannot grow without bound. Owns forgetting; never computes a value. */

/** A map that forgets everything when it is full: the cheapest rule, right for values that come again and again. */
export class BoundedMap<Key, Value> {
  readonly #entries = new Map<Key, Value>()
  readonly #limit: number

  /** @param limit entries kept at most. */
  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: Key): Value | undefined {
    return this.#entries.get(key)
  }

  has(key: Key): boolean {
    return this.#entries.has(key)
  }

  set(key: Key, value: Value): void {
    if (this.#entries.size >= this.#limit && !this.#entries.has(key)) this.#entries.clear()
    this.#entries.set(key, value)
  }

  /** The value of `key`, made and kept when it is not there. */
  getOrMake(key: Key, make: (key: Key) => Value): Value {
    let value = this.#entries.get(key)
    if (value === undefined) {
      value = make(key)
      this.set(key, value)
    }
    return value
  }

  delete(key: Key): void {
    this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
  }
}
