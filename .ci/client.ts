/**
 * Bundles the scripts and styles of the local pages: each page one file of each, as they are sent to the browser. Part of
 * `npm run build`; a checkout that runs its sources bundles them when a page is opened.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { build } from 'esbuild'

const FROM = join(import.meta.dirname, '../src/pages/client')
const TO = join(import.meta.dirname, '../dist/pages/client')
const PAGES = ['preview', 'inbox', 'runs']

/** The files by their names. */
export async function bundleClient(): Promise<ReadonlyMap<string, Uint8Array>> {
  const { outputFiles } = await build({
    entryPoints: PAGES.flatMap((page) =>
      ['page.ts', `${page}.css`].map((file) => ({ in: join(FROM, page, file), out: page })),
    ),
    outdir: TO,
    bundle: true,
    minify: true,
    format: 'esm',
    target: ['chrome123', 'firefox120', 'safari17.5'],
    write: false,
    tsconfigRaw: { compilerOptions: { target: 'esnext', useDefineForClassFields: true } },
  })
  const files = new Map(outputFiles.map(({ path, contents }) => [basename(path), contents]))
  return files.set('icon.svg', readFileSync(join(FROM, 'icon.svg')))
}

if (import.meta.main) {
  mkdirSync(TO, { recursive: true })
  for (const [name, contents] of await bundleClient()) writeFileSync(join(TO, name), contents)
}
