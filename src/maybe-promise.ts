/**
 * Work that is done at once where nothing has to be waited for, so that the way of most rows costs no promise. Owns the fork
 * between a value and the promise of one.
 */
import { BoundedMap } from './bounded-map.ts'

export type MaybePromise<T> = T | Promise<T>

/** True for a value that has to be waited for: the one place that looks. */
export function isPending<T>(value: MaybePromise<T>): value is Promise<T> {
  return value instanceof Promise
}

/**
 * What `next` makes of the value: at once when it is there. `failed` handles what a promise rejects with. A module that
 * exported a `then` would itself be taken for a promise.
 */
export function andThen<T, U>(
  value: MaybePromise<T>,
  next: (value: T) => MaybePromise<U>,
  failed?: (error: unknown) => MaybePromise<U>,
): MaybePromise<U> {
  return isPending(value) ? value.then(next, failed) : next(value)
}

/** All values in their order: at once when none has to be waited for. Rejects with the first failure. */
export function all<T>(values: readonly MaybePromise<T>[]): MaybePromise<readonly T[]> {
  return values.some(isPending) ? Promise.all(values) : (values as readonly T[])
}

/** Remembers what was made for a key: the promise until it settles, the value from then on. A failure is forgotten. */
export class Memo<K, T> {
  readonly #kept: BoundedMap<K, MaybePromise<T>>

  /** @param limit entries kept at most. */
  constructor(limit: number) {
    this.#kept = new BoundedMap(limit)
  }

  get(key: K, make: () => MaybePromise<T>): MaybePromise<T> {
    const known = this.#kept.get(key)
    if (known !== undefined) return known
    const making = make()
    this.#kept.set(key, making)
    if (!isPending(making)) return making
    const replace = (value?: { readonly made: T }): void => {
      if (this.#kept.get(key) !== making) return
      if (value === undefined) this.#kept.delete(key)
      else this.#kept.set(key, value.made)
    }
    making.then(
      (made) => replace({ made }),
      () => replace(),
    )
    return making
  }
}
