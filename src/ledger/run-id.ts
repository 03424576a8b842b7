/** Names runs so that they sort by time. Owns the form of a run's id; never asks whether it exists already. */

const LETTERS = '0123456789abcdefghijklmnopqrstuvwxyz'
const RANDOM_LETTERS = 3

const FORM = /^\d{8}T\d{6}-[0-9a-z]{5}$/

export function isRunId(text: string): boolean {
  return FORM.test(text)
}

/**
 * A new run's id, `20261124T102530-k3f9a`: UTC to the second, its milliseconds in two letters, so that runs of one second sort
 * too, then three letters of chance.
 * @param random gives numbers from 0 up to 1, as `Math.random` does.
 */
export function newRunId(now: Date = new Date(), random: () => number = Math.random): string {
  const time = now.toISOString().replace(/[-:]/g, '').slice(0, 15)
  let suffix = now.getUTCMilliseconds().toString(36).padStart(2, '0')
  for (let index = 0; index < RANDOM_LETTERS; index += 1)
    suffix += LETTERS.charAt(Math.floor(random() * LETTERS.length))
  return `${time}-${suffix}`
}
