/**
 * Does a flood of wrong unsubscribe links slow a run? `node bench/unsubscribe-flood.ts [--rows N] [--tries N] [--rounds N]`
 *
 * Two runs, one as fast as it goes and one paced as a provider allows, each three times: alone; beside a flood that goes to
 * a server which does nothing but answer, so that the cost of HTTP itself on this machine is known; and beside a flood that
 * goes to `mailmerge serve`. The run and the server that is flooded have one core together, which is the worst that can be
 * had; the sink and the flood, which are other machines in life, have another. Beside the flood a recipient leaves ten
 * times a second, from another address: how long that takes is reported, too.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { UnsubscribeTokens } from '../src/unsubscribe/token.ts'
import { startRecordingSink } from '../test/support/recording-sink.ts'

const MAIN = resolve(import.meta.dirname, '../src/cli/main.ts')
const SECRET = 'the secret of a bench, which everybody knows'
/** Of the flood, each with one request under way: nobody who is to be feared waits for less. */
const SOCKETS = 100
const PACE = 300
const PACED_SECONDS = 10
const PINNED = availableParallelism() > 1 && existsSync('/usr/bin/taskset')

async function sink(): Promise<void> {
  const { port } = await startRecordingSink()
  process.send?.({ port })
}

function bare(): void {
  const server = createServer((_, response) => response.writeHead(404, { 'content-length': 0 }).end())
  server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as { port: number }).port }))
}

/** Tries with a changed link each, that many a second over connections that stay open; reports how many were answered, how late. */
function flood(port: number, perSecond: number): void {
  const waits: number[] = []
  const free: Socket[] = []
  const made = new UnsubscribeTokens(SECRET).seal({ address: 'somebody@example.com', group: 'letter' })
  const askedAt = new WeakMap<Socket, number>()
  const open = (): void => {
    const socket = connect(port, '127.0.0.1', () => free.push(socket))
    socket.setNoDelay().on('data', () => {
      waits.push(performance.now() - (askedAt.get(socket) ?? 0))
      free.push(socket)
    })
    // A server that hangs up gets a new connection.
    socket.on('close', () => setTimeout(open, 10))
    socket.on('error', () => {})
  }
  for (let i = 0; i < SOCKETS; i++) open()
  const started = performance.now()
  let sent = 0
  setInterval(() => {
    const due = Math.floor(((performance.now() - started) / 1000) * perSecond)
    // What found no connection free is made up for later, but not for ever.
    sent = Math.max(sent, due - perSecond / 10)
    while (sent < due) {
      const socket = free.shift()
      if (socket === undefined) break
      if (socket.destroyed) continue
      sent++
      askedAt.set(socket, performance.now())
      const token = `${made.slice(0, 30)}${Math.random().toString(36).slice(2, 12).padEnd(10, 'x')}${made.slice(40)}`
      socket.write(
        `POST /u/${token} HTTP/1.1\r\nhost: news.example.com\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 26\r\n\r\nList-Unsubscribe=One-Click`,
      )
    }
  }, 2)
  process.on('message', () => {
    const seconds = (performance.now() - started) / 1000
    process.send?.({ answered: waits.length / seconds, ...percentiles(waits) }, () => process.exit())
  })
}

function percentiles(waits: readonly number[]): { readonly p50: number; readonly p99: number } {
  const sorted = waits.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99) }
}

/** A person a tenth of a second leaves, from another address than the flood's. Ends with how long that took. */
function leave(port: number): () => { readonly refused: number; readonly p50: number; readonly p99: number } {
  const tokens = new UnsubscribeTokens(SECRET)
  const waits: number[] = []
  let refused = 0
  let person = 0
  const timer = setInterval(() => {
    const path = `/u/${tokens.seal({ address: `leaver${process.hrtime.bigint()}@example.com`, group: `other${person++}` })}`
    const at = performance.now()
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const sent = request({ port, host: '127.0.0.1', localAddress: '127.0.0.2', path, method: 'POST', headers })
    sent.on('response', (response) => {
      if (response.statusCode !== 200) refused++
      response.resume().on('end', () => waits.push(performance.now() - at))
    })
    sent.on('error', () => refused++)
    sent.end('List-Unsubscribe=One-Click')
  }, 100)
  return () => {
    clearInterval(timer)
    return { refused, ...percentiles(waits) }
  }
}

/** The core of the run and what stands beside it, and the core of the rest of the world. */
function pin(child: ChildProcess, core: 0 | 1): void {
  if (PINNED && child.pid !== undefined)
    spawn('taskset', ['-a', '-p', '-c', String(core), String(child.pid)], { stdio: 'ignore' })
}

