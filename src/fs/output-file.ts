/**
 * A file that is being put out. Owns the way it appears: whole, in the place of an older one, or not at all. Devices, pipes
 * and the program's own standard output cannot be put in place and are written to as they are. A new file is its owner's alone: what
 * is put out here names people.
 */

import { once } from 'node:events'
import { constants, createWriteStream, type Stats } from 'node:fs'
import { access, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { OutputError } from '../errors.ts'
import { draftPath } from './atomic.ts'
import { outputWords } from './system-errors.ts'

/** Where the bytes go first. */
interface Target {
  /** The file itself, links followed. */
  readonly path: string
  /** Written to while it is being made, then renamed; undefined where the file is written to as it is. */
  readonly draft?: string
  /** Permissions of the file: those of the one that it replaces, or for its owner alone. */
  readonly mode?: number
}

/** Standard streams by their names: where they are sockets, opening the name fails. */
const STREAMS: Readonly<Record<string, 'stdout' | 'stderr'>> = {
  '/dev/stdout': 'stdout',
  '/dev/fd/1': 'stdout',
  '/proc/self/fd/1': 'stdout',
  '/dev/stderr': 'stderr',
  '/dev/fd/2': 'stderr',
  '/proc/self/fd/2': 'stderr',
}

/**
 * Says before the work whether its output can be written after it: makes the draft and takes it away again.
 * @throws OutputError naming the path.
 */
export async function checkOutput(path: string): Promise<void> {
  if (STREAMS[path] !== undefined) return
  const { draft } = await targetOf(path)
  if (draft === undefined) return
  try {
    await (await open(draft, 'wx')).close()
    await rm(draft, { force: true })
  } catch (cause) {
    throw unwritable(path, cause)
  }
}

/**
 * Writes texts or bytes as they come, holding no more than a chunk of them.
 * @throws OutputError naming the path; what the texts themselves throw passes through, and the file stays as it was.
 */
export async function writeOutput(path: string, texts: AsyncIterable<string | Uint8Array>): Promise<void> {
  const stream = STREAMS[path]
  if (stream !== undefined) {
    await pour(process[stream], texts, path)
    return
  }
  const target = await targetOf(path)
  const { draft } = target
  try {
    const flags = draft === undefined ? 'a' : 'wx'
    const file = createWriteStream(draft ?? target.path, {
      flags,
      flush: draft !== undefined,
      mode: target.mode ?? 0o600,
    })
    await pour(file, texts, path)
    file.end()
    await finished(file).catch((cause: unknown) => {
      throw unwritable(path, cause)
    })
    if (draft !== undefined) {
      await rename(draft, target.path).catch((cause: unknown) => {
        throw unwritable(path, cause)
      })
    }
  } catch (error) {
    if (draft !== undefined) await rm(draft, { force: true }).catch(() => {})
    throw error
  }
}

async function pour(stream: Writable, texts: AsyncIterable<string | Uint8Array>, path: string): Promise<void> {
  let failed: Error | undefined
  const onError = (error: Error): void => {
    failed ??= error
  }
  stream.on('error', onError)
  try {
    for await (const text of texts) {
      // An `error` ends the wait for `drain` too: it rejects.
      if (failed === undefined && !stream.write(text)) await once(stream, 'drain').catch(onError)
      if (failed !== undefined) throw unwritable(path, failed)
    }
  } catch (error) {
    if (!isStandard(stream)) await destroyed(stream)
    throw error
  } finally {
    // The handler stays on a file: an error between here and `finished` must find somebody.
    if (isStandard(stream)) stream.off('error', onError)
  }
}

/** A file that is still being opened would appear after its draft was taken away: this waits for it. */
function destroyed(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.closed) resolve()
    else stream.once('close', resolve).destroy()
  })
}

function isStandard(stream: Writable): boolean {
  return stream === process.stdout || stream === process.stderr
}

async function targetOf(path: string): Promise<Target> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException): Stats | undefined => {
    if (error.code === 'ENOENT') return undefined
    throw unwritable(path, error)
  })
  if (info?.isDirectory()) throw unwritable(path, 'it is a folder')
  try {
    if (info !== undefined) await access(path, constants.W_OK)
    if (info !== undefined && (!info.isFile() || path.startsWith('/dev/') || path.startsWith('/proc/'))) return { path }
    const real = info === undefined ? path : await realpath(path)
    const folder = dirname(real)
    const draft = draftPath(real)
    // A file that may be written in a folder that may not: not whole at once, but written.
    if (info !== undefined && !(await mayWrite(folder))) return { path: real }
    if (info === undefined) await access(folder, constants.W_OK)
    return { path: real, draft, mode: info === undefined ? 0o600 : info.mode & 0o777 }
  } catch (cause) {
    throw unwritable(path, cause)
  }
}

function mayWrite(folder: string): Promise<boolean> {
  return access(folder, constants.W_OK).then(
    () => true,
    () => false,
  )
}

/** Why a file cannot be written, in words: `why` is a sentence, or the error of the system. */
export function unwritable(path: string, why: unknown): OutputError {
  const said = typeof why === 'string'
  return new OutputError(`${path} cannot be written: ${said ? why : outputWords(why)}`, {
    cause: said ? undefined : why,
    hint: 'Name another path.',
  })
}
