/**
 * The whole path from a CSV to its results, the durable ledger on, beside its peers in the same run:
 * `node bench/deliver.ts [loopback] [distance] [attachment] [million] [--rounds N] [--rows N]`. Without a name all four run.
 * Everything goes to Postfix's smtp-sink on loopback, which takes all and keeps nothing.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { roundTrip, startDelayingProxy } from './support/delaying-proxy.ts'
import { inTurns, median, ratio, say, sayMachine, spread } from './support/measure.ts'
import { needPostfixTools, type Sink, smtpSource, startSink } from './support/postfix-tools.ts'
import { build, mailmerge, timed } from './support/program.ts'
import { makeWorkload, type Workload } from './support/workload.ts'

const CONNECTIONS = 10
const ONE_WAY_MS = 25
const SUPPORT = join(import.meta.dirname, 'support')
const peaks: number[] = []
const paces: number[] = []

/** Sends the whole list as a new campaign; gives messages a second from the start of the program to its end. */
async function ours({ dir, list }: Workload, rows: number, port: number): Promise<number> {
  rmSync(join(dir, '.mailmerge'), { recursive: true, force: true })
  const { seconds, peak, stdout } = await mailmerge(
    [
      'run',
      '--csv',
      list,
      '--template',
      'seat',
      '--smtp',
      `smtp://127.0.0.1:${port}`,
      '--concurrency',
      `${CONNECTIONS}`,
      '--yes',
    ],
    dir,
  )
  if (!stdout.startsWith(`${rows.toLocaleString('en')} sent`)) throw new Error(`not all were sent: ${stdout}`)
  if (peak !== undefined) peaks.push(peak)
  const pace = /, ([\d,.]+)\/s/.exec(stdout)?.[1]
  if (pace !== undefined) paces.push(Number(pace.replaceAll(',', '')))
  return rows / seconds
}

/** The loop that a user would write, on a list of its own. */
async function poolLoop({ dir, list }: Workload, rows: number, port: number, attachment?: string): Promise<number> {
  const args = [join(SUPPORT, 'pool-loop.ts'), list, `${port}`, `${CONNECTIONS}`]
  const { seconds } = await timed(attachment === undefined ? args : [...args, attachment], dir)
  return rows / seconds
}

function sayOurs(): void {
  say(
    `  mailmerge, delivery alone   ${spread(paces.splice(0), 'messages/s')}, most memory ${Math.round(Math.max(...peaks.splice(0)))} MiB`,
  )
}

/** (a) Nothing but the machine in the way; server and client share its cores. */
async function loopback(sink: Sink, rounds: number, rows: number): Promise<void> {
  const few = Math.round(rows / 4)
  const list = await makeWorkload({ rows })
  const short = await makeWorkload({ rows: few })
  try {
    const rates = await inTurns(rounds, {
      mailmerge: () => ours(list, rows, sink.port),
      'smtp-source': () => smtpSource(sink.port, CONNECTIONS, rows, 3500),
      pool: () => poolLoop(short, few, sink.port),
    })
    say(`loopback, ${rows} messages of about 3.5 KB, ${CONNECTIONS} connections`)
    say(`  mailmerge, CSV to results   ${spread(rates['mailmerge'] ?? [], 'messages/s')}`)
    sayOurs()
    say(`  smtp-source, one message    ${spread(rates['smtp-source'] ?? [], 'messages/s')}`)
    say(`  nodemailer pool loop        ${spread(rates['pool'] ?? [], 'messages/s')}`)
    say(
      `  ratio to smtp-source ${ratio(rates, 'mailmerge', 'smtp-source').toFixed(2)}, to the pool ${ratio(rates, 'mailmerge', 'pool').toFixed(1)}`,
    )
  } finally {
    list.remove()
    short.remove()
  }
}

/** (b) The wire in the way: a round trip takes 50 ms, and what counts is how many of them a message needs. */
async function distance(sink: Sink, rounds: number): Promise<void> {
  const rows = 6000
  const few = 1500
  const list = await makeWorkload({ rows })
  const short = await makeWorkload({ rows: few })
  const proxy = await startDelayingProxy(sink.port, ONE_WAY_MS)
  try {
    const trip = await roundTrip(proxy.port)
    const rates = await inTurns(rounds, {
      mailmerge: () => ours(list, rows, proxy.port),
      pool: () => poolLoop(short, few, proxy.port),
    })
    const limit = (CONNECTIONS * 1000) / trip
    say(
      `a round trip of ${2 * ONE_WAY_MS} ms (${trip.toFixed(1)} with the timers of the proxy), ${rows} messages, ${CONNECTIONS} connections; one round trip a message is ${Math.round(limit)}/s`,
    )
    say(`  mailmerge, CSV to results   ${spread(rates['mailmerge'] ?? [], 'messages/s')}`)
    sayOurs()
    say(`  nodemailer pool loop        ${spread(rates['pool'] ?? [], 'messages/s')}`)
    const share = median(rates['mailmerge'] ?? []) / limit
    say(
      `  share of one round trip a message ${share.toFixed(2)}, ratio to the pool ${ratio(rates, 'mailmerge', 'pool').toFixed(2)}`,
    )
  } finally {
    proxy.close()
    list.remove()
    short.remove()
  }
}

