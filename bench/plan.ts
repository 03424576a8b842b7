/**
 * A long list planned (read, checked, rendered, composed once, deduplicated, recorded) beside csv-parse alone, in turns:
 * `node bench/plan.ts [rows] [rounds]`.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { inTurns, median, ratio, say, sayMachine, spread } from './support/measure.ts'
import { timed } from './support/program.ts'
import { makeWorkload } from './support/workload.ts'

const SUPPORT = join(import.meta.dirname, 'support')
const [rows = 1_000_000, rounds = 3] = process.argv.slice(2).map(Number)
const list = await makeWorkload({ rows })
const memory: number[][] = []

/** Seconds from the first byte read to the plan being settled and durable, without the start of the program. */
async function plan(): Promise<number> {
  rmSync(join(list.dir, '.mailmerge'), { recursive: true, force: true })
  const seen: number[] = []
  let milliseconds = Number.NaN
  await timed([join(SUPPORT, 'merge.ts'), 'plan', list.list, 'smtp://127.0.0.1:25'], list.dir, (line) => {
    const fact = JSON.parse(line) as { readonly step: string; readonly at: number; readonly rss: number }
    seen.push(fact.rss)
    if (fact.step === 'planned') milliseconds = fact.at
  })
  memory.push(seen)
  return (rows * 1000) / milliseconds
}

async function parseAlone(): Promise<number> {
  let rate = Number.NaN
  await timed([join(SUPPORT, 'csv-parse-alone.ts'), list.list], list.dir, (line) => {
    rate = Number(line)
  })
  return rate
}

sayMachine()
try {
  const rates = await inTurns(rounds, { plan, parse: parseAlone })
  say(`${rows} rows of 7 cells, a template of 3.5 KB`)
  say(`  planned            ${spread(rates['plan'] ?? [], 'rows/s')}`)
  say(`  csv-parse alone    ${spread(rates['parse'] ?? [], 'rows/s')}`)
  say(
    `  ratio ${ratio(rates, 'plan', 'parse').toFixed(2)}; MiB at each 100,000 rows: ${(memory[0] ?? []).join(' ')}; most ${Math.max(...memory.flat(), median([]))}`,
  )
} finally {
  list.remove()
}
