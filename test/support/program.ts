/** Runs the program as a user does: a process of its own, in a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'

const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts')

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
}

export interface Project {
  readonly dir: string
  write(path: string, content: string): void
  /** Starts `mailmerge ...args` in the project, with `input` as its standard input. */
  start(args: readonly string[], env?: NodeJS.Dict<string>, input?: string): Running
  run(args: readonly string[], env?: NodeJS.Dict<string>): Promise<Ended>
  remove(): void
}

/** A project in a temporary folder, with the files given. */
export function makeProject(files: Readonly<Record<string, string>>): Project {
  const dir = mkdtempSync(join(tmpdir(), 'mailmerge-test-'))
  const project: Project = {
    dir,
    write(path, content) {
      mkdirSync(dirname(join(dir, path)), { recursive: true })
      writeFileSync(join(dir, path), content)
    },
    start: (args, env = {}, input) => startProgram(args, dir, env, input),
    run: (args, env = {}) => startProgram(args, dir, env).ended,
    remove: () => rmSync(dir, { recursive: true, force: true }),
  }
  for (const [path, content] of Object.entries(files)) project.write(path, content)
  return project
}

/** Runs the program in a folder that is there already, with `input` as its standard input. */
export function startProgram(
  args: readonly string[],
  cwd: string,
  env: NodeJS.Dict<string> = {},
  input?: string,
): Running {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd,
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  })
  child.stdin?.end(input)
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = new Promise<Ended>((done) => {
    child.on('close', (code, signal) => done({ code, signal, stdout, stderr }))
  })
  return { child, ended }
}

/** A list of that many people. */
export function listOf(count: number): string {
  const lines = ['name,email']
  for (let i = 1; i <= count; i++) lines.push(`Person ${i},p${i}@example.com`)
  return `${lines.join('\n')}\n`
}

export const LETTER =
  '---\nfrom: Author <author@example.org>\nsubject: Hello {{name}}\n---\nDear {{name}},\n\nthis is for you.\n'
