/** Reads one file of the project, and none outside of it. */
import { readFile, realpath, stat } from 'node:fs/promises'
import { isAbsolute, join, relative, sep } from 'node:path'
import { DataError } from '../errors.ts'

/** @throws DataError when the file is missing, no regular file, or outside `root`. */
export async function readProjectFile(path: string, root: string): Promise<Buffer> {
  const hint = 'Paths start at the project folder and stay in it.'
  if (path.includes('\0') || isAbsolute(path) || /^[a-z][a-z0-9+.-]*:/i.test(path))
    throw new DataError(`'${path}' is no file of the project`, { hint })
  const home = await realpath(root)
  const real = await realpath(join(home, path)).catch((cause: unknown) => {
    throw new DataError(`the file '${path}' does not exist`, { hint, cause })
  })
  const way = relative(home, real)
  if (way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way))
    throw new DataError(`the file '${path}' is outside the project`, { hint })
  if (!(await stat(real)).isFile()) throw new DataError(`'${path}' is no regular file`, { hint })
  return readFile(real)
}
