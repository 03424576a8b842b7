/**
 * Every option and setting that takes a path, with everything that a path can be by mistake: each ends with its exit code
 * and names the path in plain words, without a code of the system and without a call of Node.js.
 */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { fakeIo } from '../cli/fake-io.ts'
import { LETTER, makeProject, type Project } from '../support/program.ts'

let project: Project
const at = (name: string): string => join(project.dir, name)

beforeAll(() => {
  project = makeProject({
    'list.csv': 'name,email\nAda,ada@example.com\n',
    'templates/letter.txt': LETTER,
    'mailmerge.yaml': 'csv: list.csv\ntemplate: letter\n',
    'file.txt': 'a file\n',
  })
  mkdirSync(at('folder'))
  writeFileSync(at('folder/other.txt'), '')
  symlinkSync('nowhere', at('dangling'))
  symlinkSync('circle', at('circle'))
})
afterAll(() => project.remove())

async function given(args: readonly string[], config?: string): Promise<{ code: number; said: string }> {
  if (config !== undefined) project.write('other.yaml', config)
  const io = fakeIo({ cwd: project.dir, env: { MAILMERGE_SMTP_URL: 'smtp://127.0.0.1:1' } })
  const code = await main([...args, ...(config === undefined ? [] : ['--config', 'other.yaml'])], io)
  return { code, said: io.stderr.text }
}

function judge({ code, said }: { code: number; said: string }, wanted: number, path: string, words: string): void {
  expect(code, said).toBe(wanted)
  expect(said).toContain(path)
  expect(said).toContain(words)
  expect(said).toMatch(/^hint: /m)
  expect(said).not.toMatch(
    /\bE[A-Z]{3,}\b|scandir|, (open|mkdir|stat|read|rename)\b|no such file|should not have happened/,
  )
}

const TOO_LONG = `${'x'.repeat(300)}.csv`
const CIRCLE = 'its links form a loop'
const PART = 'a part of its path is not a folder'

describe.each<[what: string, args: (path: string) => readonly string[], code: number]>([
  ['--csv', (path) => ['run', '--dry-run', '--csv', path], 66],
  ['--template', (path) => ['run', '--dry-run', '--template', path], 66],
  ['--config', (path) => ['run', '--dry-run', '--config', path], 66],
  ['bounces', (path) => ['bounces', '--dry-run', path], 66],
  ['suppress import', (path) => ['suppress', 'import', path], 66],
])('%s', (what, args, code) => {
  test.each([
    ['missing', what === '--csv' || what === 'suppress import' ? 'there is no list' : ''],
    ['file.txt/x', ''],
    ['dangling', what === '--csv' ? 'is a link to nowhere' : ''],
    ['circle', CIRCLE],
    [TOO_LONG, 'its name is too long'],
  ])('%s', async (path, words) => judge(await given(args(at(path))), code, path, words))
})

describe.each<[what: string, args: (path: string) => readonly string[]]>([
  ['--report', (path) => ['run', '--sandbox', '--report', `${path}.csv`]],
  ['--metrics', (path) => ['run', '--yes', '--metrics', path]],
  ['--output', (path) => ['report', '--output', `${path}.csv`]],
  ['--fix', (path) => ['check', '--fix', path]],
  ['suppress export', (path) => ['suppress', 'export', path]],
])('%s', (_what, args) => {
  test.each([
    ['none/x', 'its folder does not exist'],
    ['file.txt/x', PART],
    ['circle/x', CIRCLE],
    [TOO_LONG, 'its name is too long'],
  ])('%s', async (path, words) => judge(await given(args(at(path))), 73, path, words))
  test.skipIf(process.platform !== 'linux')('a place where nobody may write', async () => {
    judge(await given(args('/sys/x')), 73, '/sys/x', 'permission denied')
  })
})

describe.each<[what: string, args: (path: string) => readonly string[]]>([
  ['--ledger', (path) => ['run', '--yes', '--ledger', path]],
  ['--out', (path) => ['run', '--dry-run', '--out', path]],
  ['init', (path) => ['init', path]],
])('%s', (what, args) => {
  test.each([
    ['file.txt/x', PART],
    ['circle/x', CIRCLE],
    [TOO_LONG, 'its name is too long'],
  ])('%s', async (path, words) => {
    // A folder that is there is looked at first, and then it is itself what is not a folder.
    const { said, code } = await given(args(at(path)))
    judge({ code, said: said.replace('it is not a folder', PART) }, 73, path, words)
  })
  test.skipIf(process.platform !== 'linux')('a place where nobody may write', async () => {
    judge(
      await given(args('/sys/x')),
      73,
      '/sys/x',
      what === '--ledger' ? 'no new file can be made' : 'permission denied',
    )
  })
})

