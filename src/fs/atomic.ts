/**
 * Files that appear whole or not at all, and stay there when the power fails. Owns drafts, syncing and putting in place;
 * never knows what is in a file. `output-file.ts` writes what a person named, which may also be a pipe or a device.
 */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** A name beside `path`, on the same file system, that no other process uses. */
export function draftPath(path: string): string {
  return join(dirname(path), `.mailmerge-${randomBytes(6).toString('hex')}.part`)
}

export interface AtomicWrite {
  /** Permission bits of a new file, whatever the umask. */
  readonly mode: number
  /** Leave a file that is there as it is. */
  readonly ifAbsent: boolean
}

/**
 * Writes a small file durably, in one step for every reader. A link at `path` keeps pointing to its file.
 * @returns false when `ifAbsent` is set and the file was there already.
 * @throws the error of the system.
 */
export function writeFileAtomically(path: string, data: string | Uint8Array, { mode, ifAbsent }: AtomicWrite): boolean {
  const target = ifAbsent ? path : linkTarget(path)
  const draft = draftPath(target)
  try {
    const file = openSync(draft, 'wx', mode)
    try {
      // The umask can only take away; a file system that gives more must not keep it.
      fchmodSync(file, mode)
      writeFileSync(file, data)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    if (ifAbsent) {
      if (!linkIfAbsent(draft, target)) return false
    } else renameSync(draft, target)
    syncFolderSync(dirname(target))
    return true
  } finally {
    rmSync(draft, { force: true })
  }
}

/**
 * Gives a finished draft its name unless a file of that name is there: a link fails where a rename would overwrite, so of
 * two processes that create a file at once one's file stays. The draft may be left for the caller to remove.
 * @returns whether the draft was put in place.
 */
export function linkIfAbsent(draft: string, path: string): boolean {
  try {
    linkSync(draft, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    // Some file systems have no hard links.
    if (existsSync(path)) return false
    renameSync(draft, path)
  }
  return true
}

/** Makes the contents of a file durable. */
export function syncFileSync(path: string): void {
  const file = openSync(path, 'r+')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Makes the names in a folder durable. Windows cannot open a folder and orders these writes itself. */
export function syncFolderSync(path: string): void {
  if (process.platform === 'win32') return
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/** `syncFolderSync` without holding up the event loop. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function linkTarget(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
