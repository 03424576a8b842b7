/**
 * A Maildir as a transport (cr.yp.to/proto/maildir.html): each message is written whole under `tmp`, made durable, and then
 * appears under `new`. Owns names and durability; any number of programs may deliver to it at the same time.
 */

import { open, readdir, rename, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { OutputError } from '../errors.ts'
import { syncFolder } from '../fs/atomic.ts'
import { makeFolder } from '../fs/folder.ts'
import { folderWords } from '../fs/system-errors.ts'
import type { Message } from '../message/message.ts'
import { deliveryLines, unixLines } from './mailbox-form.ts'
import { type Handed, oneByOne } from './one-by-one.ts'
import type { Lane, Transport } from './transport.ts'

const FOLDERS = ['tmp', 'new', 'cur'] as const
let serial = 0

/** Nothing is made before the first lane is opened. */
export function createMaildirTransport(dir: string): Transport {
  let ready: Promise<void> | undefined
  let broken: OutputError | undefined

  async function handOver(message: Message): Promise<Handed> {
    const name = uniqueName()
    const draft = join(dir, 'tmp', name)
    let appeared = false
    try {
      await writeDurably(draft, message)
      await rename(draft, join(dir, 'new', name))
      appeared = true
      await syncFolder(join(dir, 'new'))
      return { outcome: { kind: 'accepted', reply: { code: 250, text: `delivered as new/${name}` } } }
    } catch (cause) {
      await rm(draft, { force: true }).catch(() => undefined)
      broken = unwritable(dir, cause)
      const reason = broken.message
      return { outcome: appeared ? { kind: 'in_doubt', reason } : { kind: 'unsent', reason }, lost: reason }
    }
  }

  return {
    name: `maildir ${dir}`,
    maxLanes: 8,
    async open(): Promise<Lane> {
      // A disk that refused a message gets no other: the run stops and can be resumed.
      if (broken !== undefined) throw broken
      ready ??= prepare(dir)
      await ready
      return oneByOne(handOver)
    },
    async verify() {
      await prepare(dir)
      return {
        server: `maildir ${dir}`,
        secure: true,
        tls: 'nothing leaves this machine',
        authenticated: false,
        extensions: [],
      }
    },
    async close() {},
  }
}

/** @throws OutputError when the folder is not a Maildir and none can be made of it. */
async function prepare(dir: string): Promise<void> {
  try {
    const found = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
    if (found.length > 0 && !found.some((name) => FOLDERS.some((folder) => folder === name))) {
      throw new OutputError(`the folder ${dir} holds files and is not a Maildir`, {
        hint: 'Name a new or empty folder.',
      })
    }
    for (const folder of FOLDERS) makeFolder(join(dir, folder), { mode: 0o700 })
  } catch (cause) {
    throw cause instanceof OutputError ? cause : unwritable(dir, cause)
  }
}

async function writeDurably(path: string, message: Message): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.appendFile(deliveryLines(message))
    for (const piece of unixLines(message.chunks)) await file.appendFile(piece)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Time, microseconds, process, serial number and host: nobody else has it. */
function uniqueName(): string {
  const now = performance.timeOrigin + performance.now()
  const host = hostname().replaceAll('/', '\\057').replaceAll(':', '\\072')
  const micros = Math.floor((now % 1000) * 1000)
  return `${Math.floor(now / 1000)}.M${micros}P${process.pid}Q${++serial}.${host}`
}

function unwritable(dir: string, cause: unknown): OutputError {
  return new OutputError(`the Maildir ${dir} cannot be written: ${folderWords(cause)}`, {
    cause,
    hint: 'Free some space or fix its permissions; mailmerge resume continues.',
  })
}
