/** Postfix's `smtp-sink` with its fault flags, writing down the Message-IDs that it took. */
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { needProgram } from './debian-package.ts'
import { freePort } from './postfix.ts'

export interface SmtpSink {
  readonly port: number
  /** Message-IDs of the messages that it heard to their end, in order. */
  ids(): readonly string[]
  stop(): Promise<void>
}

/** Why there is none, if so. */
export function noSmtpSink(): string | undefined {
  return needProgram('/usr/sbin/smtp-sink', ['postfix'])
}

/** @param flags as in smtp-sink(1), `-f MAIL` as two. */
export async function startSmtpSink(flags: readonly string[]): Promise<SmtpSink> {
  const dir = mkdtempSync(join(tmpdir(), 'mailmerge-smtp-sink-'))
  chmodSync(dir, 0o777)
  const port = await freePort()
  const dump = join(dir, 'dump')
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const args = [...user, '-D', dump, ...flags, `inet:127.0.0.1:${port}`, '100']
  const child = spawn('/usr/sbin/smtp-sink', args, { stdio: 'ignore' })
  await listens(port)
  return {
    port,
    ids: () =>
      existsSync(dump)
        ? [...readFileSync(dump, 'latin1').matchAll(/^message-id:\s*(\S+)/gim)].map(([, id]) => id ?? '')
        : [],
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Waits until somebody takes connections, whatever they are greeted with. */
async function listens(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
    })
    if (open) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`nobody listens on port ${port}`)
}
