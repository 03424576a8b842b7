/**
 * Rows a second of our CSV source beside csv-parse alone, in one process: `node bench/csv-read.ts [rows]`. The list is made
 * in a temporary folder and removed.
 */
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { parse } from 'csv-parse'
import { openSource } from '../src/source/open.ts'

const ROUNDS = 5

function* list(rows: number, quoted: boolean): Generator<string> {
  yield 'email,first name,last name,company,city,amount,note\r\n'
  const quote = quoted ? '"' : ''
  let block = ''
  for (let i = 0; i < rows; i++) {
    const cells = [
      `user${i}@example${i % 97}.com`,
      `Ada${i}`,
      quoted ? `Love ""${i}"" lace` : 'Lovelace',
      `Société ${i % 1000}`,
      'Zürich',
      `${i * 3.25}`,
      `some note ${i}`,
    ]
    block += `${cells.map((cell) => quote + cell + quote).join(',')}\r\n`
    if (block.length > 1 << 16) {
      yield block
      block = ''
    }
  }
  yield block
}

async function withCsvParse(path: string, columns: boolean): Promise<number> {
  let rows = 0
  const parser = createReadStream(path).pipe(parse({ columns }))
  parser.on('data', () => rows++)
  await new Promise((done, failed) => parser.on('end', done).on('error', failed))
  return rows
}

async function withSource(path: string): Promise<number> {
  let rows = 0
  const source = await openSource({ from: { kind: 'file', path } })
  for await (const batch of source.rows()) rows += batch.length
  return rows
}

async function rate(read: () => Promise<number>): Promise<number> {
  const start = performance.now()
  const rows = await read()
  return rows / ((performance.now() - start) / 1000)
}

const median = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0

const rows = Number(process.argv[2] ?? 300_000)
const dir = mkdtempSync(join(tmpdir(), 'mailmerge-bench-'))
try {
  for (const quoted of [false, true]) {
    const path = join(dir, `list-${quoted}.csv`)
    await pipeline(list(rows, quoted), createWriteStream(path))
    const runs = {
      'csv-parse, arrays': () => withCsvParse(path, false),
      'csv-parse, objects': () => withCsvParse(path, true),
      'mailmerge source': () => withSource(path),
    }
    const rates: Record<string, number[]> = {}
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, run] of Object.entries(runs)) rates[name] = [...(rates[name] ?? []), await rate(run)]
    }
    console.log(`${rows} rows of 7 cells, ${quoted ? 'every cell quoted' : 'nothing quoted'}; median of ${ROUNDS}`)
    const base = median(rates['csv-parse, arrays'] ?? [])
    for (const [name, numbers] of Object.entries(rates)) {
      const middle = median(numbers)
      console.log(
        `  ${name.padEnd(20)} ${Math.round(middle).toLocaleString('en')} rows/s, ${(middle / base).toFixed(2)}`,
      )
    }
  }
  console.log(`peak memory ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`)
} finally {
  rmSync(dir, { recursive: true, force: true })
}
