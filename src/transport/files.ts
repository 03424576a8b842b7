/**
 * A folder as a transport: each message becomes an `.eml` file that a mail program opens, with an index beside them. Owns
 * names and the index; connects to nothing.
 */
import { createWriteStream, existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { OutputError } from '../errors.ts'
import { safeFileName } from '../message/file-name.ts'
import type { Job, Lane, Transport } from './transport.ts'

export interface FilesTransportOptions {
  readonly dir: string
}

/** A job that knows its row has a name that says it. */
export interface NamedJob extends Job {
  readonly name?: string
}

const INDEX = 'index.csv'
const HEAD = 'file,address,subject,size\r\n'

/** Files are replaced only where an earlier dry run of ours left its index. */
export function createFilesTransport({ dir }: FilesTransportOptions): Transport {
  let opened: Promise<ReturnType<typeof createWriteStream>> | undefined
  let count = 0
  const names = new Set<string>()

  async function prepare(): Promise<ReturnType<typeof createWriteStream>> {
    try {
      await clear(dir)
      await mkdir(dir, { recursive: true })
      const index = createWriteStream(join(dir, INDEX))
      index.write(HEAD)
      return index
    } catch (cause) {
      if (cause instanceof OutputError) throw cause
      throw new OutputError(`the folder ${dir} cannot be written`, { cause, hint: 'Choose another with --out.' })
    }
  }

  return {
    name: `files in ${dir}`,
    maxLanes: 4,
    async open(): Promise<Lane> {
      opened ??= prepare()
      const index = await opened
      let stopped = false
      return {
        async run(feed) {
          for (;;) {
            const job = stopped ? undefined : await feed.next()
            if (job === undefined) return { kind: 'drained' }
            const { message } = job
            const [address = ''] = message.envelope.to
            const named = (job as NamedJob).name ?? safeFileName(++count, address)
            const name = names.has(named) ? `${named.replace(/\.eml$/, '')}-${names.size}.eml` : named
            names.add(name)
            await feed.begin(job)
            try {
              await writeFile(join(dir, name), message.chunks)
            } catch (error) {
              feed.end(job, { kind: 'unsent', reason: 'the file cannot be written' })
              return { kind: 'lost', reason: error instanceof Error ? error.message : String(error) }
            }
            index.write(
              `${[name, address, subjectOf(message.chunks[0]), String(message.size)].map(cell).join(',')}\r\n`,
            )
            feed.end(job, { kind: 'accepted', reply: { code: 250, text: `written as ${name}` } })
          }
        },
        abort() {
          stopped = true
        },
      }
    },
    verify() {
      return Promise.resolve({ server: dir, secure: true, authenticated: false, extensions: [] })
    },
    async close() {
      const index = await opened?.catch(() => undefined)
      if (index !== undefined) await new Promise<void>((resolve) => index.end(resolve))
    },
  }
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
  await Promise.all(found.filter((name) => name.endsWith('.eml') || name === INDEX).map((name) => rm(join(dir, name))))
}

function subjectOf(chunk: Uint8Array | undefined): string {
  const head =
    Buffer.from(chunk ?? [])
      .toString('utf8')
      .split('\r\n\r\n')[0] ?? ''
  return (/^subject: ((?:.*)(?:\r\n[ \t].*)*)/im.exec(head)?.[1] ?? '').replace(/\r\n/g, '')
}

function cell(value: string): string {
  const text = /^[=+\-@]/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