/** (c) Bytes: every message carries the same file of 1 MB. */
async function attachment(sink: Sink, rounds: number): Promise<void> {
  const rows = 1000
  const few = 200
  // Base64 in lines of 76 makes 78 bytes of 57.
  const octets = Math.round((1_000_000 / 57) * 78) + 3500
  const list = await makeWorkload({ rows, attachment: 1_000_000 })
  const short = await makeWorkload({ rows: few, attachment: 1_000_000 })
  try {
    const rates = await inTurns(rounds, {
      mailmerge: () => ours(list, rows, sink.port),
      'smtp-source': () => smtpSource(sink.port, CONNECTIONS, rows, octets),
      pool: () => poolLoop(short, few, sink.port, 'programme.bin'),
    })
    const megabytes = (name: string): string =>
      spread(
        (rates[name] ?? []).map((rate) => (rate * octets) / 1_000_000),
        'MB/s',
      )
    say(`a shared attachment of 1 MB, ${rows} messages, ${CONNECTIONS} connections`)
    say(`  mailmerge, CSV to results   ${megabytes('mailmerge')}`)
    sayOurs()
    say(`  smtp-source, one message    ${megabytes('smtp-source')}`)
    say(`  nodemailer pool loop        ${megabytes('pool')}`)
    say(
      `  ratio to smtp-source ${ratio(rates, 'mailmerge', 'smtp-source').toFixed(2)}, to the pool ${ratio(rates, 'mailmerge', 'pool').toFixed(1)}`,
    )
  } finally {
    list.remove()
    short.remove()
  }
}

interface Fact {
  readonly step: 'planning' | 'planned' | 'delivering' | 'done'
  readonly rows: number
  /** Milliseconds since the step before the last `planned`. */
  readonly at: number
  readonly rss: number
}

/** (d) A long list: is the end as fast as the start, and does memory stay where it was? */
async function million(sink: Sink, rows: number): Promise<void> {
  const list = await makeWorkload({ rows })
  const rates: number[] = []
  let before: Fact = { step: 'planning', rows: 0, at: 0, rss: 0 }
  try {
    say(`${rows} rows, ${CONNECTIONS} connections`)
    const args = ['deliver', list.list, `smtp://127.0.0.1:${sink.port}`, `${CONNECTIONS}`]
    const { peak, seconds } = await timed([join(SUPPORT, 'merge.ts'), ...args], list.dir, (line) => {
      const fact = JSON.parse(line) as Fact
      if (fact.step === 'done') return
      const rate =
        fact.step === 'planned'
          ? fact.rows / (fact.at / 1000)
          : ((fact.rows - before.rows) * 1000) / (fact.at - before.at)
      if (fact.step === 'delivering') rates.push(rate)
      say(
        `  ${fact.step.padEnd(10)} ${fact.rows.toLocaleString('en').padStart(9)} rows, ${Math.round(rate).toLocaleString('en').padStart(7)}/s, ${fact.rss} MiB`,
      )
      before = fact.step === 'planned' ? { ...fact, rows: 0, at: 0 } : fact
    })
    const third = Math.max(1, Math.floor(rates.length / 3))
    const change = median(rates.slice(-third)) / median(rates.slice(0, third))
    say(
      `  end to start ${change.toFixed(2)}, most memory ${Math.round(peak ?? 0)} MiB, ${Math.round(rows / seconds)} messages/s from CSV to results`,
    )
  } finally {
    list.remove()
  }
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, rows: { type: 'string' } },
})
const wanted = (name: string): boolean => positionals.length === 0 || positionals.includes(name)
const rounds = Number(values.rounds)
needPostfixTools()
build()
sayMachine()
const sink = await startSink()
try {
  if (wanted('loopback')) await loopback(sink, rounds, Number(values.rows ?? 20_000))
  if (wanted('distance')) await distance(sink, Math.min(rounds, 3))
  if (wanted('attachment')) await attachment(sink, rounds)
  if (wanted('million')) await million(sink, Number(values.rows ?? 1_000_000))
} finally {
  sink.child.kill()
}
