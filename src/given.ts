/** Optional properties at the public edge. Owns leaving out the keys that have no value; see `exactOptionalPropertyTypes`. */

/** `T` with each key that may be undefined made optional instead. */
export type Given<T> = { readonly [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  readonly [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}

/**
 * The record without the keys whose value is undefined.
 * @example
 * given({ host: 'localhost', port: undefined }) // { host: 'localhost' }
 */
export function given<const T extends object>(record: T): Given<T> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as Given<T>
}
