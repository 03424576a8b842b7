/** Programs of Debian for tests that want the real thing. Installs what is missing, or says why it cannot. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const LOCK = join(tmpdir(), 'mailmerge-test-apt.lock')
const POLICY = '/usr/sbin/policy-rc.d'
let updated = false

/**
 * Makes sure that `program` is there, from `packages` where it is not. Removes nothing: one mail server of Debian excludes the
 * others.
 * @returns undefined when it is there, else the reason why not.
 */
export function needProgram(program: string, packages: readonly string[]): string | undefined {
  if (existsSync(program)) return undefined
  if (!existsSync('/usr/bin/apt-get')) return `${program} is missing, and this is no Debian to install it from`
  if (process.getuid?.() !== 0) return `${program} is missing, and only root can install it`
  return withPackageLock(() => {
    if (existsSync(program)) return undefined
    // A package that starts its server on installation would take ports that are not ours.
    const policy = !existsSync(POLICY)
    if (policy) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
    try {
      const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
      const options = { env, stdio: 'ignore', timeout: 300_000 } as const
      if (!updated) execFileSync('apt-get', ['update', '-q'], options)
      updated = true
      execFileSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', '--no-remove', ...packages], options)
      return existsSync(program) ? undefined : `${packages.join(', ')} brought no ${program}`
    } catch {
      return `${packages.join(', ')} cannot be installed here`
    } finally {
      if (policy) rmSync(POLICY, { force: true })
    }
  })
}

/** One test file at a time asks the package manager. */
export function withPackageLock<T>(work: () => T): T {
  const until = Date.now() + 300_000
  for (;;) {
    try {
      mkdirSync(LOCK)
      break
    } catch {
      if (Date.now() > until) rmSync(LOCK, { recursive: true, force: true })
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
    }
  }
  try {
    return work()
  } finally {
    rmSync(LOCK, { recursive: true, force: true })
  }
}
