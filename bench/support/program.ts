/** The program as users run it: built, a process of its own. Owns timing it from its start to its end. */
import { execFileSync, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '../..')

/** Builds the program, so that what is measured is what is there now. */
export function build(): void {
  execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'], {
    cwd: ROOT,
    stdio: 'inherit',
  })
}

export interface Timed {
  /** From start to end of the process. */
  readonly seconds: number
  /** The most memory that it had, in MiB, where the system reports it. */
  readonly peak: number | undefined
  readonly stdout: string
}

/** Runs `mailmerge ...args`. @throws Error when it ends with anything but 0. */
export function mailmerge(args: readonly string[], cwd: string): Promise<Timed> {
  return timed([join(ROOT, 'bin/mailmerge.js'), ...args], cwd)
}

/** Runs a script of this Node.js in a process of its own; `onLine` hears what it prints as it comes. */
export async function timed(args: readonly string[], cwd: string, onLine?: (line: string) => void): Promise<Timed> {
  const started = performance.now()
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (onLine === undefined) {
      stdout += text
      return
    }
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  let peak: number | undefined
  const watch = setInterval(() => {
    peak = peakOf(child.pid) ?? peak
  }, 100)
  const code = await new Promise<number | null>((done) => child.once('close', done))
  clearInterval(watch)
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${stderr}`)
  return { seconds: (performance.now() - started) / 1000, peak, stdout }
}

function peakOf(pid: number | undefined): number | undefined {
  try {
    const found = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return found === null ? undefined : Number(found[1]) / 1024
  } catch {
    return undefined
  }
}
