/** A project's own helpers, from `templates/_helpers`. Owns loading them; what they may not do is the engine's to say. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ConfigError } from '../../errors.ts'
import { foreignWords } from '../../fs/system-errors.ts'
import { storedValue } from '../../source/cells/cell.ts'
import type { Helper } from '../engine/engine.ts'
import { shown } from '../files/find.ts'

export interface ProjectHelpers {
  readonly helpers: Readonly<Record<string, Helper>>
  readonly files: readonly string[]
}

/**
 * Each file exports functions by name, or an object of them.
 * @throws ConfigError for a file that cannot be loaded.
 */
export async function projectHelpers(root: string): Promise<ProjectHelpers> {
  const folder = join(root, 'templates', '_helpers')
  const helpers: Record<string, Helper> = {}
  const files: string[] = []
  for (const entry of existsSync(folder) ? readdirSync(folder).sort() : []) {
    if (!/\.(js|mjs|cjs|ts|mts)$/.test(entry)) continue
    const path = join(folder, entry)
    files.push(path)
    let module: Readonly<Record<string, unknown>>
    try {
      module = await withoutExit(() => import(addressOf(path)) as Promise<Record<string, unknown>>)
    } catch (cause) {
      const [why] = foreignWords(cause).split('\n')
      throw new ConfigError(`the helpers in ${shown(path, root)} cannot be loaded: ${why}`, {
        cause,
        hint: 'Such a file is a JavaScript module that exports functions.',
      })
    }
    const { default: whole, ...named } = module
    for (const [name, helper] of Object.entries({ ...(typeof whole === 'object' ? whole : {}), ...named })) {
      if (typeof helper === 'function') helpers[name] = guarded(helper as Helper)
    }
  }
  return { helpers, files }
}

const loadedAt = new Map<string, number>()

/** Node.js loads a module once: one that was saved again since is another module to it. */
function addressOf(path: string): string {
  const { mtimeMs } = statSync(path)
  const first = loadedAt.get(path) ?? mtimeMs
  loadedAt.set(path, first)
  return `${pathToFileURL(path).href}${first === mtimeMs ? '' : `?${mtimeMs}`}`
}

/** A helper of the project gets numbers and answers of a workbook as they are stored, and cannot end the program. */
function guarded(helper: Helper): Helper {
  return function (this: unknown, ...args) {
    const { exit } = process
    process.exit = refuseExit
    try {
      return helper.apply(this, args.map(storedValue))
    } finally {
      process.exit = exit
    }
  }
}

async function withoutExit<T>(work: () => Promise<T>): Promise<T> {
  const { exit } = process
  process.exit = refuseExit
  try {
    return await work()
  } finally {
    process.exit = exit
  }
}

/** An exit in the middle of a merge would look like a success to whoever started it. */
function refuseExit(): never {
  throw new Error('it calls process.exit, and a helper may not end the program')
}
