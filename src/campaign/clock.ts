/** Time and chance as the campaign sees them, so that a test can hold them still. */

export interface Clock {
  /** The wall clock. */
  now(): Date
  /** Milliseconds that only ever grow, whatever happens to the wall clock. */
  monotonic(): number
  /** From 0 to below 1. */
  random(): number
}

/** The last moment of a Date: everything is due by then. */
export const END_OF_TIME = new Date(8_640_000_000_000_000)

/** Of two moments the later one, where there are two. */
export function laterOf(one: Date | undefined, other: Date | undefined): Date | undefined {
  return one === undefined || (other !== undefined && other > one) ? other : one
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
  random: Math.random,
}

/**
 * A wall clock that is never set back: what was to happen in a minute happens in a minute, though somebody puts the clock
 * an hour back. Set forward it follows, as if the time had passed, which is what it looks like after a machine's sleep.
 */
export function steadyClock(clock: Clock): Clock {
  let last = clock.now().getTime()
  let at = clock.monotonic()
  return {
    now() {
      const monotonic = clock.monotonic()
      last = Math.max(clock.now().getTime(), last + Math.max(0, monotonic - at))
      at = monotonic
      return new Date(last)
    },
    monotonic: () => clock.monotonic(),
    random: () => clock.random(),
  }
}
