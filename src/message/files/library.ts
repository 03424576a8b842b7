/**
 * The files that rows share: each is found, checked and read once for all of them. Owns what is remembered of a file; the
 * fence around the project is `project-file`'s.
 */
import { andThen, type MaybePromise, Memo } from '../../maybe-promise.ts'
import { type MarkedText, unmark } from '../../template/marked-text.ts'
import { createContentCache } from './content-cache.ts'
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
