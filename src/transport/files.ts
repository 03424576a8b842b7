/**
 * A folder as a transport: each message becomes an `.eml` file that a mail program opens, with an index beside them. Owns
 * names and the index; connects to nothing.
 */
import { createWriteStream, existsSync, type WriteStream } from 'node:fs'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { OutputError } from '../errors.ts'
import { makeFolder } from '../fs/folder.ts'
import { folderWords } from '../fs/system-errors.ts'
import { subjectOf } from '../message/encoded-words.ts'
import { safeFileName } from '../message/files/file-name.ts'
import { csvCells } from '../text/csv-cells.ts'
import { type Handed, oneByOne } from './one-by-one.ts'
import type { Job, Lane, Transport } from './transport.ts'

export interface FilesTransportOptions {
  readonly dir: string
}

/** A job that knows the row it comes from is named by it; others by the order they came in. */
interface RowJob extends Job {
  readonly row?: number
}

const INDEX = 'index.csv'
const HEAD = csvCells(['row', 'file', 'address', 'subject', 'size'])
/** Files of an earlier dry run, by the names that we give. */
const OURS = /^\d{4,}-.*\.eml$/
/** Lines of the index held back: more than there are messages under way. */
const HELD = 200

/** Files are replaced only where an earlier dry run of ours left its index. */
export function createFilesTransport({ dir }: FilesTransportOptions): Transport {
  let opened: Promise<Index> | undefined
  let count = 0
  let failure: OutputError | undefined
  const names = new Set<string>()

  async function write(job: RowJob, index: Index): Promise<string> {
    const { message } = job
    const [address = ''] = message.envelope.to
    const row = job.row ?? ++count
    const plain = safeFileName(row, address)
    const name = names.has(plain) ? `${plain.slice(0, -'.eml'.length)}-${names.size}.eml` : plain
    names.add(name)
    await writeFile(join(dir, name), message.chunks, { mode: 0o600 })
    const subject = subjectOf(message.chunks[0] ?? new Uint8Array())
    index.put(row, csvCells([String(row), name, address, subject, String(message.size)]))
    return name
  }

  async function handOver(job: RowJob, index: Index): Promise<Handed> {
    try {
      const name = await write(job, index)
      return { outcome: { kind: 'accepted', reply: { code: 250, text: `written as ${name}` } } }
    } catch (error) {
      failure ??= unwritable(dir, error)
      return { outcome: { kind: 'unsent', reason: 'the file cannot be written' }, lost: failure.message }
    }
  }

  return {
    name: `files in ${dir}`,
    maxLanes: 4,
    async open(): Promise<Lane> {
      // A disk that was full once is not tried again and again.
      if (failure !== undefined) throw failure
      opened ??= openIndex(dir)
      const index = await opened
      return oneByOne((_message, job) => handOver(job, index))
    },
    verify() {
      return Promise.resolve({ server: dir, secure: true, authenticated: false, extensions: [] })
    },
    async close() {
      const index = await opened?.catch(() => undefined)
      await index?.close()
    },
  }
}

/** Lines in the order of the rows. Lanes overtake each other a little, so a few lines are held back to restore the order. */
class Index {
  readonly #stream: WriteStream
  #held: { readonly row: number; readonly line: string }[] = []

  constructor(stream: WriteStream) {
    this.#stream = stream
    // What the disk says to it is said of the messages too.
    stream.on('error', () => {})
    stream.write(HEAD)
  }

  put(row: number, line: string): void {
    this.#held.push({ row, line })
    if (this.#held.length >= 2 * HELD) this.#release(HELD)
  }

  close(): Promise<void> {
    this.#release(this.#held.length)
    return new Promise((resolve) => {
      if (this.#stream.closed) resolve()
      this.#stream.once('close', resolve)
      this.#stream.end()
    })
  }

  #release(count: number): void {
    this.#held.sort((one, other) => one.row - other.row)
    for (const { line } of this.#held.splice(0, count)) this.#stream.write(line)
  }
}

async function openIndex(dir: string): Promise<Index> {
  try {
    await clear(dir)
    makeFolder(dir, { mode: 0o700 })
    return new Index(createWriteStream(join(dir, INDEX), { mode: 0o600 }))
  } catch (cause) {
    throw cause instanceof OutputError ? cause : unwritable(dir, cause)
  }
}

function unwritable(dir: string, cause: unknown): OutputError {
  return new OutputError(`the folder ${dir} cannot be written: ${folderWords(cause)}`, {
    cause,
    hint: 'Free some space, fix its permissions, or choose another folder with --out.',
  })
}

/** Takes away what an earlier dry run wrote, and nothing else. */
async function clear(dir: string): Promise<void> {
  if (!existsSync(dir)) return
  const found = await readdir(dir)
  if (found.length === 0) return
  const index = await readFile(join(dir, INDEX), 'utf8').catch(() => '')
  if (!index.startsWith(HEAD.trim())) {
    throw new OutputError(`the folder ${dir} holds files that no dry run wrote`, {
      hint: 'Choose an empty folder with --out.',
    })
  }
  await Promise.all(found.filter((name) => OURS.test(name) || name === INDEX).map((name) => rm(join(dir, name))))
}
