/** The types of the library in a project that has the package and what it depends on, and no types of Node.js. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import packageJson from '../package.json' with { type: 'json' }

const ROOT = resolve(import.meta.dirname, '..')
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc')

const PROGRAM = `import { loadSettings, openLedger, resumeMerge, runMerge, type MergeEvent } from 'mailmerge'
const settings = await loadSettings({ cwd: '.', env: {}, flags: { csv: 'list.csv', template: 't' } })
const onEvent = (event: MergeEvent): string => event.event
const end = await runMerge(settings, { mode: 'dry-run', out: 'eml' }, { onEvent })
const sent: number = end.counts.sent
const ledger = await openLedger(settings)
await ledger.close()
export { resumeMerge, sent }
`
const CONFIG = {
  compilerOptions: {
    ...{ module: 'nodenext', moduleResolution: 'nodenext', target: 'es2022', strict: true, noEmit: true },
    ...{ types: [], preserveSymlinks: true, skipLibCheck: false },
  },
  files: ['go.ts'],
}

test('a program that uses the library compiles without types that the library does not bring', {
  timeout: 300_000,
}, () => {
  const dir = mkdtempSync(join(tmpdir(), 'mailmerge-types-'))
  try {
    const own = join(dir, 'node_modules/mailmerge')
    const emit = ['--emitDeclarationOnly', '--outDir', join(own, 'dist')]
    execFileSync(process.execPath, [TSC, '-p', join(ROOT, 'tsconfig.build.json'), ...emit])
    writeFileSync(join(own, 'package.json'), JSON.stringify(packageJson))
    for (const name of Object.keys(packageJson.dependencies)) {
      mkdirSync(dirname(join(dir, 'node_modules', name)), { recursive: true })
      symlinkSync(join(ROOT, 'node_modules', name), join(dir, 'node_modules', name))
    }
    writeFileSync(join(dir, 'package.json'), '{ "type": "module" }')
    writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify(CONFIG))
    writeFileSync(join(dir, 'go.ts'), PROGRAM)
    let said = ''
    try {
      execFileSync(process.execPath, [TSC, '-p', dir])
    } catch (error) {
      said = String((error as { stdout: Buffer }).stdout)
    }
    expect(said).toBe('')
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
