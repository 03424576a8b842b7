/**
 * Messages that lie somewhere on this machine: a file, an mbox, a Maildir, a folder of `.eml` files, standard input. Owns
 * finding and cutting them; changes none and judges none.
 */
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { InputError } from '../errors.ts'
import { isSystemError, systemWords } from '../fs/system-errors.ts'

/** A message somebody else made. */
export interface InboundMessage {
  /** Where it was found, for people. */
  readonly file: string
  /** Which of the messages of an mbox it is, from 1. */
  readonly number?: number
  /** The beginning of it, up to two megabytes: no report says anything behind that. */
  readonly bytes: Uint8Array
}

/** Bytes of one message that are kept. */
const MAX_MESSAGE_BYTES = 2_000_000
const LF = 0x0a

/**
 * All messages of a path, or of standard input for `-`.
 * @throws InputError for a path that is not there or cannot be read.
 */
export async function* readMailbox(
  path: string,
  stdin: NodeJS.ReadableStream = process.stdin,
): AsyncGenerator<InboundMessage> {
  if (path === '-') {
    yield* splitMessages('standard input', bytesOf(stdin))
    return
  }
  try {
    const facts = await stat(path)
    if (!facts.isDirectory()) yield* splitMessages(path, createReadStream(path))
    else for (const file of await messageFilesIn(path)) yield* splitMessages(file, createReadStream(file))
  } catch (error) {
    throw unreadable(path, error)
  }
}

async function* bytesOf(stream: NodeJS.ReadableStream): AsyncGenerator<Buffer> {
  for await (const chunk of stream) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk
}

/** Files of a Maildir, new and seen, in the order of their names, which is that of their arrival; else all files. */
async function messageFilesIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  const names = new Set(entries.filter((entry) => entry.isDirectory()).map(({ name }) => name))
  if (names.has('cur') && names.has('new')) {
    const parts = await Promise.all(['cur', 'new'].map((part) => filesIn(join(folder, part))))
    return parts.flat()
  }
  return filesIn(folder)
}

async function filesIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map(({ name }) => join(folder, name))
    .sort()
}

/** One message, or those of an mbox: its first line begins with `From `, and so does the first line of each message. */
async function* splitMessages(file: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<InboundMessage> {
  let message: MessageBuilder | undefined
  let isMbox = false
  let number = 0
  let blank = true
  for await (const line of linesOf(chunks)) {
    if (message === undefined) isMbox = isFromLine(line)
    if (message === undefined || (isMbox && blank && isFromLine(line))) {
      if (message !== undefined) yield { file, number: ++number, bytes: message.bytes() }
      message = new MessageBuilder()
    }
    message.add(isMbox && /^>+From /.test(line.toString('latin1', 0, 80)) ? line.subarray(1) : line)
    blank = line.length <= 2 && line.toString('latin1').trim() === ''
  }
  if (message !== undefined)
    yield number > 0 ? { file, number: ++number, bytes: message.bytes() } : { file, bytes: message.bytes() }
}

function isFromLine(line: Buffer): boolean {
  return line.toString('latin1', 0, 5) === 'From '
}

class MessageBuilder {
  readonly #lines: Buffer[] = []
  #size = 0

  add(line: Buffer): void {
    if (this.#size >= MAX_MESSAGE_BYTES) return
    // A copy, so that the chunk of the file that it was cut from can go.
    this.#lines.push(Buffer.from(line))
    this.#size += line.length
  }

  bytes(): Buffer {
    return Buffer.concat(this.#lines).subarray(0, MAX_MESSAGE_BYTES)
  }
}

/** Lines with their ends. What is longer than a message may be comes in pieces. */
async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer[] = []
  let size = 0
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      const line = chunk.subarray(start, end + 1)
      yield rest.length === 0 ? line : Buffer.concat([...rest, line])
      rest = []
      size = 0
      start = end + 1
    }
    if (start < chunk.length) {
      rest.push(chunk.subarray(start))
      size += chunk.length - start
    }
    if (size > MAX_MESSAGE_BYTES) {
      yield Buffer.concat(rest)
      rest = []
      size = 0
    }
  }
  if (rest.length > 0) yield Buffer.concat(rest)
}

function unreadable(path: string, error: unknown): unknown {
  if (!isSystemError(error)) return error
  return new InputError(`${path} cannot be read: ${systemWords(error)}`, {
    cause: error,
    hint: 'Give files of messages, an mbox, a Maildir, or - for standard input.',
  })
}
