/** Time and chance as the campaign sees them, so that a test can hold them still. */

export interface Clock {
  /** The wall clock. */
  now(): Date
  /** Milliseconds that only ever grow, whatever happens to the wall clock. */
  monotonic(): number
  /** From 0 to below 1. */
  random(): number
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
  random: Math.random,
}
