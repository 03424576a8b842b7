/**
 * Messages a second of SMTP lanes alone (no plan, no ledger: an attempt is durable at once) into Postfix's smtp-sink on
 * loopback, beside Postfix's smtp-source with the same number of connections: `node bench/lane.ts [messages] [bytes]`.
 * Both want Debian's package postfix; without it a sink of our own takes the mails and nothing stands beside.
 */
import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SmtpSettings } from '../src/config/settings.ts'
import type { Message } from '../src/message/message.ts'
import { createSmtpTransport } from '../src/transport/smtp/smtp-transport.ts'
import type { Feed, Job } from '../src/transport/transport.ts'

const SINK = '/usr/sbin/smtp-sink'
const SOURCE = '/usr/sbin/smtp-source'
const CONNECTIONS = [1, 5, 10]
const ROUNDS = 3

/** Enough different messages that nothing about one of them can be remembered to our advantage. */
function letters(octets: number): readonly Message[] {
  return Array.from({ length: 500 }, (_, index) => {
    const id = `<${index}@bench.example>`
    const head = `From: a@example.org\r\nTo: r${index}@example.com\r\nMessage-ID: ${id}\r\nSubject: ${index}\r\n\r\n`
    const line = `${'Dear reader, this is a line. '.repeat(3).slice(0, 74)}\r\n`
    const body = line.repeat(Math.max(1, Math.round((octets - head.length) / line.length)))
    const chunk = Buffer.from(head + body, 'latin1')
    return {
      id,
      envelope: { from: 'a@example.org', to: [`r${index}@example.com`] },
      chunks: [chunk],
      size: chunk.length,
      eightBit: false,
      smtputf8: false,
    }
  })
}

async function ours(port: number, connections: number, count: number, messages: readonly Message[]): Promise<number> {
  const settings: SmtpSettings = {
    host: '127.0.0.1',
    port,
    security: 'none',
    verifyCertificate: true,
    allowPlainLogin: false,
    lmtp: false,
    pipelining: 'auto',
    timeouts: { connect: 5000, greeting: 5000, command: 30_000, data: 30_000, endOfData: 30_000 },
  }
  const transport = createSmtpTransport(settings)
  let next = 0
  let accepted = 0
  const feed: Feed<Job> = {
    next() {
      const message = next < count ? messages[next++ % messages.length] : undefined
      return message === undefined ? undefined : { message }
    },
    begin: () => Promise.resolve(),
    end(_job, outcome) {
      if (outcome.kind === 'accepted') accepted++
      else throw new Error(`a message ended ${outcome.kind}`)
    },
  }
  const started = performance.now()
  await Promise.all(Array.from({ length: connections }, async () => (await transport.open()).run(feed)))
  const seconds = (performance.now() - started) / 1000
  await transport.close()
  if (accepted !== count) throw new Error(`${accepted} of ${count} were accepted`)
  return count / seconds
}

function theirs(port: number, connections: number, count: number, octets: number): number {
  const started = performance.now()
  const options = ['-d', '-s', `${connections}`, '-m', `${count}`, '-l', `${octets}`]
  execFileSync(SOURCE, [...options, '-f', 'a@example.org', '-t', 'b@example.com', `127.0.0.1:${port}`])
  return count / ((performance.now() - started) / 1000)
}

/** Takes all and keeps nothing; runs in a process of its own. */
function serve(): void {
  const server = createServer((socket) => {
    let rest = ''
    let content = false
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.write('220 sink\r\n')
    socket.on('data', (chunk) => {
      rest += chunk.toString('latin1')
      let out = ''
      for (;;) {
        const mark = content ? '\r\n.\r\n' : '\r\n'
        const end = rest.indexOf(mark)
        if (end < 0) break
        const verb = rest.slice(0, 4)
        rest = rest.slice(end + mark.length)
        if (content) {
          content = false
          out += '250 2.0.0 Ok\r\n'
        } else if (verb === 'DATA') {
          content = true
          out += '354 go on\r\n'
        } else if (verb === 'EHLO') out += '250-sink\r\n250 PIPELINING\r\n'
        else if (verb === 'QUIT') socket.end('221 bye\r\n')
        else out += '250 2.1.0 Ok\r\n'
      }
      if (out !== '') socket.write(out)
    })
  })
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
}

async function startSink(): Promise<{ readonly port: number; readonly child: ChildProcess }> {
  if (!existsSync(SINK)) {
    const child = fork(import.meta.filename, ['sink'])
    return {
      port: await new Promise<number>((resolve) => child.once('message', (port) => resolve(Number(port)))),
      child,
    }
  }
  const port = 20_000 + (process.pid % 20_000)
  const child = spawn(SINK, [...(process.getuid?.() === 0 ? ['-u', 'nobody'] : []), `127.0.0.1:${port}`, '100'])
  for (let tries = 0; tries < 50; tries++) {
    await sleep(50)
    const up = await new Promise<boolean>((resolve) => {
      const probe = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false))
      probe.on('connect', () => probe.destroy())
    })
    if (up) return { port, child }
  }
  throw new Error('smtp-sink does not listen')
}

const best = (rates: readonly number[]): number => Math.round(Math.max(...rates))

async function main(): Promise<void> {
  const [count = 20_000, octets = 3500] = process.argv.slice(2).map(Number)
  const { port, child } = await startSink()
  try {
    const messages = letters(octets)
    await ours(port, 2, Math.min(count, 5000), messages)
    for (const connections of CONNECTIONS) {
      const lanes: number[] = []
      const source: number[] = []
      // In turns, so that whatever else the machine does falls on both.
      for (let round = 0; round < ROUNDS; round++) {
        lanes.push(await ours(port, connections, count, messages))
        if (existsSync(SOURCE)) source.push(theirs(port, connections, count, octets))
      }
      const beside =
        source.length === 0 ? '' : `, smtp-source ${best(source)}/s, ratio ${(best(lanes) / best(source)).toFixed(2)}`
      process.stdout.write(`${connections} connections, ${octets} bytes: lanes ${best(lanes)}/s${beside}\n`)
    }
  } finally {
    child.kill()
  }
}

if (process.argv[2] === 'sink') serve()
else await main()
