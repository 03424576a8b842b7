/**
 * Order lines planned as one message a customer, beside the same lines planned as a message each, in turns, by the built program;
 * then every customer's sum beside that of SQL over the same file: `node bench/group-plan.ts [lines] [customers] [rounds]`.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { restoreRow } from '../src/campaign/plan/row-data.ts'
import { openSqliteLedger } from '../src/ledger/sqlite/sqlite.ts'
import { loadTemplate } from '../src/template/load.ts'
import { inTurns, ratio, say, sayMachine, spread } from './support/measure.ts'
import { build, mailmerge } from './support/program.ts'

const [lines = 1_000_000, customers = 200_000, rounds = 1] = process.argv.slice(2).map(Number)
/** Lies after all that a run of this length takes, so that the plan is made and nothing is sent. */
const LATER = '2099-01-01 09:00'

const dir = mkdtempSync(join(tmpdir(), 'mailmerge-bench-'))
const ledger = join(dir, '.mailmerge', 'ledger.db')
const peaks: Record<string, number> = {}

/** Customers in an order that no sorting helps with. */
const customerOf = (line: number): number => (line * 7919) % customers

function writeProject(): void {
  const list = join(dir, 'list.csv')
  writeFileSync(list, 'order,email,name,item,price\n')
  for (let from = 0; from < lines; from += 10_000) {
    let block = ''
    for (let line = from; line < Math.min(lines, from + 10_000); line++) {
      const customer = customerOf(line)
      block += `${line},user${customer}@example${customer % 97}.com,Ada${customer},Item ${line % 5000},${((line * 31) % 100_000) / 100}\n`
    }
    writeFileSync(list, block, { flag: 'a' })
  }
}

async function plan(name: string, ...args: readonly string[]): Promise<number> {
  rmSync(join(dir, '.mailmerge'), { recursive: true, force: true })
  const { seconds, peak } = await mailmerge(['run', '--yes', '--detach', '--at', LATER, ...args], dir)
  peaks[name] = Math.max(peaks[name] ?? 0, peak ?? Number.NaN)
  return lines / seconds
}

/** Sums of all messages as the template makes them, compared with SQL's in cents. */
async function compareSums(): Promise<number> {
  using database = new DatabaseSync(join(dir, 'truth.db'))
  database.exec('PRAGMA synchronous = OFF; CREATE TABLE line (email TEXT, cents INTEGER); BEGIN')
  const insert = database.prepare('INSERT INTO line VALUES (?, ?)')
  for (const line of readFileSync(join(dir, 'list.csv'), 'utf8').trimEnd().split('\n').slice(1)) {
    const [, email = '', , , price = ''] = line.split(',')
    insert.run(email, Math.round(Number(price) * 100))
  }
  database.exec(
    'COMMIT; CREATE TABLE sums AS SELECT email, sum(cents) AS cents FROM line GROUP BY email; CREATE INDEX i ON sums (email)',
  )
  const sumOf = database.prepare('SELECT cents FROM sums WHERE email = ?')
  const template = await loadTemplate('sum', { root: dir })
  const record = await openSqliteLedger(ledger, { readOnly: true })
  const run = await record.runs.find()
  let messages = 0
  for (let after = 0; ; ) {
    const due = await record.deliveries.due(run?.id ?? '', { now: new Date('2100-01-01'), after, limit: 1000 })
    if (due.length === 0) break
    for (const one of due) {
      const { cells, others = [] } = restoreRow(one.data)
      const rows = [cells, ...others.map(([, other]) => other)]
      const { subject } = template.render(cells, { row: one.row, campaign: '', now: new Date(), rows })
      const cents = Math.round(Number(subject) * 100)
      if (cents !== sumOf.get(one.key)?.['cents']) throw new Error(`${one.key}: ${subject}`)
      messages++
    }
    after = due.at(-1)?.row ?? after
  }
  await record.close()
  return messages
}

sayMachine()
build()
try {
  await mkdir(join(dir, 'templates'))
  const head = '---\nfrom: a@example.org\nsubject: Your orders\n---\nDear {{name}},\n'
  writeFileSync(join(dir, 'templates/one.txt'), `${head}{{item}}: {{currency price "EUR"}}\n`)
  writeFileSync(
    join(dir, 'templates/all.txt'),
    `${head}{{#each rows}}{{item}}: {{currency price "EUR"}}\n{{/each}}{{sum rows "price"}}\n`,
  )
  writeFileSync(join(dir, 'templates/sum.txt'), `---\nfrom: a@example.org\nsubject: '{{sum rows "price"}}'\n---\nx\n`)
  writeFileSync(join(dir, 'mailmerge.yaml'), 'csv: list.csv\n')
  writeProject()
  const rates = await inTurns(rounds, {
    each: () => plan('each', '--template', 'one', '--key', 'order'),
    grouped: () => plan('grouped', '--template', 'all', '--group-by', 'email'),
  })
  say(`${lines} order lines of ${customers} customers, unsorted`)
  say(
    `  a message each        ${spread(rates['each'] ?? [], 'lines/s')}, ${Math.round(peaks['each'] ?? 0)} MiB at most`,
  )
  say(
    `  a message a customer  ${spread(rates['grouped'] ?? [], 'lines/s')}, ${Math.round(peaks['grouped'] ?? 0)} MiB at most`,
  )
  say(`  ratio ${ratio(rates, 'grouped', 'each').toFixed(2)}`)
  say(`  sums of ${await compareSums()} messages are those of SQL`)
} finally {
  rmSync(dir, { recursive: true, force: true })
}
