/** When a deferred row is tried again. Owns the gaps; knows no clock of its own. */

const MINUTE = 60_000
/** Short at first, as greylisting wants it, then patient: 1, 5, 15, 30, 60 minutes, then every two hours. */
const GAPS = [1, 5, 15, 30, 60].map((minutes) => minutes * MINUTE)
const LONGEST = 120 * MINUTE

/** Milliseconds to wait after the `attempts`-th attempt (from 1), spread by a fifth either way so that rows do not return in step. */
export function retryGap(attempts: number, random: () => number): number {
  const gap = GAPS[attempts - 1] ?? LONGEST
  return Math.round(gap * (0.8 + 0.4 * random()))
}

/**
 * Milliseconds to wait after the `failures`-th connection failure in a row (from 1): a second, doubling to a minute,
 * spread by a fifth either way.
 */
export function reconnectGap(failures: number, random: () => number): number {
  const gap = Math.min(60_000, 1000 * 2 ** Math.min(failures - 1, 10))
  return Math.round(gap * (0.8 + 0.4 * random()))
}
