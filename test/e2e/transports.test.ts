/** Other ways to send than SMTP, by the whole program: real Dovecot over LMTP, real Postfix by its sendmail, and files. */
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { simpleParser } from 'mailparser'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { startDovecotLmtp } from '../support/dovecot-lmtp.ts'
import { startPostfix } from '../support/postfix.ts'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'
import { stopStarted } from '../support/real-server.ts'

// Each starts several programs, on machines that may be busy.
vi.setConfig({ testTimeout: 120_000 })

let project: Project
afterEach(() => project?.remove())

const files = (config: string, list = listOf(25)): Readonly<Record<string, string>> => ({
  'mailmerge.yaml': `${config}\n`,
  'list.csv': list,
  'templates/letter.txt': LETTER,
})
const send = (...more: string[]) => project.run(['run', '--csv', 'list.csv', '-t', 'letter', '--yes', ...more])
const results = (): string[][] => {
  const run =
    readdirSync(join(project.dir, '.mailmerge', 'runs'))
      .sort()
      .at(-1) ?? ''
  return readFileSync(join(project.dir, '.mailmerge', 'runs', run, 'results.csv'), 'utf8')
    .trim()
    .split(/\r?\n/)
    .slice(1)
    .map((line) => line.split(','))
}

const users = ['p1@example.com', 'p2@example.com', 'p4@example.com', 'copy@example.com']
const dovecot = await startDovecotLmtp(users)
afterAll(() => stopStarted(dovecot))

describe.skipIf('skipped' in dovecot)(`a real Dovecot ${'skipped' in dovecot ? `(${dovecot.skipped})` : ''}`, () => {
  const lmtp = (): string => ('skipped' in dovecot ? '' : `smtp: { url: "lmtp://127.0.0.1:${dovecot.port}" }`)
  const mails = (user: string): readonly string[] => ('skipped' in dovecot ? [] : dovecot.mails(user))

  test('LMTP: each row reaches its own mailbox, and who has none is reported with the reason', async () => {
    project = makeProject(files(lmtp(), listOf(4)))
    const { code, stderr } = await send()
    expect([code, stderr]).toEqual([1, expect.stringContaining('p3@example.com')])
    expect(results().map((cells) => cells.slice(2, 4))).toEqual([
      ['p1@example.com', 'sent'],
      ['p2@example.com', 'sent'],
      ['p3@example.com', 'failed'],
      ['p4@example.com', 'sent'],
    ])
    for (const user of ['p1', 'p2', 'p4']) {
      const [mail = '', ...others] = mails(`${user}@example.com`)
      expect([(await simpleParser(mail)).subject, others]).toEqual([`Hello Person ${user.slice(1)}`, []])
    }
    expect((await project.run(['verify'])).stdout).toContain('PIPELINING')
  })

  test('LMTP over a socket file: copies have an answer each, and a refused one does not fail the row', async () => {
    project = makeProject({
      ...files(
        `smtp: { url: "lmtp://${'socket' in dovecot ? dovecot.socket : ''}" }`,
        'name,email\nAda,p1@example.com\n',
      ),
      'templates/letter.txt': LETTER.replace('subject:', 'cc: copy@example.com, nobody@example.com\nsubject:'),
    })
    expect((await send('--report', 'out.csv')).code).toBe(0)
    expect(mails('copy@example.com')).toHaveLength(1)
    expect(readFileSync(join(project.dir, 'out.csv'), 'utf8')).toMatch(/sent.*copy to nobody@example\.com refused: 550/)
  })
})

test('a socket file that is not there -> exit 69, with its path', async () => {
  project = makeProject(files('smtp: { url: "lmtp:///run/no/such/socket" }', listOf(1)))
  const { code, stderr } = await send()
  expect([code, stderr]).toEqual([69, expect.stringContaining('there is no socket /run/no/such/socket')])
})

test('a Maildir gets every message once, also over several commands', async () => {
  project = makeProject(files('transport: maildir:mails'))
  expect((await send('--limit', '10')).code).toBe(0)
  expect((await send()).code).toBe(0)
  const subjects = readdirSync(join(project.dir, 'mails', 'new')).map(
    (name) => /^Subject: (.*)$/m.exec(readFileSync(join(project.dir, 'mails', 'new', name), 'utf8'))?.[1],
  )
  expect(subjects.sort()).toEqual(Array.from({ length: 25 }, (_, at) => `Hello Person ${at + 1}`).sort())
})

test('a Maildir that takes nothing more ends the run with 73, and with what came of it and how to go on', async () => {
  project = makeProject({ ...files('transport: maildir:in'), in: 'a file' })
  const { code, stdout, stderr } = await send()
  expect([code, stdout]).toEqual([73, expect.stringMatching(/^0 sent, 25 waiting of 25 rows/)])
  expect(stderr).toContain('the Maildir')
  expect(results()).toHaveLength(25)
  rmSync(join(project.dir, 'in'))
  const again = await project.run(['resume', /to continue: mailmerge resume (\S+)/.exec(stderr)?.[1] ?? 'none'])
  expect([again.code, again.stdout]).toEqual([0, expect.stringMatching(/^25 sent of 25 rows/)])
})

