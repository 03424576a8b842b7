/**
 * Files of the project, and none outside of it. Owns the fence: what a row asks for is found, checked and read here; no
 * device, no pipe, nothing hidden, nothing that was put in a file's place on the way.
 */
import { createHash } from 'node:crypto'
import { type BigIntStats, constants, type Dirent } from 'node:fs'
import { access, type FileHandle, glob, open, readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { nearest } from '../../did-you-mean.ts'
import type { DataError } from '../../errors.ts'
import { type MarkedText, unmark } from '../../template/marked-text.ts'
import {
  type FilePurpose,
  fileError,
  forbiddenPath,
  isHidden,
  isWithin,
  patternOf,
  severalPaths,
} from './project-path.ts'

/** A file that passed the fence. */
export interface ProjectFile {
  /** Real path. */
  readonly path: string
  /** Bytes. */
  readonly size: number
  /** Size and modification time: changes when the content does, as far as these can tell. */
  readonly stamp: string
  /** Device and inode: what is opened later must be the very same. */
  readonly identity: string
}

export interface ProjectFilesOptions {
  readonly purpose: FilePurpose
  /** The project: relative paths start here, and real paths must stay within. */
  readonly root: string
  /** Further folders that files may come from, absolute. */
  readonly roots?: readonly string[]
  /** Files that are never given away although they lie in the project: configuration, keys, the list itself. */
  readonly never?: readonly string[]
  /** Largest file in bytes. */
  readonly maxBytes: number
}

export interface ProjectFiles {
  /**
   * The file of that path; a pattern or a list of paths may give several, in the order of their names. Where they are optional,
   * those that are not there are left out.
   * @throws DataError whose problem says why there is none: `missing-attachment`, `attachment-outside` ...
   */
  find(path: MarkedText, optional?: boolean): Promise<readonly ProjectFile[]>
  /** @throws DataError with the code `attachment-changed` when it is not the file any more that was found. */
  read(file: ProjectFile): Promise<Uint8Array>
  /** A digest of the content. @throws DataError as `read` does. */
  digest(file: ProjectFile): Promise<string>
}

/** A row without a file is most often one that has none, not one whose name was forgotten. */
const EMPTY_HINT =
  'Where some rows have no file, set optional: true, or when: with a condition, beside the path of this attachment.'
/** A pattern that fits more is a mistake. */
const MOST_FILES = 100

export function createProjectFiles(options: ProjectFilesOptions): ProjectFiles {
  const { purpose, root, maxBytes } = options
  const fail = (kind: string, path: string, what: string, cause?: unknown): DataError =>
    fileError(purpose, kind, path, what, { cause })
  let fence: Promise<{ readonly roots: readonly string[]; readonly never: ReadonlySet<string> }> | undefined

  async function fenceOf(): Promise<{ readonly roots: readonly string[]; readonly never: ReadonlySet<string> }> {
    const real = (path: string): Promise<string> => realpath(path).catch(() => resolve(path))
    const [roots, never] = await Promise.all([
      Promise.all([root, ...(options.roots ?? [])].map(real)),
      Promise.all((options.never ?? []).map((path) => real(resolve(root, path)))),
    ])
    return { roots, never: new Set(never) }
  }

  async function find(marked: MarkedText, optional = false): Promise<readonly ProjectFile[]> {
    const path = unmark(marked).trim()
    const why = forbiddenPath(path)
    if (path === '') throw fileError(purpose, 'outside', path, 'is empty', { hint: EMPTY_HINT })
    if (why !== undefined) throw fail('outside', path, why)
    // A name that exists is that file, whatever its letters mean to a pattern.
    const literal = (await inspect(path, path)) ?? (await inspectAlike(path))
    if (literal !== undefined) return [literal]
    const parts = severalPaths(marked)
    if (parts !== undefined) return (await Promise.all(parts.map((part) => find(part, optional)))).flat()
    const pattern = patternOf(marked)
    const found = pattern === undefined || isAbsolute(path) ? undefined : await findPattern(pattern, path)
    if (found !== undefined && found.length > 0) return found
    if (optional) return []
    if (found !== undefined) throw fail('missing', path, 'matches no file')
    throw fileError(purpose, 'missing', path, 'does not exist', { hint: await hintForMissing(root, path) })
  }

  /** The file that a path means to the eye, where its letters or slashes are written otherwise. */
  async function inspectAlike(path: string): Promise<ProjectFile | undefined> {
    const alike = isAbsolute(path) ? undefined : await sameToTheEye(root, path)
    return alike === undefined ? undefined : inspect(alike, path)
  }

  async function findPattern(pattern: string, path: string): Promise<readonly ProjectFile[]> {
    const names: string[] = []
    for await (const name of glob(pattern, { cwd: root })) {
      if (isHidden(root, join(root, name))) continue
      if ((await stat(join(root, name)).catch(() => undefined))?.isDirectory()) continue
      names.push(name)
      if (names.length > MOST_FILES) throw fail('too-many', path, `matches more than ${MOST_FILES} files`)
    }
    const found = await Promise.all(names.sort().map((name) => inspect(name, name)))
    return found.filter((file) => file !== undefined)
  }

  /** Undefined when there is nothing of that name. */
  async function inspect(path: string, asked: string): Promise<ProjectFile | undefined> {
    fence ??= fenceOf()
    const { roots, never } = await fence
    const full = isAbsolute(path) ? path : join(root, path)
    // Asked first, so that nothing outside is touched, not even to see whether it is there.
    if (isAbsolute(path) && ![root, ...(options.roots ?? []), ...roots].some((folder) => isWithin(folder, path)))
      throw fail('outside', asked, 'is outside the project')
    const real = await realpath(full).catch((error: unknown) => absent(error, asked))
    if (real === undefined) return undefined
    const homes = roots.filter((folder) => isWithin(folder, real))
    if (homes.length === 0) throw fail('outside', asked, 'is outside the project')
    if (homes.every((folder) => isHidden(folder, real)))
      throw fail('hidden', asked, 'is hidden, and hidden files cannot be used')
    if (never.has(real)) throw fail('private', asked, 'belongs to the project itself and cannot be used')
    const info = await stat(real, { bigint: true }).catch((error: unknown) => absent(error, asked))
    if (info === undefined) return undefined
    if (info.isDirectory()) throw fail('no-file', asked, 'is a folder')
    if (!info.isFile()) throw fail('no-file', asked, 'is not a regular file')
    if (info.size > maxBytes) throw fail('too-large', asked, `has ${info.size} bytes, more than ${maxBytes}`)
    await access(real, constants.R_OK).catch((cause: unknown) => {
      throw fail('unreadable', asked, 'cannot be read by this user', cause)
    })
    return {
      path: real,
      size: Number(info.size),
      stamp: stampOf(info),
      identity: identityOf(info),
    }
  }

  function absent(error: unknown, asked: string): undefined {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return undefined
    if (code === 'ELOOP') throw fail('no-file', asked, 'is a loop of links', error)
    throw fail('unreadable', asked, 'cannot be read by this user', error)
  }

  /** What `work` makes of the file, which must be the one that was found, before and after. */
  async function opened<T>(file: ProjectFile, work: (handle: FileHandle) => Promise<T | undefined>): Promise<T> {
    // O_NONBLOCK: a pipe that took the file's place must not hold us up; O_NOFOLLOW: nor may a link lead away.
    const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0)
    const handle = await open(file.path, flags).catch((cause: unknown) => {
      throw changed(file, cause)
    })
    try {
      const before = await handle.stat({ bigint: true })
      if (identityOf(before) !== file.identity || stampOf(before) !== file.stamp) throw changed(file)
      const result = await work(handle)
      const after = await handle.stat({ bigint: true })
      if (result === undefined || stampOf(after) !== file.stamp) throw changed(file)
      return result
    } finally {
      await handle.close()
    }
  }

  function changed(file: ProjectFile, cause?: unknown): DataError {
    return fileError(purpose, 'changed', file.path, 'changed after it was checked; give the command again', { cause })
  }

  return {
    find,
    read: (file) => opened(file, (handle) => readWhole(handle, file.size)),
    digest: (file) => opened(file, digestOfFile),
  }
}

