/**
 * Sees the files of a project being saved. Owns when a save is over: a large list is written in pieces, and an editor that
 * puts a new file in the place of the old one saves it twice.
 */
import { watch } from 'chokidar'

/** A file is saved when it has been still for this long. */
const STILL_MS = 120
/** What is saved together is one change. */
const TOGETHER_MS = 60

export interface Watcher {
  /** From now on these. */
  follow(paths: readonly string[]): void
  close(): Promise<void>
}

export function watchFiles(onChange: (paths: readonly string[]) => void): Watcher {
  const watcher = watch([], {
    ignoreInitial: true,
    ignored: (path) => /[\\/](?:node_modules|\.git|\.mailmerge)(?:[\\/]|$)/.test(path) || /~$|\.sw[px]$/.test(path),
    awaitWriteFinish: { stabilityThreshold: STILL_MS, pollInterval: 40 },
  })
  let followed = new Set<string>()
  const changed = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  watcher.on('all', (event, path) => {
    if (event === 'addDir') return
    changed.add(path)
    clearTimeout(timer)
    timer = setTimeout(() => {
      const paths = [...changed]
      changed.clear()
      onChange(paths)
    }, TOGETHER_MS)
  })
  // A folder that may not be looked at is not watched; the pages say so by not changing.
  watcher.on('error', () => {})
  return {
    follow(paths) {
      const now = new Set(paths)
      watcher.unwatch([...followed].filter((path) => !now.has(path)))
      watcher.add([...now].filter((path) => !followed.has(path)))
      followed = now
    },
    async close() {
      clearTimeout(timer)
      await watcher.close()
    },
  }
}
