/** Packages of Debian unpacked into a folder, for servers that cannot be installed side by side. Nothing of them runs by it. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withPackageLock } from './debian-package.ts'

const KEPT = join(tmpdir(), 'mailmerge-test-packages')

/**
 * Downloads packages and unpacks them together; the folder is kept for the next test run.
 * @returns the folder that serves as `/`, or why there is none.
 */
export function unpackPackages(packages: readonly string[]): string | { readonly skipped: string } {
  const folder = join(KEPT, packages.join('+'))
  if (existsSync(folder)) return folder
  if (!existsSync('/usr/bin/apt-get')) return { skipped: `${packages.join(', ')}: this is no Debian to get them from` }
  return withPackageLock(() => {
    if (existsSync(folder)) return folder
    const fresh = `${folder}.${process.pid}`
    rmSync(fresh, { recursive: true, force: true })
    mkdirSync(join(fresh, 'debs'), { recursive: true })
    try {
      const options = { cwd: join(fresh, 'debs'), stdio: 'ignore', timeout: 300_000 } as const
      try {
        execFileSync('apt-get', ['download', '-q', ...packages], options)
      } catch {
        // The list of packages may be missing or old.
        execFileSync('apt-get', ['update', '-q'], options)
        execFileSync('apt-get', ['download', '-q', ...packages], options)
      }
      for (const name of readdirSync(options.cwd)) execFileSync('dpkg-deb', ['-x', name, fresh], options)
      renameSync(fresh, folder)
      return folder
    } catch {
      rmSync(fresh, { recursive: true, force: true })
      return { skipped: `${packages.join(', ')} cannot be downloaded and unpacked here` }
    }
  })
}
