/** `mailmerge serve` as a process group of its own, to be asked and killed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { resolve } from 'node:path'
import type { Project } from './program.ts'

const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts')

export interface LogLine {
  readonly event: string
  readonly level: string
  readonly [name: string]: unknown
}

export interface Serving {
  readonly child: ChildProcess
  /** `http://127.0.0.1:40000` */
  readonly address: string
  readonly token: string
  readonly log: readonly LogLine[]
  /** What came on stdout and stderr, as it came. */
  readonly output: { stdout: string; stderr: string }
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  /** SIGKILL, to the process alone or to all that it began. */
  kill(all: boolean): Promise<void>
  stop(): Promise<number | null>
}

/** Resolves once it listens. */
export async function startServing(
  project: Project,
  args: readonly string[] = [],
  env: NodeJS.Dict<string> = {},
): Promise<Serving> {
  const child = spawn(process.execPath, [MAIN, 'serve', '--port', '0', ...args], {
    cwd: project.dir,
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const output = { stdout: '', stderr: '' }
  const log: LogLine[] = []
  let rest = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line.startsWith('{')) log.push(JSON.parse(line) as LogLine)
  })
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((done) => {
    child.on('exit', (code, signal) => done({ code, signal }))
  })
  const first = new Promise<string>((done, fail) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output.stdout += text
      const [line, more] = output.stdout.split('\n')
      if (more !== undefined && line !== undefined) done(line)
    })
    void ended.then(({ code, signal }) => fail(new Error(`serve ended with ${code ?? signal}: ${output.stderr}`)))
  })
  const url = new URL(await first)
  return {
    child,
    address: url.origin,
    token: url.searchParams.get('token') ?? '',
    log,
    output,
    ended,
    async kill(all) {
      if (child.pid === undefined || child.exitCode !== null) return
      process.kill(all ? -child.pid : child.pid, 'SIGKILL')
      await ended
    },
    async stop() {
      child.kill('SIGTERM')
      return (await ended).code
    },
  }
}

/** Waits until `holds`, which is asked again and again. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string,
  milliseconds = 60_000,
): Promise<void> {
  const end = performance.now() + milliseconds
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`)
    await new Promise((done) => setTimeout(done, 50))
  }
}