const DIGEST_BYTES = 16

/** Enough of a SHA-256 to tell two files apart. */
export function digestOf(content: Uint8Array): string {
  return createHash('sha256').update(content).digest().subarray(0, DIGEST_BYTES).toString('hex')
}

/** The same without holding the file in memory. */
async function digestOfFile(handle: FileHandle): Promise<string> {
  const sum = createHash('sha256')
  for await (const chunk of handle.createReadStream({ autoClose: false, start: 0 })) sum.update(chunk)
  return sum.digest().subarray(0, DIGEST_BYTES).toString('hex')
}

/** As many bytes as were there when it was checked; undefined when there are fewer now. */
async function readWhole(handle: FileHandle, size: number): Promise<Uint8Array | undefined> {
  const content = Buffer.allocUnsafeSlow(size)
  let at = 0
  while (at < size) {
    const { bytesRead } = await handle.read(content, at, size - at, at)
    if (bytesRead === 0) return undefined
    at += bytesRead
  }
  return content
}

function stampOf(info: BigIntStats): string {
  return `${info.size.toString(36)}-${info.mtimeNs.toString(36)}`
}

function identityOf(info: BigIntStats): string {
  return `${info.dev}:${info.ino}:${info.isFile()}`
}

/** Names of a folder that are looked through for a hint. */
const MOST_NAMES = 2_000
const QUOTES = /^["'\u2018\u2019\u201A\u201C\u201D\u201E\u00AB\u00BB].*["'\u2018\u2019\u201C\u201D\u00AB\u00BB]$/s

/**
 * The path of a file of the project that is the same to the eye: with slashes, and with its letters composed in another way
 * (Unicode normalization forms). Undefined where there is none, or more than one.
 */
async function sameToTheEye(root: string, path: string): Promise<string | undefined> {
  if (!/[\\\u0080-\u{10FFFF}]/u.test(path)) return undefined
  const found: string[] = []
  for (const step of path.replaceAll('\\', '/').split('/')) {
    if (step === '' || step === '.') continue
    const names = await namesIn(join(root, ...found))
    const wanted = step.normalize('NFC')
    const alike = names.includes(step) ? [step] : names.filter((name) => name.normalize('NFC') === wanted)
    if (alike.length !== 1 || alike[0] === undefined) return undefined
    found.push(alike[0])
  }
  return found.length === 0 ? undefined : found.join('/')
}

/** What to write in the place of a path that names no file; undefined where nothing is near. */
async function hintForMissing(root: string, path: string): Promise<string | undefined> {
  if (QUOTES.test(path)) return 'Write the path without quotes around it.'
  const plain = path.replaceAll('\\', '/')
  const folder = dirname(plain)
  const wanted = basename(plain).normalize('NFC')
  const names = (await namesIn(join(root, folder))).filter((name) => !name.startsWith('.'))
  const shown = (name: string): string => (folder === '.' ? name : `${folder}/${name}`)
  const capitals = names.find((name) => name.normalize('NFC').toLowerCase() === wanted.toLowerCase())
  if (capitals !== undefined) return `There is '${shown(capitals)}': capital and small letters are not the same.`
  const trimmed = names.find((name) => name.replace(/\s+/gu, ' ') === wanted.replace(/\s+/gu, ' '))
  const guess = trimmed ?? nearest(wanted, names)
  return guess === undefined ? undefined : `Did you mean '${shown(guess)}'?`
}

async function namesIn(folder: string): Promise<readonly string[]> {
  const entries: readonly Dirent[] = await readdir(folder, { withFileTypes: true }).catch(() => [])
  return entries.slice(0, MOST_NAMES).map(({ name }) => name)
}
