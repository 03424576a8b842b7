/** Finds the word that a person most likely meant, and says so. Owns no list of words. */

/** Edits (insert, delete, replace, swap of neighbours) that turn one word into the other, case aside. */
function distance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replace = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      let best = Math.min(replace, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (before[j - 2] ?? 0) + 1)
      row.push(best)
    }
    before = last
    last = row
  }
  return last[b.length] ?? 0
}

/** The candidate that is near enough to be a slip of the fingers, or undefined. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase().slice(0, 64)
  let best: string | undefined
  let least = Math.max(1, Math.floor(wanted.length / 3)) + 0.5
  for (const candidate of candidates) {
    const d = distance(wanted, candidate.toLowerCase().slice(0, 64))
    if (d < least) {
      least = d
      best = candidate
    }
  }
  return best
}

/**
 * The hint for a word that is not known: `Did you mean 'x'?`, or `otherwise` where nothing is near.
 * @param show How the guess is written, with its quotes.
 */
export function didYouMean(
  word: string,
  candidates: Iterable<string>,
  otherwise: string,
  show: (guess: string) => string = (guess) => `'${guess}'`,
): string {
  const guess = nearest(word, candidates)
  return guess === undefined ? otherwise : `Did you mean ${show(guess)}?`
}
