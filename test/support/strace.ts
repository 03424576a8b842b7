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

/** One system call. */
export interface Call {
  readonly thread: string
  readonly name: string
  /** Its arguments as strace writes them: bytes that are not printable as `\r`, `\0`, `\303`. */
  readonly text: string
}

/** Calls that have done something only when they are over. */
const SYNCS = new Set(['fsync', 'fdatasync'])

/**
 * Runs `mailmerge ...args` and gives the calls of these names of all its threads: those that sync in the order in which they
 * ended, all others in the order in which they began. Other calls are not stopped at, unless `slowly`: then the run goes as one
 * under `killedAt`.
 */
export async function trace(
  project: Project,
  args: readonly string[],
  names: readonly string[],
  { slowly = false } = {},
): Promise<Call[]> {
  const file = join(project.dir, 'trace')
  const flags = ['-f', ...(slowly ? [] : ['--seccomp-bpf']), '-s', '1000000', '-o', file]
  await strace(project, args, [...flags, '-e', `trace=${names.join(',')}`])
  const calls: Call[] = []
  const lines = readFileSync(file, 'latin1').split('\n')
  for (const line of lines) {
    const [, thread, ended, began, text] = /^(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)$/.exec(line) ?? []
    const name = ended ?? began
    if (thread === undefined || name === undefined || text === undefined) continue
    const counts = SYNCS.has(name) ? !text.endsWith('<unfinished ...>') : began !== undefined
    if (counts) calls.push({ thread, name, text })
  }
  return calls
}

/**
 * Runs `mailmerge ...args`, killed at the entry of the n-th call of that name: the call is not done any more.
 * @returns false when it ended before that call.
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
