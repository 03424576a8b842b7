/**
 * Contents of files that rows share, within a bound of octets. Owns what is forgotten first; reads nothing. A file that
 * only one row has passes through a small room and goes; one that comes again stays until the larger room is full.
 */
import type { LoadedPart } from '../part.ts'

export interface CachedFile {
  readonly content: Uint8Array
  readonly fingerprint: string
  /** Parts made of it, by the name and type that rows gave them. */
  readonly parts: Map<string, LoadedPart>
}

export interface AttachmentCache {
  get(path: string): CachedFile | undefined
  put(path: string, file: CachedFile): void
}

/** Paths that are remembered to have been here, without their content. */
const REMEMBERED = 5_000
/** The share of the first room. */
const PASSING = 1 / 8

export function createAttachmentCache(octets: number): AttachmentCache {
  const passing = room(octets * PASSING)
  const staying = room(octets)
  const seen = new Set<string>()

  return {
    get(path) {
      const kept = staying.get(path)
      if (kept !== undefined) return kept
      const file = passing.take(path)
      if (file !== undefined) staying.put(path, file)
      return file
    },
    put(path, file) {
      if (seen.has(path)) {
        passing.take(path)
        staying.put(path, file)
        return
      }
      if (seen.size >= REMEMBERED) seen.clear()
      seen.add(path)
      passing.put(path, file)
    },
  }
}

/** Keeps the latest used; the very latest stays even when it is larger than the room. */
function room(limit: number): {
  get(path: string): CachedFile | undefined
  take(path: string): CachedFile | undefined
  put(path: string, file: CachedFile): void
} {
  const files = new Map<string, CachedFile>()
  let octets = 0
  let latest: string | undefined

  function take(path: string): CachedFile | undefined {
    const file = files.get(path)
    if (file === undefined) return undefined
    files.delete(path)
    octets -= file.content.length
    return file
  }

  return {
    take,
    get(path) {
      const file = files.get(path)
      // Where all rows share one file there is no order to keep.
      if (file === undefined || latest === path) return file
      files.delete(path)
      files.set(path, file)
      latest = path
      return file
    },
    put(path, file) {
      take(path)
      for (const oldest of files.keys()) {
        if (octets + file.content.length <= limit) break
        take(oldest)
      }
      files.set(path, file)
      octets += file.content.length
      latest = path
    },
  }
}
