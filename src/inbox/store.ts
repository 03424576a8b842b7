/** Where the sandbox keeps what it took: one `.eml` file a message and one index of all. Owns names and bounds. */
import { createWriteStream, type WriteStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { OutputError } from '../errors.ts'
import { makeFolder } from '../fs/folder.ts'
import { folderWords } from '../fs/system-errors.ts'
import { subjectOf } from '../message/encoded-words.ts'

export interface InboxMessage {
  readonly from: string
  readonly to: readonly string[]
  readonly bytes: Buffer
}

export interface InboxStore {
  readonly count: number
  /** Keeps a message and gives its name; a promise when the disk has to be waited for. */
  add(message: InboxMessage): string | Promise<string>
  close(): Promise<void>
}

/** Files being written at once; beyond it senders wait. */
const WRITING = 16

/** @throws OutputError when the folder cannot be made. */
export async function openInboxStore(dir: string): Promise<InboxStore> {
  let index: WriteStream
  try {
    makeFolder(dir, { mode: 0o700 })
    index = createWriteStream(join(dir, 'index.ndjson'), { flags: 'a', mode: 0o600 })
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

  function write(name: string, { from, to, bytes }: InboxMessage): Promise<void> {
    const about = {
      file: name,
      from,
      to,
      subject: subjectOf(bytes),
      size: bytes.length,
      at: new Date().toISOString(),
    }
    index.write(`${JSON.stringify(about)}\n`)
    return writeFile(join(dir, name), bytes, { mode: 0o600 })
  }

  return {
    get count() {
      return count
    },
    add(message) {
      if (failure !== undefined) return Promise.reject(failure)
      const name = `${String(++count).padStart(6, '0')}.eml`
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
