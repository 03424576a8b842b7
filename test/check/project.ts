/** A project in a folder of its own, with the settings that a command would load for it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type Flags, loadSettings } from '../../src/config/load.ts'
import type { Settings } from '../../src/config/settings.ts'

export interface CheckedProject {
  readonly dir: string
  path(name: string): string
  write(name: string, content: string): void
  settings(flags?: Flags): Promise<Settings>
  remove(): void
}

export function makeCheckedProject(files: Readonly<Record<string, string>>): CheckedProject {
  const dir = mkdtempSync(join(tmpdir(), 'mailmerge-check-'))
  const project: CheckedProject = {
    dir,
    path: (name) => join(dir, name),
    write(name, content) {
      mkdirSync(dirname(join(dir, name)), { recursive: true })
      writeFileSync(join(dir, name), content)
    },
    settings: (flags = {}) => loadSettings({ cwd: dir, env: {}, flags }),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  }
  for (const [name, content] of Object.entries(files)) project.write(name, content)
  return project
}
