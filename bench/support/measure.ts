/** Rounds in turns, medians, and the words that benches print. Owns how numbers are compared; measures nothing by itself. */
import { cpus } from 'node:os'

/** The results of one contender, a number a round. */
export type Rounds = Readonly<Record<string, readonly number[]>>

/**
 * Runs every contender once a round, in turns, so that whatever else the machine does falls on all of them. Each gives its
 * rate.
 */
export async function inTurns(
  rounds: number,
  contenders: Readonly<Record<string, () => number | Promise<number>>>,
): Promise<Rounds> {
  const rates: Record<string, number[]> = {}
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(contenders)) {
      const rate = await run()
      rates[name] = [...(rates[name] ?? []), rate]
    }
  }
  return rates
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

/** `1,234 (1,100 to 1,300)`. */
export function spread(numbers: readonly number[], unit: string): string {
  const words = (value: number): string => Math.round(value).toLocaleString('en')
  return `${words(median(numbers))} ${unit} (${words(Math.min(...numbers))} to ${words(Math.max(...numbers))})`
}

/** The ratio of two contenders round by round, so that a slow minute of the machine counts on both sides. */
export function ratio(rounds: Rounds, one: string, other: string): number {
  const others = rounds[other] ?? []
  return median((rounds[one] ?? []).map((rate, round) => rate / (others[round] ?? Number.NaN)))
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

export function sayMachine(): void {
  const [first] = cpus()
  say(
    `${new Date().toISOString().slice(0, 10)}, Node.js ${process.versions.node}, ${cpus().length} cores (${first?.model ?? 'unknown'})`,
  )
}
