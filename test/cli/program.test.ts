/** The program as a user runs it: a process of its own, in a pipe. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeProject, type Project } from '../support/program.ts'

const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts')
let project: Project

beforeAll(async () => {
  project = makeProject({})
  const made = await project.run(['init'])
  expect(made.code, made.stderr).toBe(0)
})
afterAll(() => project.remove())

/** A port of this machine that nobody listens on. */
async function deadPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  await new Promise((done) => server.close(done))
  return typeof address === 'object' && address !== null ? address.port : 1
}

function shell(command: string): { code: number | null; stdout: string; stderr: string } {
  const run = spawnSync('bash', ['-c', command], {
    cwd: project.dir,
    encoding: 'utf8',
    env: { ...process.env, MAILMERGE: `${process.execPath} ${MAIN}` },
  })
  return { code: run.status, stdout: run.stdout, stderr: run.stderr }
}

test('a new project runs at once in the sandbox, names with any letters intact', async () => {
  const run = await project.run(['run', '--sandbox'])
  expect(run.code, run.stderr).toBe(0)
  expect(run.stdout).toContain('4 delivered to the sandbox of 4 rows')
  const folder = /^mails: (.*)$/m.exec(run.stdout)?.[1] ?? ''
  expect(readdirSync(join(project.dir, folder)).filter((name) => name.endsWith('.eml'))).toHaveLength(4)
})

test('init names the next commands as they can be typed: by name where the shell finds it, never by npx', async () => {
  const bin = resolve(import.meta.dirname, '../../bin/mailmerge.js')
  const folder = makeProject({ mailmerge: '' })
  const path = `${folder.dir}:${process.env['PATH'] ?? ''}`
  for (const [env, command] of [
    [{ npm_command: undefined, PATH: path }, 'mailmerge'],
    [{ npm_command: 'exec', PATH: path }, `node ${bin}`],
    [{ npm_command: undefined, PATH: '/nowhere' }, `node ${bin}`],
  ] as const) {
    const other = makeProject({})
    const { stderr } = await other.run(['init'], env)
    expect(stderr).toContain(`\n  ${command} run --sandbox  `)
    expect(stderr).not.toContain('npx')
    other.remove()
  }
  folder.remove()
})

test('init refuses to touch a file that is there, and writes none of its own', async () => {
  const other = makeProject({ 'list.csv': 'mine' })
  const made = await other.run(['init'])
  expect(made.code).toBe(73)
  expect(made.stderr).toContain('list.csv')
  expect(readdirSync(other.dir)).toEqual(['list.csv'])
  other.remove()
})

test('init leaves a .gitignore as it is', async () => {
  const other = makeProject({ '.gitignore': 'mine' })
  expect((await other.run(['init', '.'])).code).toBe(0)
  expect(readFileSync(join(other.dir, '.gitignore'), 'utf8')).toBe('mine')
  other.remove()
})

test('a run that cannot reach its server leaves a truth that status and report tell', async () => {
  const run = await project.run(['run', '--smtp', `smtp://127.0.0.1:${await deadPort()}`, '--retry-for', '0'])
  expect(run.code, run.stderr).toBe(69)
  expect(run.stderr).not.toContain('    at ')
  const status = await project.run(['status', '--json'])
  const [standing] = status.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(standing).toMatchObject({ state: 'ready', rows: 4, sent: 0, deferred: 4, campaign: 'hello-list' })
  expect((await project.run(['status'])).stdout).toMatch(/Stopped +4 +0/)
  const report = await project.run(['report', standing.run, '--format', 'csv'])
  expect(report.stdout.trim().split('\r\n')).toHaveLength(5)
  expect((await project.run(['report', '--output', 'r.html'])).code).toBe(0)
  expect(readFileSync(join(project.dir, 'r.html'), 'utf8')).toContain('ada@example.com')
  const cancelled = await project.run(['cancel', '--json'])
  expect(JSON.parse(cancelled.stdout)).toEqual({ run: standing.run, state: 'cancelled' })
  expect((await project.run(['status', standing.run])).stdout).toMatch(/state +Cancelled/)
})

test('a run that is not there is an error that names the nearest one', async () => {
  const asked = await project.run(['status', 'no-such-run'])
  expect([asked.code, asked.stderr.includes("there is no run 'no-such-run'")]).toEqual([66, true])
})

test('wrong usage ends with 64, wrong configuration with 78, a missing list with 66, an unwritable report with 73', async () => {
  const codes = await Promise.all(
    [
      ['run', '--cvs', 'x'],
      ['run', '--sandbox', '--smtp', 'http://x'],
      ['run', '--sandbox', '--csv', 'no.csv'],
      ['run', '--sandbox', '--report', 'none/r.csv'],
    ].map(async (args) => (await project.run(args)).code),
  )
  expect(codes).toEqual([64, 78, 66, 73])
})

test('a reader of events who goes away lets the run end well', () => {
  const { stdout, stderr } = shell('$MAILMERGE run --sandbox --json | head -1; echo $PIPESTATUS')
  expect(stdout.trim().split('\n').at(-1)).toBe('0')
  expect(stderr).not.toMatch(/EPIPE| at /)
})

test.skipIf(!existsSync('/dev/full'))('results that standard output cannot take end with 73', () => {
  const { code, stderr } = shell('$MAILMERGE run --sandbox --json > /dev/full')
  expect([code, stderr.includes('the disk is full')]).toEqual([73, true])
})

test('secrets of a config reach neither output nor ledger nor process list', async () => {
  const other = makeProject({})
  await other.run(['init'])
  const smtp = `{host: 127.0.0.1, port: ${await deadPort()}, user: ada, allowPlainLogin: true, passwordCommand: "echo canary-one"}`
  writeFileSync(join(other.dir, 'mailmerge.yaml'), `csv: list.csv\ntemplate: hello\nsmtp: ${smtp}\n`)
  mkdirSync(join(other.dir, 'sub'))
  const env = { MAILMERGE_SMTP_PASSWORD: 'canary-two', MAILMERGE_UNSUBSCRIBE_SECRET: 'canary-three' }
  const run = await other.run(['run', '--verbose', '--json', '--report', 'r.html', '--report', 'r.json'], env)
  expect(run.code).toBe(69)
  const kept = readdirSync(other.dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'mailmerge.yaml')
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
  expect(kept.length).toBeGreaterThan(6)
  expect(`${run.stdout}${run.stderr}${kept.join()}`).not.toContain('canary')
  other.remove()
})

test('to show its version and help the program reads nothing of what its commands work with', async () => {
  const hook = `import { registerHooks } from 'node:module'
registerHooks({
  load(url, context, next) {
    process.stderr.write('loaded ' + url + '\\n')
    return next(url, context)
  },
})`
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(hook)}` }
  for (const word of ['--version', '--help']) {
    const { stderr } = await project.run([word], env)
    const loaded = stderr.match(/(?<=^loaded ).*/gm) ?? []
    expect(loaded.some((url) => url.endsWith('/src/cli/main.ts'))).toBe(true)
    const heavy = /\/node_modules\/(?:zod|yaml|handlebars|htmlparser2|nodemailer|csv-parse|ical\.js)\/|^node:sqlite$/
    expect(loaded.filter((url) => heavy.test(url))).toEqual([])
  }
})
