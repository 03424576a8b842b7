/**
 * An mbox file as a transport, in the form mboxrd (RFC 4155 describes the family). Owns the lock, and that a message stands in
 * the file whole or not at all.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { OutputError } from '../errors.ts'
import { withLockFile } from '../fs/lock-file.ts'
import { outputWords, systemWords } from '../fs/system-errors.ts'
import type { Message } from '../message/message.ts'
import { deliveryLines, unixLines } from './mailbox-form.ts'
import { type Handed, oneByOne } from './one-by-one.ts'
import type { Lane, Transport } from './transport.ts'

/** Mail programs take a lock that is five minutes old for one of a program that died. */
const LOCK = { stale: 300_000, patience: 330_000 }

/** One lane: a file has one end. Nothing is made before it is opened. */
export function createMboxTransport(path: string): Transport {
  let broken: OutputError | undefined

  async function handOver(message: Message): Promise<Handed> {
    try {
      const outcome = await withLockFile(`${path}.lock`, LOCK, () => append(path, message))
      if (outcome.lost !== undefined) broken = unwritable(path, new Error(outcome.lost))
      return outcome
    } catch (cause) {
      broken = unwritable(path, cause)
      return { outcome: { kind: 'unsent', reason: broken.message }, lost: broken.message }
    }
  }

  return {
    name: `mbox ${path}`,
    maxLanes: 1,
    async open(): Promise<Lane> {
      if (broken !== undefined) throw broken
      await check(path)
      return oneByOne(handOver)
    },
    async verify() {
      await check(path)
      return {
        server: `mbox ${path}`,
        secure: true,
        tls: 'nothing leaves this machine',
        authenticated: false,
        extensions: [],
      }
    },
    async close() {},
  }
}

/** @throws OutputError when it is not a file, or cannot be made or written. */
async function check(path: string): Promise<void> {
  try {
    await (await openMbox(path)).close()
  } catch (cause) {
    throw unwritable(path, cause)
  }
}

async function openMbox(path: string): Promise<FileHandle> {
  const file = await open(path, 'a+', 0o600)
  const info = await file.stat()
  if (info.isFile()) return file
  await file.close()
  throw new Error('it is not a file')
}

/** Puts a message behind the others. What could not be written whole is taken away again. */
async function append(path: string, message: Message): Promise<Handed> {
  const file = await openMbox(path)
  try {
    const { size } = await file.stat()
    try {
      await file.appendFile(`${await separation(file, size)}From ${fromLine(message, new Date())}\n`)
      let lineStart = true
      for (const piece of quoted([Buffer.from(deliveryLines(message)), ...unixLines(message.chunks)])) {
        await file.appendFile(piece)
        lineStart = piece.at(-1) === 10
      }
      await file.appendFile(lineStart ? '\n' : '\n\n')
      await file.sync()
      return { outcome: { kind: 'accepted', reply: { code: 250, text: `appended at byte ${size}` } } }
    } catch (cause) {
      const reason = systemWords(cause)
      // The end of the file is where it was, so the message is not in it.
      const undone = await file.truncate(size).then(
        () => true,
        () => false,
      )
      return { outcome: undone ? { kind: 'unsent', reason } : { kind: 'in_doubt', reason }, lost: reason }
    }
  } finally {
    await file.close()
  }
}

/** What must stand before a new message: an empty line behind the last one, also one that a crash cut off. */
async function separation(file: FileHandle, size: number): Promise<string> {
  if (size === 0) return ''
  const length = Math.min(2, size)
  const { buffer } = await file.read({ buffer: Buffer.alloc(length), position: size - length, length })
  const end = buffer.toString('latin1')
  if (end === '\n' || end === '\n\n') return ''
  return end.endsWith('\n') ? '\n' : '\n\n'
}

/** Sender and time of the line that begins a message, as ctime writes it, in UTC. */
function fromLine({ envelope }: Message, date: Date): string {
  const [day, number, month, year, time] = date.toUTCString().replace(',', '').split(' ')
  const sender = envelope.from === '' ? 'MAILER-DAEMON' : envelope.from.replace(/\s/g, '_')
  return `${sender} ${day} ${month} ${String(Number(number)).padStart(2)} ${time} ${year}`
}

/**
 * One `>` more before each line that begins with `From `, with or without others before it, so that reading can take it
 * away again. Lines may go over the edges of pieces.
 */
function* quoted(pieces: Iterable<Buffer>): Generator<Buffer> {
  let rest = ''
  for (const piece of pieces) {
    const text = rest + piece.toString('latin1')
    const end = text.lastIndexOf('\n') + 1
    rest = text.slice(end)
    if (end > 0) yield Buffer.from(text.slice(0, end).replace(/^(>*From )/gm, '>$1'), 'latin1')
  }
  if (rest !== '') yield Buffer.from(rest.replace(/^(>*From )/, '>$1'), 'latin1')
}

function unwritable(path: string, cause: unknown): OutputError {
  const { code } = cause as NodeJS.ErrnoException
  return new OutputError(`the mbox ${path} cannot be written: ${outputWords(cause)}`, {
    cause,
    hint:
      code === 'EBUSY'
        ? `Another program holds ${path}.lock: remove that file if none does.`
        : 'Free some space or fix its permissions; mailmerge resume continues.',
  })
}