test.each([
  ['a folder as config', ['run', '--config', 'folder'], 66, 'it is a folder'],
  ['a folder as ledger', ['run', '--yes', '--ledger', 'folder'], 73, 'it is a folder'],
  ['a folder as ledger to look at', ['status', '--ledger', 'folder'], 73, 'it is a folder'],
  ['a folder as the fixed list', ['check', '--fix', 'folder'], 73, 'it is a folder'],
  ['a folder as export', ['suppress', 'export', 'folder'], 73, 'it is a folder'],
  ['a file as project', ['init', 'file.txt'], 73, 'it is not a folder'],
  ['a ledger that leads nowhere', ['status', '--ledger', 'circle'], 73, CIRCLE],
] as const)('%s', async (_what, args, code, words) => {
  judge(await given(args), code, args.find((word) => ['folder', 'file.txt', 'circle'].includes(word)) ?? '', words)
})

describe.each<[setting: string, config: (path: string) => string, args: readonly string[], code: number]>([
  ['smtp.ca', (path) => `smtp: { ca: ${path} }`, ['verify'], 78],
  ['imap.ca', (path) => `imap: { host: localhost, user: a, password: b, ca: ${path} }`, ['bounces'], 78],
  ['dkim.key', (path) => `dkim: { domain: example.com, selector: a, key: ${path} }`, ['run', '--dry-run'], 78],
  ['data.sql', (path) => `data: { sql: { query: select 1, database: ${path} } }`, ['run', '--dry-run'], 66],
  ['sendmail', (path) => `transport: { sendmail: { path: ./${path} } }`, ['verify'], 78],
  ['a module', (path) => `transport: { module: ./${path} }`, ['verify'], 78],
  ['mbox', (path) => `transport: { mbox: ${path} }`, ['verify'], 73],
  ['Maildir', (path) => `transport: { maildir: ${path} }`, ['verify'], 73],
])('%s', (setting, config, args, code) => {
  const isMade = setting === 'mbox' || setting === 'Maildir'
  test.each(['missing', 'folder', 'file.txt/x', 'circle'].filter((path) => !isMade || path !== 'missing'))(
    '%s',
    async (path) => {
      const list = setting === 'data.sql' ? '' : 'csv: list.csv\n'
      judge(await given(args, `${list}template: letter\n${config(path)}\n`), code, path, '')
    },
  )
})

test('a folder in the place of the secret of the unsubscribe links', async () => {
  mkdirSync(at('.mailmerge/unsubscribe.key'), { recursive: true })
  const config = 'csv: list.csv\ntemplate: letter\nunsubscribe: { url: "https://example.com" }\n'
  judge(await given(['run', '--dry-run'], config), 66, 'unsubscribe.key', 'it is a folder')
})

test('a file of the template that cannot be looked at, which is not a missing one', async () => {
  mkdirSync(at('templates/round'))
  symlinkSync('message.yaml', at('templates/round/message.yaml'))
  judge(await given(['run', '--dry-run', '--template', 'round']), 66, 'templates/round/message.yaml', CIRCLE)
})

test('a folder in the place of a file of the template', async () => {
  mkdirSync(at('templates/odd/text.hbs'), { recursive: true })
  judge(await given(['run', '--dry-run', '--template', 'odd']), 66, 'templates/odd/text.hbs', 'it is a folder')
})

test.each([
  [
    'a database server',
    'data: { sql: { query: select 1, database: "postgres://127.0.0.1:1/x" } }',
    ['run', '--dry-run'],
    69,
  ],
  ['a mailbox', 'csv: list.csv\nimap: { host: 127.0.0.1, port: 1, user: a, password: b }', ['bounces'], 69],
  ['a proxy', 'smtp: { host: localhost, proxy: "socks5://127.0.0.1:1" }', ['verify'], 69],
  ['a mail server', 'smtp: { host: 127.0.0.1, port: 1 }', ['verify'], 69],
] as const)('%s that nobody answers at', async (_what, config, args, code) => {
  const io = fakeIo({ cwd: project.dir })
  project.write('other.yaml', `template: letter\n${config}\n`)
  const ended = await main([...args, '--config', 'other.yaml'], io)
  judge({ code: ended, said: io.stderr.text }, code, '', 'connection refused')
})
