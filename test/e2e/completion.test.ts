/** The scripts of `mailmerge completion` in the shells that they are for: keys are typed, and what the shell then runs is read. */
import { spawn } from 'node:child_process'
import { chmodSync, readFileSync } from 'node:fs'
import { delimiter, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { needProgram } from '../support/debian-package.ts'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'

/** Each Tab starts the program. */
const TIMEOUT = 120_000
const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts')

let project: Project

beforeEach(() => {
  project = makeProject({
    'list-of-guests.csv': listOf(2),
    'templates/invitation.txt': LETTER,
    // The program itself where it is asked for words, else a note of what it was called with.
    'bin/mailmerge': `#!/bin/sh
case "$1" in
  --get-yargs-completions|completion) exec "${process.execPath}" "${MAIN}" "$@" ;;
  *) echo "$*" >> called ;;
esac
`,
  })
  chmodSync(resolve(project.dir, 'bin/mailmerge'), 0o755)
})
afterEach(() => project.remove())

async function run(command: string, args: readonly string[], typed = ''): Promise<string> {
  const env = { ...process.env, TERM: 'dumb', PATH: `${resolve(project.dir, 'bin')}${delimiter}${process.env['PATH']}` }
  const child = spawn(command, args, { cwd: project.dir, env, stdio: ['pipe', 'pipe', 'ignore'] })
  child.stdin.end(typed)
  return text(child.stdout)
}

const titleWith = (reason: string | undefined): string =>
  `completes words of ours, and files${reason === undefined ? '' : ` (${reason})`}`

/** What is typed in a line, and what the program is then called with. */
const TYPED = [
  ['mailmerge schedule ad\tx', 'schedule add x'],
  ['mailmerge run --templ\t inv\t', 'run --template invitation'],
  ['mailmerge run --csv list-o\t', 'run --csv list-of-guests.csv'],
  ['mailmerge bounces list-o\t', 'bounces list-of-guests.csv'],
] as const

describe.each([
  ['bash', 'bash --norc -i', 'source <(mailmerge completion bash)'],
  ['zsh', 'zsh -f -i', 'autoload -U compinit; compinit -u -D; source <(mailmerge completion zsh)'],
] as const)('%s', (shell, command, begin) => {
  const reason = needProgram(`/usr/bin/${shell}`, [shell]) ?? needProgram('/usr/bin/script', ['bsdutils'])
  test.skipIf(reason !== undefined)(titleWith(reason), { timeout: TIMEOUT }, async () => {
    const keys = [begin, ...TYPED.map(([line]) => line), 'exit', ''].join('\n')
    await run('script', ['-qec', command, '/dev/null'], keys)
    const called = readFileSync(resolve(project.dir, 'called'), 'utf8').trim().split('\n')
    expect(called.map((line) => line.trim())).toEqual(TYPED.map(([, expected]) => expected))
  })
})

describe('fish', () => {
  const reason = needProgram('/usr/bin/fish', ['fish'])
  test.skipIf(reason !== undefined)(titleWith(reason), { timeout: TIMEOUT }, async () => {
    const asked = TYPED.map(([line]) => `complete -C '${line.split('\t')[0]}'`)
    const offered = await run('fish', ['-N', '-c', ['mailmerge completion fish | source', ...asked].join('; ')])
    expect(
      offered
        .trim()
        .split('\n')
        .map((line) => line.split('\t')[0]),
    ).toEqual(['add', '--template', 'list-of-guests.csv', 'list-of-guests.csv'])
  })
})
