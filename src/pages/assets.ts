/**
 * Scripts and styles of the pages. Owns where they are: bundled beside the built program, or, in a checkout that runs its
 * sources, bundled when they are first asked for.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { OutputError } from '../errors.ts'

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

export interface Asset {
  readonly type: string
  readonly body: Uint8Array
}

/** The file of that name: `preview.js`, `preview.css`; undefined when there is none. */
export type Assets = (name: string) => Promise<Asset | undefined>

/** @throws OutputError when the bundle is missing. */
export function openAssets(): Assets {
  const read = extname(import.meta.url) === '.ts' ? fromSources() : fromBundle(join(import.meta.dirname, 'client'))
  return async (name) => {
    const type = TYPES[extname(name)]
    if (type === undefined || !/^[\w-]+\.\w+$/.test(name)) return undefined
    const body = await read(name)
    return body === undefined ? undefined : { type, body }
  }
}

type Read = (name: string) => Promise<Uint8Array | undefined>

function fromBundle(folder: string): Read {
  if (!existsSync(join(folder, 'preview.js'))) {
    throw new OutputError('the scripts of the pages are missing from this installation', {
      hint: 'Install mailmerge again; in a checkout run npm run build.',
    })
  }
  return async (name) => {
    const path = join(folder, name)
    return existsSync(path) ? readFile(path) : undefined
  }
}

function fromSources(): Read {
  let files: ReturnType<typeof bundled> | undefined
  return async (name) => {
    files ??= bundled()
    return (await files).get(name)
  }
}

/** What `npm run build` would write, from the sources as they are now. */
async function bundled(): Promise<ReadonlyMap<string, Uint8Array>> {
  const tool = new URL('../../.ci/client.ts', import.meta.url).href
  try {
    const { bundleClient } = (await import(tool)) as { bundleClient(): Promise<ReadonlyMap<string, Uint8Array>> }
    return await bundleClient()
  } catch (cause) {
    throw new OutputError('the scripts of the pages cannot be bundled from their sources', {
      cause,
      hint: 'Run npm ci in the checkout; esbuild must be installed.',
    })
  }
}