test('a Maildir run that is killed and gone on with delivers nothing twice, and loses nothing', async () => {
  const rows = 600
  project = makeProject(files('transport: maildir:mails', listOf(rows)))
  const folder = join(project.dir, 'mails', 'new')
  const delivered = (): readonly string[] => (existsSync(folder) ? readdirSync(folder) : [])
  let kills = 0
  for (const mark of [60, 300]) {
    const args = kills === 0 ? ['run', '--csv', 'list.csv', '-t', 'letter', '--yes'] : ['resume']
    const { child, ended } = project.start(args)
    while (delivered().length < mark && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 2))
    if (child.kill('SIGKILL')) kills++
    await ended
  }
  await project.run(['resume'])
  const statuses = new Map(results().map((cells) => [cells[2] ?? '', cells[3]]))
  const arrived = delivered().map(
    (name) => /^Delivered-To: (.*)$/m.exec(readFileSync(join(folder, name), 'utf8'))?.[1] ?? '',
  )
  const inDoubt = [...statuses].filter(([, status]) => status === 'in_doubt')
  expect(statuses.size).toBe(rows)
  expect(new Set(arrived).size).toBe(arrived.length)
  expect([...statuses].filter(([address, status]) => status === 'sent' && !arrived.includes(address))).toEqual([])
  expect([...statuses].filter(([, status]) => status !== 'sent' && status !== 'in_doubt')).toEqual([])
  expect(inDoubt.length).toBeLessThanOrEqual(5 * kills)
  expect(kills).toBe(2)
})

test('an mbox gets every message, as a parser of others reads it', async () => {
  project = makeProject(files('transport: mbox:archive.mbox', listOf(3)))
  expect((await send()).code).toBe(0)
  const parts = readFileSync(join(project.dir, 'archive.mbox'), 'utf8')
    .split(/^From .*\n/m)
    .slice(1)
  const parsed = await Promise.all(parts.map((part) => simpleParser(part)))
  expect(parsed.map(({ subject }) => subject)).toEqual(['Hello Person 1', 'Hello Person 2', 'Hello Person 3'])
})

test('a sendmail that defers, refuses and takes: each row ends as its exit code says', async () => {
  project = makeProject({
    ...files('transport: sendmail:./sm\nretryFor: 0s', listOf(3)),
    sm: '#!/bin/sh\ncat > /dev/null\nfor to; do :; done\ncase $to in p1*) exit 0;; p2*) echo no such user >&2; exit 67;; *) exit 75;; esac\n',
  })
  chmodSync(join(project.dir, 'sm'), 0o755)
  expect((await send()).code).toBe(75)
  expect(results().map((cells) => cells[3])).toEqual(['sent', 'failed', 'deferred'])
})

test("Postfix's own sendmail takes every message, with the envelope of the row", async (context) => {
  const postfix = await startPostfix()
  if ('skipped' in postfix) return context.skip(postfix.skipped)
  try {
    const etc = join(dirname(postfix.ca), 'etc')
    project = makeProject({
      ...files(`transport: { sendmail: /usr/sbin/sendmail, args: ["-C", "${etc}"] }`, listOf(3)),
      'templates/letter.txt': LETTER.replace('subject:', 'bcc: hidden@example.com\nsubject:'),
    })
    expect((await send()).code).toBe(0)
    const mails = (await postfix.waitFor(6)).map(String)
    expect(mails.map((mail) => /^X-Original-To: (.*)$/m.exec(mail)?.[1]).sort()).toEqual([
      'hidden@example.com',
      'hidden@example.com',
      'hidden@example.com',
      'p1@example.com',
      'p2@example.com',
      'p3@example.com',
    ])
    expect(mails.filter((mail) => /^Bcc:/im.test(mail))).toEqual([])
    expect(new Set(mails.map((mail) => /^Return-Path: (.*)$/m.exec(mail)?.[1]))).toEqual(
      new Set(['<author@example.org>']),
    )
  } finally {
    await postfix.stop()
  }
})

test('a module of the user that refuses its key ends the run with 77, and a corrected one sends all', async () => {
  const module = (good: boolean): string =>
    `export default ({ key }) => ({ name: 'own', version: '1', send(mail, done) {
      done(${good} ? null : Object.assign(new Error('bad key'), { status: 401 }), { response: '250 ok' })
    } })`
  project = makeProject({
    ...files('transport: { module: ./own.mjs, options: { key: canary } }', listOf(3)),
    'own.mjs': module(false),
  })
  const refused = await send()
  expect([refused.code, refused.stderr]).toEqual([77, expect.stringContaining('bad key')])
  expect(refused.stderr).not.toContain('canary')
  project.write('own.mjs', module(true))
  expect((await send()).code).toBe(0)
  expect(results().map((cells) => cells[3])).toEqual(['sent', 'sent', 'sent'])
})

test('a module that is not there is reported before the list is planned: no run is left behind', async () => {
  project = makeProject(files('transport: ./nowhere.mjs'))
  const { code, stderr } = await send()
  expect([code, stderr]).toEqual([78, expect.stringContaining('there is no transport ./nowhere.mjs')])
  const { stdout } = await project.run(['status', '--json'])
  expect(stdout).not.toContain('planning')
  expect((await project.run(['resume'])).code).toBe(66)
})
