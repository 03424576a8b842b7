/**
 * Folders made with those above them. Node's own recursive mkdir never comes back where a parent is there and accepts no
 * folder all the same, as under /proc; this one fails as any mkdir does.
 */
import { mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** @throws the error of mkdir(2). */
export function makeFolder(path: string, options: { readonly mode?: number } = {}): void {
  const full = resolve(path)
  try {
    mkdirSync(full, options)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && statSync(full, { throwIfNoEntry: false })?.isDirectory()) return
    if (code !== 'ENOENT' || dirname(full) === full) throw error
    makeFolder(dirname(full), options)
    mkdirSync(full, options)
  }
}
