/** The program under strace(1): what it asks of the kernel in which order, and killed at a call of our choice. */
import { execFileSync, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { needProgram } from './debian-package.ts'
import type { Project } from './program.ts'

const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts')

/** Why nothing can be traced here, if so. */
export function noStrace(): string | undefined {
  const missing = needProgram('/usr/bin/strace', ['strace'])
  if (missing !== undefined) return missing
  try {
    execFileSync('strace', ['-f', '--seccomp-bpf', '-e', 'trace=getpid', '-o', '/dev/null', 'true'], {
      stdio: 'ignore',
    })
    return undefined
  } catch {
    return 'no process may be traced here'
  }
}

/** One system call of the main thread, in the order in which they began. */
export interface Call {
  readonly name: string
  /** Its arguments as strace writes them: octets that are not printable as `\r`, `\0`, `\303`. */
  readonly text: string
}

/** Runs `mailmerge ...args` and gives its calls of these names, those of the main thread alone. */
export async function trace(project: Project, args: readonly string[], names: readonly string[]): Promise<Call[]> {
  const file = join(project.dir, 'trace')
  await strace(project, args, ['-f', '--seccomp-bpf', '-s', '1000000', '-o', file, '-e', `trace=${names.join(',')}`])
  const calls: Call[] = []
  const lines = readFileSync(file, 'latin1').split('\n')
  const main = /^(\d+)/.exec(lines[0] ?? '')?.[1] ?? ''
  for (const line of lines) {
    // The main thread waits for none of its own calls: what is said of one to be resumed says nothing new.
    const [, thread, name, text] = /^(\d+) +(\w+)\((.*)$/.exec(line) ?? []
    if (thread === main && name !== undefined && text !== undefined) calls.push({ name, text })
  }
  return calls
}

/**
 * Runs `mailmerge ...args`, killed at the entry of the n-th call of that name: the call is not done any more.
 * @returns false when it came to its end before that call.
 */
export async function killedAt(project: Project, args: readonly string[], name: string, n: number): Promise<boolean> {
  // With --seccomp-bpf strace injects no signals.
  const flags = ['-f', '-o', '/dev/null', '-e', `trace=${name}`, '-e', `inject=${name}:signal=SIGKILL:when=${n}`]
  return (await strace(project, args, flags)) === 'SIGKILL'
}

function strace(project: Project, args: readonly string[], flags: readonly string[]): Promise<NodeJS.Signals | null> {
  const child = spawn('strace', [...flags, process.execPath, MAIN, ...args], {
    cwd: project.dir,
    env: { ...process.env, NO_COLOR: '1' },
    stdio: 'ignore',
  })
  return new Promise((done) => child.once('exit', (_code, signal) => done(signal)))
}
