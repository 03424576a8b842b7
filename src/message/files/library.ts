/**
 * The files that rows share: each is found, checked and read once for all of them. Owns what is remembered of a file and what
 * is forgotten first; the fence around the project is `project-file`'s.
 */
import { andThen, type MaybePromise, Memo } from '../../maybe-promise.ts'
import { type MarkedText, unmark } from '../../template/marked-text.ts'
import {
  createProjectFiles,
  digestOf,
  type ProjectFile,
  type ProjectFiles,
  type ProjectFilesOptions,
} from './project-file.ts'
import { fileError } from './project-path.ts'

/** The content of a file, and what is made of it. */
export interface LibraryFile<T> {
  readonly content: Uint8Array
  /** What rows made of the content, by what each asked for. */
  readonly made: Map<string, T>
}

/** What a file was like when the run was planned. */
export interface FileFacts {
  /** Real path. */
  readonly path: string
  /** Bytes. */
  readonly size: number
  /** Size, modification time and a digest of the content. Outlives a restart. */
  readonly fingerprint: string
}

const MEGABYTE = 1024 * 1024
/** Content that is kept for rows to share. */
const KEPT_BYTES = 64 * MEGABYTE
/** Paths that are remembered; a list whose every row has its own file keeps none for long. */
const KEPT_PATHS = 2_000

export class FileLibrary<T> {
  readonly #files: ProjectFiles
  readonly #pictures: ProjectFiles
  readonly #found = new Memo<MarkedText, readonly ProjectFile[]>(KEPT_PATHS)
  readonly #foundOptional = new Memo<MarkedText, readonly ProjectFile[]>(KEPT_PATHS)
  readonly #foundPictures = new Memo<MarkedText, readonly ProjectFile[]>(KEPT_PATHS)
  readonly #digests = new Memo<string, string>(KEPT_PATHS)
  readonly #reading = new Map<string, Promise<LibraryFile<T>>>()
  readonly #cache

  constructor(options: Omit<ProjectFilesOptions, 'purpose'>, keptBytes = KEPT_BYTES) {
    this.#files = createProjectFiles({ ...options, purpose: 'attachment' })
    this.#pictures = createProjectFiles({ ...options, purpose: 'image' })
    this.#cache = createContentCache<LibraryFile<T>>(keptBytes)
  }

  /** The files of a path, a pattern or a list of paths. @throws DataError as `ProjectFiles.find` does. */
  find(path: MarkedText): MaybePromise<readonly ProjectFile[]> {
    return this.#found.get(path, () => this.#files.find(path))
  }

  /** The same without those that are not there. @throws DataError for what may not be used. */
  findOptional(path: MarkedText): MaybePromise<readonly ProjectFile[]> {
    return this.#foundOptional.get(path, () => this.#files.find(path, true))
  }

  /** The same for a picture, which is a single file. */
  findPicture(path: MarkedText): MaybePromise<readonly ProjectFile[]> {
    return this.#foundPictures.get(path, async () => {
      const found = await this.#pictures.find(path)
      if (found.length === 1) return found
      throw fileError('image', 'missing', unmark(path), 'is not one file')
    })
  }

  /** The content of a file that was found. Lanes that want it at the same moment read it once. */
  read(file: ProjectFile): MaybePromise<LibraryFile<T>> {
    const key = `${file.stamp} ${file.path}`
    const kept = this.#cache.get(key)
    if (kept !== undefined) return kept
    let reading = this.#reading.get(key)
    if (reading === undefined) {
      reading = this.#files
        .read(file)
        .then((content) => {
          const read = { content, made: new Map<string, T>() }
          this.#cache.put(key, read)
          return read
        })
        .finally(() => this.#reading.delete(key))
      this.#reading.set(key, reading)
    }
    return reading
  }

  /** The facts of a file for a plan. Its content is read for them, once. */
  facts(file: ProjectFile): MaybePromise<FileFacts> {
    const { path, size, stamp } = file
    return andThen(this.#digest(file), (digest) => ({ path, size, fingerprint: `${stamp}-${digest}` }))
  }

  /** Whether a file holds what it held when it got this fingerprint; one that was only copied back does. */
  isSame(file: ProjectFile, fingerprint: string): MaybePromise<boolean> {
    const { stamp, size } = file
    // Fingerprints of older plans have no digest.
    if (fingerprint === stamp || fingerprint.startsWith(`${stamp}-`)) return true
    const [plannedSize, , planned] = fingerprint.split('-')
    if (planned === undefined || plannedSize !== size.toString(36)) return false
    return andThen(this.#digest(file), (digest) => digest === planned)
  }

  #digest(file: ProjectFile): MaybePromise<string> {
    const key = `${file.stamp} ${file.path}`
    return this.#digests.get(key, () => {
      const kept = this.#cache.get(key)
      return kept === undefined ? this.#files.digest(file) : digestOf(kept.content)
    })
  }
}

interface Cached {
  readonly content: Uint8Array
}

interface ContentCache<T> {
  get(key: string): T | undefined
  put(key: string, file: T): void
}

/** Keys of what was here before, without their content. */
const REMEMBERED = 5_000
/** The share of the first room. */
const PASSING = 1 / 8

/**
 * Contents within a bound of bytes. A file that only one row has passes through a small room and goes; one that comes again
 * stays until the larger room is full.
 */
function createContentCache<T extends Cached>(bytes: number): ContentCache<T> {
  const passing = room<T>(bytes * PASSING)
  const staying = room<T>(bytes)
  const seen = new Set<string>()

  return {
    get(key) {
      const kept = staying.get(key)
      if (kept !== undefined) return kept
      const file = passing.remove(key)
      if (file !== undefined) staying.put(key, file)
      return file
    },
    put(key, file) {
      if (seen.has(key)) {
        passing.remove(key)
        staying.put(key, file)
        return
      }
      if (seen.size >= REMEMBERED) seen.clear()
      seen.add(key)
      passing.put(key, file)
    },
  }
}

/** Keeps the latest used; the very latest stays even when it is larger than the room. */
function room<T extends Cached>(limit: number): ContentCache<T> & { remove(key: string): T | undefined } {
  const files = new Map<string, T>()
  let bytes = 0
  let latest: string | undefined

  function remove(key: string): T | undefined {
    const file = files.get(key)
    if (file === undefined) return undefined
    files.delete(key)
    bytes -= file.content.length
    return file
  }

  return {
    remove,
    get(key) {
      const file = files.get(key)
      // Where all rows share one file there is no order to keep.
      if (file === undefined || latest === key) return file
      files.delete(key)
      files.set(key, file)
      latest = key
      return file
    },
    put(key, file) {
      remove(key)
      for (const oldest of files.keys()) {
        if (bytes + file.content.length <= limit) break
        remove(oldest)
      }
      files.set(key, file)
      bytes += file.content.length
      latest = key
    },
  }
}
