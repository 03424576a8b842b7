/** A project's own helpers, from `templates/_helpers`. Owns loading them; what they may not do is the engine's to say. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ConfigError } from '../../errors.ts'
import { foreignWords } from '../../fs/system-errors.ts'
import { storedValue } from '../../source/cells/cell.ts'
import type { Helper } from '../engine/engine.ts'
import { shown } from '../files/find.ts'
import { asHelpers } from './late-failure.ts'

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
    const name = shown(path, root)
    files.push(path)
    let module: Readonly<Record<string, unknown>>
    try {
      module = await asHelpers(name, () => import(addressOf(path)) as Promise<Record<string, unknown>>)
    } catch (cause) {
      const [why] = foreignWords(cause).split('\n')
      throw new ConfigError(`the helpers in ${name} cannot be loaded: ${why}`, {
        cause,
        hint: 'Such a file is a JavaScript module that exports functions.',
      })
    }
    const { default: whole, ...named } = module
    for (const [word, helper] of Object.entries({ ...(typeof whole === 'object' ? whole : {}), ...named })) {
      if (typeof helper === 'function') helpers[word] = guarded(helper as Helper, name)
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

/** A helper of the project gets numbers and answers of a workbook as they are stored. */
function guarded(helper: Helper, file: string): Helper {
  return function (this: unknown, ...args) {
    return asHelpers(file, () => helper.apply(this, args.map(storedValue)))
  }
}
