/**
 * Contents of files that rows share, within a bound of bytes. Owns what is forgotten first; reads nothing. A file that
 * only one row has passes through a small room and goes; one that comes again stays until the larger room is full.
 */

interface Cached {
  readonly content: Uint8Array
}

export interface ContentCache<T> {
  get(key: string): T | undefined
  put(key: string, file: T): void
}

/** Keys of what was here before, without their content. */
const REMEMBERED = 5_000
/** The share of the first room. */
const PASSING = 1 / 8

export function createContentCache<T extends Cached>(bytes: number): ContentCache<T> {
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
