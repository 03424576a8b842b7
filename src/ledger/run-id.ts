/** Names runs so that they sort by time. Owns the form of a run's id; never asks whether it is taken. */

const LETTERS = '0123456789abcdefghijklmnopqrstuvwxyz'

/**
 * A new run's id, `20261124T102530-k3f9`: UTC to the second, then four characters against two runs in one second.
 * @param random gives numbers from 0 up to 1, as `Math.random` does.
 */
export function newRunId(now: Date = new Date(), random: () => number = Math.random): string {
  const time = now.toISOString().replace(/[-:]/g, '').slice(0, 15)
  let suffix = ''
  for (let index = 0; index < 4; index += 1) suffix += LETTERS.charAt(Math.floor(random() * LETTERS.length))
  return `${time}-${suffix}`
}
