/** csv-parse reading a list into arrays and doing nothing with them; prints rows a second: `node csv-parse-alone.ts list.csv`. */
import { createReadStream } from 'node:fs'
import { parse } from 'csv-parse'

let rows = -1
const began = performance.now()
const parser = createReadStream(process.argv[2] ?? '').pipe(parse())
parser.on('data', () => rows++)
await new Promise((done, failed) => parser.on('end', done).on('error', failed))
process.stdout.write(`${rows / ((performance.now() - began) / 1000)}\n`)
