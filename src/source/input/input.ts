/**
 * Opens the bytes of a list: a file, a pipe, standard input, gzip undone. Owns what can go wrong with reading itself
 * (missing, unreadable, changed while read); never looks at what the bytes mean.
 */
import type { Stats } from 'node:fs'
import { type FileHandle, open, readdir, readlink, stat } from 'node:fs/promises'
import { basename, dirname, extname, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { nearest } from '../../did-you-mean.ts'
import { DataError, InputError } from '../../errors.ts'
import { systemWords } from '../../fs/system-errors.ts'

/** Bytes that are read ahead to judge format, encoding and delimiter: more than the longest record of any format. */
const HEAD_SIZE = (2 << 20) + (64 << 10)
/** Unpacked bytes from which on they must not be more than this many times the packed ones: lists are some ten times. */
const FREE_UNPACKED = 64 << 20
const MAX_RATIO = 200
const CHUNK_SIZE = 1 << 15

/** A list as bytes, its beginning already read. */
export interface Input {
  /** As the user named it. */
  readonly name: string
  /** Base name without `.gz` and without the extension. */
  readonly stem: string
  /** Lower case with its dot, `.gz` taken off; empty where there is none. */
  readonly extension: string
  /** The first `HEAD_SIZE` bytes, or all there are. */
  readonly head: Uint8Array
  /** True when `head` is everything. */
  readonly complete: boolean
  /** Set for a plain file, which can be read again and at any place. */
  readonly path?: string
  /** Bytes of a plain file. */
  readonly size?: number
  readonly notes: readonly string[]
  /** Everything from the first byte; once only, unless `path` is set. Throws InputError when reading fails. */
  chunks(): AsyncIterable<Uint8Array>
}

/**
 * @param path as the user gave it; `/dev/stdin` is standard input.
 * @throws InputError when there is nothing to read, or it cannot be read.
 */
export async function openInput(path: string, cwd: string, stdin: Readable): Promise<Input> {
  if (path === '/dev/stdin') return openStdin(stdin)
  const full = resolve(cwd, path)
  const stats = await statList(full, path)
  if (stats.isFile()) {
    const names = namesOf(path)
    const zipped = await startsWithGzip(full, path)
    const chunks = () => (zipped ? gunzip(fileChunks(full, path, stats), path) : fileChunks(full, path, stats))
    const { head, complete } = await readHead(chunks())
    if (zipped) return { name: path, ...names, head, complete, notes: ['unpacked from gzip'], chunks }
    return { name: path, ...names, head, complete, path: full, size: stats.size, notes: [], chunks }
  }
  return fromStream(path, namesOf(path), pipeChunks(full, path))
}

/** @throws InputError when it is a terminal. */
export function openStdin(stdin: Readable): Promise<Input> {
  if ('isTTY' in stdin && stdin.isTTY === true) {
    throw new InputError('standard input is a terminal, not a list', {
      hint: 'Pipe a list into the command: mailmerge run --data - < list.csv',
    })
  }
  return fromStream('standard input', { stem: 'stdin', extension: '' }, streamChunks(stdin))
}

function namesOf(path: string): { readonly stem: string; readonly extension: string } {
  const base = basename(path).replace(/\.gz$/i, '')
  const extension = extname(base)
  return { stem: extension === '' ? base : base.slice(0, -extension.length), extension: extension.toLowerCase() }
}

async function statList(full: string, path: string): Promise<Stats> {
  let stats: Stats
  try {
    stats = await stat(full)
  } catch (error) {
    throw await unreadable(error, full, path)
  }
  if (stats.isDirectory()) {
    throw new InputError(`${path} is a folder, not a list`, { hint: 'Name the file in it that holds the rows.' })
  }
  if (stats.isBlockDevice() || stats.isSocket()) {
    throw new InputError(`${path} is a device or socket, not a list`, {
      hint: 'Give a file, a pipe, or - for standard input.',
    })
  }
  return stats
}

async function unreadable(error: unknown, full: string, path: string): Promise<InputError> {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    const target = await readlink(full).catch(() => undefined)
    if (target !== undefined) {
      return new InputError(`${path} is a link to ${target}, which does not exist`, {
        hint: 'Fix the link, or name the list itself.',
        cause: error,
      })
    }
    if (/^https?:\/\//i.test(path)) {
      return new InputError(`${path} is an address, and a list is a file`, {
        hint: 'Download it first, then name the file.',
      })
    }
    if (path.startsWith('~/')) {
      return new InputError(`there is no list ${path}`, {
        hint: 'The shell opens ~ outside quotes only: write $HOME in its place, or leave the quotes out.',
        cause: error,
      })
    }
    const neighbours = await readdir(dirname(full)).catch(() => [])
    const guess = nearest(basename(full), neighbours)
    const hint = guess === undefined ? 'Check the path; it starts at the working directory.' : `Did you mean ${guess}?`
    return new InputError(`there is no list ${path}`, { hint, cause: error })
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new InputError(`${path} cannot be read: permission denied`, {
      hint: `Allow yourself to read it (chmod u+r ${path}), and to enter its folders.`,
      cause: error,
    })
  }
  return new InputError(`${path} cannot be read: ${systemWords(error)}`, { hint: 'Check the path.', cause: error })
}

