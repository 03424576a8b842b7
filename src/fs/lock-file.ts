/**
 * A file beside another one that says: somebody is at it. Owns taking it, giving it back, and taking it over from a process
 * that died; what mail programs call a dot lock.
 */
import { link, open, rename, rm, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

export interface LockOptions {
  /** Milliseconds after which its holder is taken for dead. */
  readonly stale: number
  /** Milliseconds to wait for it at most; more than `stale`. */
  readonly patience: number
}

const LOOK_AGAIN_MS = 25

/**
 * Does `work` while no other process holds the lock `path`.
 * @throws what the file system says: `EACCES`, `EROFS`, `ENOENT`; `EBUSY` when the lock could not be had in time.
 */
export async function withLockFile<T>(path: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  await take(path, options)
  try {
    return await work()
  } finally {
    await rm(path, { force: true })
  }
}

async function take(path: string, { stale, patience }: LockOptions): Promise<void> {
  for (let waited = 0; ; waited += LOOK_AGAIN_MS) {
    try {
      const file = await open(path, 'wx', 0o600)
      await file.writeFile(`${process.pid}\n`).finally(() => file.close())
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    if (waited >= patience) {
      const message = `${path} is held by another program`
      throw Object.assign(new Error(message), { code: 'EBUSY' })
    }
    await removeStale(path, stale)
    await sleep(LOOK_AGAIN_MS)
  }
}

/** Moves a lock away before it is removed, so that of two who find it stale neither takes away the new one of the other. */
async function removeStale(path: string, stale: number): Promise<void> {
  if (!(await isStale(path, stale))) return
  const aside = `${path}.${process.pid}-${Math.random().toString(36).slice(2)}`
  try {
    await rename(path, aside)
    if (!(await isStale(aside, stale))) await link(aside, path)
  } catch {
    // Another one was quicker, which is as good.
  } finally {
    await rm(aside, { force: true })
  }
}

async function isStale(path: string, stale: number): Promise<boolean> {
  const info = await stat(path).catch(() => undefined)
  return info !== undefined && Date.now() - info.mtimeMs > stale
}