function part(core: 0 | 1, ...args: readonly string[]) {
  const child = fork(import.meta.filename, [...args], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  pin(child, core)
  const said = (): Promise<Record<string, number>> =>
    new Promise((done) => child.once('message', (message) => done(message as Record<string, number>)))
  return { child, said }
}

/** Microseconds of CPU that a process has had; 0 where there is no /proc. */
function cpuOf(pid: number | undefined): number {
  if (pid === undefined || !existsSync(`/proc/${pid}/stat`)) return 0
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}

interface Target {
  readonly name: string
  readonly port: number
  readonly pid: number | undefined
  readonly links: boolean
}

/** Runs once, beside the flood if there is one. Gives messages a second, from the first to the last. */
async function runOnce(
  dir: string,
  args: readonly string[],
  tries: number,
  target?: Target,
): Promise<[number, string]> {
  const flooding = target === undefined ? undefined : part(1, 'flood', String(target.port), String(tries))
  const stopLeaving = target?.links ? leave(target.port) : undefined
  await new Promise((done) => setTimeout(done, 1000))
  const before = cpuOf(target?.pid)
  const started = performance.now()
  const child = spawn(process.execPath, [MAIN, 'run', '--yes', '--json', ...args], {
    cwd: dir,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  pin(child, 0)
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-5000)
  })
  await new Promise((done) => child.on('close', done))
  const share = (cpuOf(target?.pid) - before) / 1000 / (performance.now() - started)
  const { messages_per_second: rate } = JSON.parse(text.trim().split('\n').at(-1) ?? '{}')
  if (flooding === undefined) return [rate, '']
  const reported = flooding.said()
  flooding.child.send('end')
  const { answered = 0, p50 = 0, p99 = 0 } = await reported
  const left = stopLeaving?.()
  const people =
    left === undefined ? '' : `; people ${left.p50.toFixed(0)}/${left.p99.toFixed(0)} ms, ${left.refused} refused`
  return [
    rate,
    `${answered.toFixed(0)} tries/s answered in ${p50.toFixed(0)}/${p99.toFixed(0)} ms, ${(share * 100).toFixed(0)} % of a core${people}`,
  ]
}

async function main(rows: number, tries: number, rounds: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'mailmerge-flood-'))
  const children: ChildProcess[] = []
  try {
    const server = part(1, 'sink')
    const idle = part(0, 'bare')
    children.push(server.child, idle.child)
    const [{ port = 0 }, { port: barePort = 0 }] = await Promise.all([server.said(), idle.said()])
    const people = Array.from({ length: rows }, (_, i) => `Person ${i},p${i}@example.com`)
    writeFileSync(join(dir, 'list.csv'), `name,email\n${people.join('\n')}\n`)
    writeFileSync(join(dir, 'letter.txt'), '---\nfrom: a@example.org\nsubject: News\n---\nDear {{name}}\n')
    writeFileSync(
      join(dir, 'mailmerge.yaml'),
      `template: letter.txt\ncsv: list.csv\nsmtp: { host: 127.0.0.1, port: ${port} }\nunsubscribe: { url: "https://news.example.com", secret: "${SECRET}" }\n`,
    )
    const serve = spawn(process.execPath, [MAIN, 'serve', '--port', '0'], {
      cwd: dir,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    children.push(serve)
    const address = await new Promise<string>((done) => serve.stdout.setEncoding('utf8').once('data', done))
    pin(serve, 0)
    const targets: readonly Target[] = [
      { name: 'bare HTTP', port: barePort, pid: idle.child.pid, links: false },
      { name: 'serve', port: Number(new URL(address.trim()).port), pid: serve.pid, links: true },
    ]
    console.log(
      `${rows} rows, ${tries} tries a second, ${availableParallelism()} cores${PINNED ? ', the run and what is flooded on one' : ''}`,
    )
    console.log('times: half of them are shorter / 99 in 100 are')
    for (let round = 1; round <= rounds; round++) {
      for (const paced of [true, false]) {
        const pace = paced ? ['--rate', `${PACE}/s`, '--limit', String(PACE * PACED_SECONDS)] : []
        const args = (name: string): readonly string[] => [...pace, '--campaign', `${name}${paced}${round}`]
        const [alone] = await runOnce(dir, args('alone'), tries)
        console.log(`${round} ${paced ? `${PACE}/s ` : 'unpaced'}  alone      ${alone.toFixed(0)}/s`)
        for (const target of targets) {
          const [rate, words] = await runOnce(dir, args(target.name), tries, target)
          console.log(
            `           ${target.name.padEnd(9)}  ${rate.toFixed(0)}/s (${(rate / alone).toFixed(2)})  ${words}`,
          )
        }
      }
    }
  } finally {
    for (const child of children) child.kill()
    rmSync(dir, { recursive: true, force: true })
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rows: { type: 'string' }, tries: { type: 'string' }, rounds: { type: 'string' } },
})
const [role, ...rest] = positionals
if (role === 'sink') await sink()
else if (role === 'bare') bare()
else if (role === 'flood') flood(Number(rest[0]), Number(rest[1]))
else await main(Number(values.rows ?? 20_000), Number(values.tries ?? 10_000), Number(values.rounds ?? 3))
