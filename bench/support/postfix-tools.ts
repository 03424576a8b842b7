/** Postfix's smtp-sink and smtp-source, the fastest plain peers that are installed. Owns finding, starting and stopping them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const SINK = '/usr/sbin/smtp-sink'
const SOURCE = '/usr/sbin/smtp-source'

/** @throws Error that says what to install. */
export function needPostfixTools(): void {
  if (!existsSync(SINK) || !existsSync(SOURCE)) {
    throw new Error('this bench needs smtp-sink and smtp-source: install the package postfix of Debian or Ubuntu')
  }
}

export interface Sink {
  readonly port: number
  readonly child: ChildProcess
}

/** Starts smtp-sink on a free port of loopback and waits until it takes connections. */
export async function startSink(): Promise<Sink> {
  const port = await freePort()
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const child = spawn(SINK, [...user, `127.0.0.1:${port}`, '100'], { stdio: 'ignore' })
  for (let tries = 0; tries < 100; tries++) {
    await sleep(50)
    if (await answers(port)) return { port, child }
  }
  child.kill()
  throw new Error('smtp-sink does not listen')
}

/** Sends `count` constant messages of `bytes` and gives the messages a second. */
export async function smtpSource(port: number, connections: number, count: number, octets: number): Promise<number> {
  const options = ['-d', '-s', `${connections}`, '-m', `${count}`, '-l', `${octets}`]
  const started = performance.now()
  const child = spawn(SOURCE, [...options, '-f', 'a@example.org', '-t', 'b@example.com', `127.0.0.1:${port}`], {
    stdio: 'inherit',
  })
  const code = await new Promise<number | null>((done) => child.once('close', done))
  if (code !== 0) throw new Error(`smtp-source ended with ${code}`)
  return count / ((performance.now() - started) / 1000)
}

function freePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(port, '127.0.0.1')
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', () => resolve(false))
  })
}
