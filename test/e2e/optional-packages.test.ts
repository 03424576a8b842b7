/** A copy of the program beside which the packages that are optional are not installed. */
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const OPTIONAL: readonly string[] = ['mjml', '@aws-sdk/client-sesv2']
let copy: string
let project: Project

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'mailmerge-copy-'))
  for (const part of ['package.json', 'src', 'templates', 'data', 'schema'])
    cpSync(join(ROOT, part), join(copy, part), { recursive: true })
  const installed = join(ROOT, 'node_modules')
  const names = readdirSync(installed).flatMap((name) =>
    name.startsWith('@') ? readdirSync(join(installed, name)).map((one) => `${name}/${one}`) : [name],
  )
  for (const name of names.filter((one) => !OPTIONAL.includes(one))) {
    mkdirSync(dirname(join(copy, 'node_modules', name)), { recursive: true })
    symlinkSync(join(installed, name), join(copy, 'node_modules', name))
  }
})
afterAll(() => rmSync(copy, { recursive: true, force: true }))
afterEach(() => project.remove())

async function run(...args: readonly string[]): Promise<{ readonly code: number | null; readonly said: string }> {
  const child = spawn(process.execPath, [join(copy, 'src/cli/main.ts'), ...args], {
    cwd: project.dir,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<number | null>((done) => child.once('close', done))
  const said = (await Promise.all([text(child.stdout), text(child.stderr)])).join('')
  return { code: await ended, said }
}

function prepare(files: Readonly<Record<string, string>>, more = ''): void {
  project = makeProject({
    'list.csv': listOf(2),
    'templates/plain.txt': LETTER,
    'mailmerge.yaml': `csv: list.csv\n${more}`,
    ...files,
  })
}

test.each([
  ['run', '--dry-run'],
  ['check', '--json'],
  ['run', '--yes'],
])('a template of MJML says in %s %s that mjml is to be installed', async (...args) => {
  prepare({ 'templates/page.mjml': '---\nfrom: a@example.org\nsubject: x\n---\n<mjml><mj-body></mj-body></mjml>\n' })
  const { code, said } = await run(...args, '-t', 'page')
  expect(code, said).toBe(65)
  expect(said).toContain('templates/page.mjml')
  expect(said).toContain('MJML needs the package mjml, which is not installed')
  expect(said).toContain('npm install mjml')
  expect(said).not.toMatch(/\n {4}at /)
})

test('Amazon SES says that its package is to be installed, before anything is planned', async () => {
  prepare({}, 'transport: { ses: { region: eu-west-1 } }\n')
  const { code, said } = await run('run', '--yes', '-t', 'plain')
  expect(code, said).toBe(78)
  expect(said).toContain('npm install @aws-sdk/client-sesv2')
  expect(said).not.toMatch(/\n {4}at /)
})

test('whoever uses neither needs neither', async () => {
  prepare({})
  const { code, said } = await run('run', '--dry-run', '-t', 'plain')
  expect(code, said).toBe(0)
})
