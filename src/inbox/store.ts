/** Where the sandbox keeps what it took: one `.eml` file a message and one index of all. Owns names and bounds. */
import { createWriteStream, readdirSync, type WriteStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { OutputError } from '../errors.ts'
import { makeFolder } from '../fs/folder.ts'
import { folderWords } from '../fs/system-errors.ts'
import { subjectOf } from '../message/encoded-words.ts'
import type { MessageFault } from './faults.ts'

export interface InboxMessage {
  readonly from: string
  readonly to: readonly string[]
  readonly bytes: Buffer
  /** The fault that its sender met, which was asked for. */
  readonly fault?: MessageFault | undefined
}

/** One line of the index: a message with its envelope. */
export interface IndexLine {
  readonly file: string
  readonly from: string
  readonly to: readonly string[]
  readonly subject: string
  /** Bytes. */
  readonly size: number
  /** ISO 8601. */
  readonly at: string
  readonly fault?: MessageFault | undefined
}

export const INDEX_FILE = 'index.ndjson'

export interface InboxStore {
  readonly count: number
  /** Keeps a message and gives its name; a promise when the disk has to be waited for. */
  add(message: InboxMessage): string | Promise<string>
  close(): Promise<void>
}

/** Files being written at once; beyond it senders wait. */
const WRITING = 16

/** @param onKept hears of each message when it is on the disk. @throws OutputError when the folder cannot be made. */
export async function openInboxStore(dir: string, onKept?: (line: IndexLine) => void): Promise<InboxStore> {
  let index: WriteStream
  let last: number
  try {
    makeFolder(dir, { mode: 0o700 })
    last = highestIn(dir)
    index = createWriteStream(join(dir, INDEX_FILE), { flags: 'a', mode: 0o600 })
  } catch (cause) {
    throw new OutputError(`the folder ${dir} cannot be written: ${folderWords(cause)}`, {
      cause,
      hint: 'Choose another ledger folder, or fix its permissions.',
    })
  }
  let count = 0
  let failure: unknown
  const writing = new Set<Promise<void>>()
  index.on('error', (error) => {
    failure = error
  })

  async function write(name: string, { from, to, bytes, fault }: InboxMessage): Promise<void> {
    const about: IndexLine = {
      file: name,
      from,
      to,
      subject: subjectOf(bytes),
      size: bytes.length,
      at: new Date().toISOString(),
      fault,
    }
    index.write(`${JSON.stringify(about)}\n`)
    await writeFile(join(dir, name), bytes, { mode: 0o600 })
    onKept?.(about)
  }

  return {
    get count() {
      return count
    },
    add(message) {
      if (failure !== undefined) return Promise.reject(failure)
      count += 1
      const name = `${String(last + count).padStart(6, '0')}.eml`
      const written = write(name, message).catch((error: unknown) => {
        failure = error
      })
      writing.add(written)
      written.finally(() => writing.delete(written))
      if (writing.size < WRITING) return name
      return Promise.race(writing).then(() => name)
    },
    async close() {
      await Promise.all(writing)
      await new Promise<void>((resolve) => index.end(resolve))
    },
  }
}

/** A folder that has messages already keeps them. */
function highestIn(dir: string): number {
  const numbers = readdirSync(dir).map((name) => Number(/^(\d{6,})\.eml$/.exec(name)?.[1] ?? 0))
  return numbers.reduce((highest, number) => Math.max(highest, number), 0)
}