async function startsWithGzip(full: string, path: string): Promise<boolean> {
  const handle = await openFile(full, path)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(3), 0, 3, 0)
    return isGzip(buffer.subarray(0, bytesRead))
  } catch (error) {
    throw await unreadable(error, full, path)
  } finally {
    await handle.close()
  }
}

function isGzip(head: Uint8Array): boolean {
  return head[0] === 0x1f && head[1] === 0x8b && head[2] === 8
}

async function openFile(full: string, path: string): Promise<FileHandle> {
  try {
    return await open(full, 'r')
  } catch (error) {
    throw await unreadable(error, full, path)
  }
}

/** Reads a file from its start and makes sure at the end that it is still the file that `stats` describes. */
async function* fileChunks(full: string, path: string, stats: Stats): AsyncGenerator<Uint8Array> {
  const handle = await openFile(full, path)
  try {
    let read = 0
    for await (const chunk of handleChunks(handle, full, path)) {
      read += chunk.length
      yield chunk
    }
    const now = await handle.stat()
    if (read !== stats.size || now.mtimeMs !== stats.mtimeMs || now.ino !== stats.ino) {
      throw new InputError(`${path} changed while it was read`, {
        hint: 'Wait until it is written completely, then give the command again. Nothing was sent.',
      })
    }
  } finally {
    await handle.close()
  }
}

async function* pipeChunks(full: string, path: string): AsyncGenerator<Uint8Array> {
  const handle = await openFile(full, path)
  try {
    yield* handleChunks(handle, full, path)
  } finally {
    await handle.close()
  }
}

async function* handleChunks(handle: FileHandle, full: string, path: string): AsyncGenerator<Uint8Array> {
  for (;;) {
    let chunk: Uint8Array
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(CHUNK_SIZE), 0, CHUNK_SIZE, null)
      chunk = buffer.subarray(0, bytesRead)
    } catch (error) {
      throw await unreadable(error, full, path)
    }
    if (chunk.length === 0) return
    yield chunk
  }
}

async function* streamChunks(stream: Readable): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of stream) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk
  } catch (error) {
    throw new InputError(`standard input ended early: ${systemWords(error)}`, {
      cause: error,
    })
  }
}

async function* gunzip(chunks: AsyncIterable<Uint8Array>, path: string): AsyncGenerator<Uint8Array> {
  const unpacker = createGunzip({ chunkSize: CHUNK_SIZE })
  const { Readable } = await import('node:stream')
  let packedSize = 0
  let size = 0
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      packedSize += chunk.length
      yield chunk
    }
  }
  const packed = Readable.from(counted(), { objectMode: false })
  packed.on('error', (error) => unpacker.destroy(error))
  packed.pipe(unpacker)
  try {
    for await (const chunk of unpacker) {
      size += chunk.length
      if (size > FREE_UNPACKED && size > packedSize * MAX_RATIO) {
        throw new DataError(`${path} is refused: it unpacks to more than ${MAX_RATIO} times its size`, {
          hint: 'Unpack it yourself, and see whether it is the list.',
        })
      }
      yield chunk
    }
  } catch (error) {
    if (error instanceof InputError || error instanceof DataError) throw error
    throw new DataError(`${path} is damaged: it cannot be unpacked from gzip`, {
      hint: 'Get the file again; it may have been cut off on its way.',
      cause: error,
    })
  } finally {
    packed.destroy()
    unpacker.destroy()
  }
}

interface Head {
  readonly head: Uint8Array
  readonly complete: boolean
  /** What was read beyond the head. */
  readonly rest: Uint8Array
}

/** Reads as much as the head needs, and leaves the iterator where it is. */
async function takeHead(iterator: AsyncIterator<Uint8Array>): Promise<Head> {
  const parts: Uint8Array[] = []
  let size = 0
  let complete = false
  while (size <= HEAD_SIZE) {
    const next = await iterator.next()
    if (next.done === true) {
      complete = true
      break
    }
    parts.push(next.value)
    size += next.value.length
  }
  const all = parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)
  return { head: all.subarray(0, HEAD_SIZE), complete, rest: all.subarray(HEAD_SIZE) }
}

async function readHead(chunks: AsyncGenerator<Uint8Array>): Promise<Head> {
  try {
    return await takeHead(chunks)
  } finally {
    await chunks.return(undefined)
  }
}

/** A source that can be read only once: its head is kept and given again before the rest. */
export async function fromStream(
  name: string,
  names: { readonly stem: string; readonly extension: string },
  raw: AsyncGenerator<Uint8Array>,
): Promise<Input> {
  const first = await takeFirst(raw)
  const zipped = isGzip(first.head)
  const source = zipped ? gunzip(first.all, name) : first.all
  const { head, complete, rest } = await takeHead(source)
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield head
    if (rest.length > 0) yield rest
    if (!complete) yield* source
  }
  return { name, ...names, head, complete, notes: zipped ? ['unpacked from gzip'] : [], chunks }
}

/** The first bytes, enough to know gzip by, and everything with them in front. */
async function takeFirst(
  raw: AsyncGenerator<Uint8Array>,
): Promise<{ readonly head: Uint8Array; readonly all: AsyncGenerator<Uint8Array> }> {
  let head: Uint8Array = new Uint8Array()
  while (head.length < 3) {
    const next = await raw.next()
    if (next.done === true) break
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value])
  }
  async function* all(): AsyncGenerator<Uint8Array> {
    if (head.length > 0) yield head
    yield* raw
  }
  return { head, all: all() }
}
