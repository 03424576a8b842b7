/**
 * Does a flood of wrong unsubscribe links slow a run? `node bench/unsubscribe-flood.ts [rows] [tries a second]`
 *
 * The same run three times: alone; beside a flood that goes to a server which does nothing but answer, so that the cost of
 * the flood itself on this machine is known; and beside a flood that goes to `mailmerge serve`. The sink, the flood and each
 * server have processes of their own.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { startRecordingSink } from '../test/support/recording-sink.ts'

const MAIN = resolve(import.meta.dirname, '../src/cli/main.ts')
const SOCKETS = 20

async function sink(): Promise<void> {
  const { port } = await startRecordingSink()
  process.send?.({ port })
}

function bare(): void {
  const server = createServer((_, response) => response.writeHead(404, { 'content-length': 0 }).end())
  server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as { port: number }).port }))
}

/** Requests with a made-up token each, so many a second; tells how many were answered. */
function flood(port: number, perSecond: number): void {
  let answered = 0
  const sockets = Array.from({ length: SOCKETS }, () => {
    const socket = connect(port, '127.0.0.1')
    const one = { socket, open: 0 }
    socket.setEncoding('latin1').on('data', (text: string) => {
      const count = text.split('HTTP/1.1 ').length - 1
      answered += count
      one.open -= count
    })
    socket.on('error', () => {})
    return one
  })
  const started = performance.now()
  let sent = 0
  setInterval(() => {
    const due = Math.floor(((performance.now() - started) / 1000) * perSecond) - sent
    for (let i = 0; i < due; i++) {
      const one = sockets[i % SOCKETS]
      // A server that is behind is not asked more at once than it can hold.
      if (one === undefined || one.open > 500) continue
      one.open++
      const token = `AR${Math.random().toString(36).slice(2)}`.padEnd(100, 'x')
      one.socket.write(
        `POST /u/${token} HTTP/1.1\r\nhost: news.example.com\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 26\r\n\r\nList-Unsubscribe=One-Click`,
      )
    }
    sent += Math.max(0, due)
  }, 5)
  process.on('message', () =>
    process.send?.({ answered, seconds: (performance.now() - started) / 1000 }, () => process.exit()),
  )
}

function part(...args: readonly string[]): {
  readonly child: ChildProcess
  readonly said: Promise<Record<string, number>>
} {
  const child = fork(import.meta.filename, [...args], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  return {
    child,
    said: new Promise((done) => child.once('message', (message) => done(message as Record<string, number>))),
  }
}

/** Microseconds of CPU that a process has had; 0 where there is no /proc. */
function cpuOf(pid: number | undefined): number {
  if (pid === undefined || !existsSync(`/proc/${pid}/stat`)) return 0
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}

interface Measured {
  readonly rate: number
  readonly answered?: number
  /** Microseconds of CPU for each answer. */
  readonly cost?: number
}

async function runOnce(
  dir: string,
  campaign: string,
  tries: number,
  floodTo?: { readonly port: number; readonly pid: number | undefined },
): Promise<Measured> {
  const before = cpuOf(floodTo?.pid)
  const flooding = floodTo === undefined ? undefined : part('flood', String(floodTo.port), String(tries))
  await new Promise((done) => setTimeout(done, 1000))
  const child = spawn(process.execPath, [MAIN, 'run', '--yes', '--json', '--campaign', campaign], {
    cwd: dir,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-5000)
  })
  await new Promise((done) => child.on('close', done))
  const summary = JSON.parse(text.trim().split('\n').at(-1) ?? '{}') as { messages_per_second: number }
  flooding?.child.send('end')
  const said = await flooding?.said
  if (said === undefined) return { rate: summary.messages_per_second }
  const { answered = 0, seconds = 1 } = said
  return {
    rate: summary.messages_per_second,
    answered: answered / seconds,
    cost: (cpuOf(floodTo?.pid) - before) / answered,
  }
}

async function main(rows: number, tries: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'mailmerge-flood-'))
  const children: ChildProcess[] = []
  try {
    const server = part('sink')
    const idle = part('bare')
    children.push(server.child, idle.child)
    const { port = 0 } = await server.said
    const { port: barePort = 0 } = await idle.said
    const people = Array.from({ length: rows }, (_, i) => `Person ${i},p${i}@example.com`)
    writeFileSync(join(dir, 'list.csv'), `name,email\n${people.join('\n')}\n`)
    writeFileSync(join(dir, 'letter.txt'), '---\nfrom: a@example.org\nsubject: News\n---\nDear {{name}}\n')
    writeFileSync(
      join(dir, 'mailmerge.yaml'),
      `template: letter.txt\ncsv: list.csv\nsmtp: { host: 127.0.0.1, port: ${port} }\nunsubscribe: { url: "https://news.example.com" }\n`,
    )
    const serve = spawn(process.execPath, [MAIN, 'serve', '--port', '0'], {
      cwd: dir,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    children.push(serve)
    const address = await new Promise<string>((done) => serve.stdout.setEncoding('utf8').once('data', done))
    const servePort = Number(new URL(address.trim()).port)
    console.log(`${rows} rows, ${tries} tries a second, ${availableParallelism()} cores`)
    console.log('round  alone      beside a flood to nothing   beside a flood to serve')
    for (let round = 1; round <= 3; round++) {
      const alone = await runOnce(dir, `alone${round}`, tries)
      const control = await runOnce(dir, `control${round}`, tries, { port: barePort, pid: idle.child.pid })
      const flooded = await runOnce(dir, `flooded${round}`, tries, { port: servePort, pid: serve.pid })
      const words = ({ rate, answered = 0, cost = 0 }: Measured): string =>
        `${rate.toFixed(0)}/s (${(rate / alone.rate).toFixed(2)}), ${answered.toFixed(0)} answered/s at ${cost.toFixed(0)} us of CPU`
      console.log(`${round}      ${alone.rate.toFixed(0)}/s   ${words(control)}   ${words(flooded)}`)
    }
  } finally {
    for (const child of children) child.kill()
    rmSync(dir, { recursive: true, force: true })
  }
}

const [role = '', ...rest] = process.argv.slice(2)
if (role === 'sink') await sink()
else if (role === 'bare') bare()
else if (role === 'flood') flood(Number(rest[0]), Number(rest[1]))
else await main(Number(role || 20_000), Number(rest[0] ?? 10_000))
