/** `mailmerge verify` as a process of its own: what it says, by which code it ends, and what its dialogue leaves out. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { makeCertificate, type TestCertificate } from '../support/certificates.ts'
import { type Postfix, startPostfix } from '../support/postfix.ts'
import { type Ended, LETTER, listOf, makeProject, type Project } from '../support/program.ts'
import { stopStarted } from '../support/real-server.ts'
import { type ScriptedServer, type ScriptedServerOptions, startScriptedServer } from '../support/scripted-server.ts'

const CANARY = 'swordfish-canary'
/** The password in each form in which it could be seen. */
const FORMS = [
  CANARY,
  Buffer.from(CANARY).toString('base64'),
  Buffer.from(`\0ada\0${CANARY}`).toString('base64'),
  Buffer.from(`user=ada\u0001auth=Bearer ${CANARY}\u0001\u0001`).toString('base64'),
]

let certificate: TestCertificate
let server: ScriptedServer | undefined
let project: Project
beforeAll(async () => {
  certificate = await makeCertificate('localhost')
  project = makeProject({ 'list.csv': listOf(3), 'templates/letter.txt': `${LETTER}\nbody-canary\n` })
})
afterEach(async () => {
  await server?.close()
  server = undefined
})
afterAll(() => project.remove())

async function verify(script: ScriptedServerOptions, settings: string, args: readonly string[] = []): Promise<Ended> {
  server = await startScriptedServer(script)
  configure(server.port, settings)
  return project.run(['verify', ...args], { MAILMERGE_SMTP_PASSWORD: CANARY })
}

function configure(port: number, settings: string): void {
  project.write(
    'mailmerge.yaml',
    `template: letter\ncsv: list.csv\nsmtp:\n  host: localhost\n  port: ${port}\n${settings.replace(/^/gm, '  ')}\n`,
  )
}

const LOGIN = 'user: ada\nallowPlainLogin: true\nsecurity: none'

describe('a server that is well', () => {
  test('exit 0, what it offers on stdout, nothing of a message said to it', async () => {
    const { code, stdout, stderr } = await verify({ extensions: ['PIPELINING', 'SIZE 1048576'] }, 'security: none')
    expect(code, stderr).toBe(0)
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^server {4}localhost:\d+$/),
      expect.stringMatching(/^greeting {2}220 /),
      'security  none: what is sent can be read',
      'login     none',
      'offers    PIPELINING SIZE 1048576',
      'message   at most 1,048,576 bytes',
      '',
    ])
    expect(stderr).toBe('')
    expect(server?.commands.map((line) => line.split(' ')[0])).toEqual(['EHLO', 'QUIT'])
  })

  test('--json: one object, the same facts', async () => {
    const { code, stdout } = await verify({ auth: () => undefined }, LOGIN, ['--json'])
    expect(code).toBe(0)
    expect(stdout.trim().split('\n')).toHaveLength(1)
    expect(JSON.parse(stdout)).toMatchObject({
      server: `localhost:${server?.port}`,
      secure: false,
      tls: null,
      authenticated: true,
      extensions: expect.arrayContaining(['PIPELINING', 'AUTH PLAIN LOGIN']),
    })
  })

  test('--quiet: only the exit code', async () => {
    const { code, stdout, stderr } = await verify({}, 'security: none', ['--quiet'])
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: '' })
  })
})

test.each<[string, readonly string[], readonly string[]]>([
  ['every account without --account', [], ['one', 'two']],
  ['one by its name', ['--account', 'two'], ['two']],
  ['every account that shares', ['--account', 'share'], ['one', 'two']],
])('%s is looked at', async (_what, args, names) => {
  server = await startScriptedServer({})
  const { port } = server
  project.write(
    'mailmerge.yaml',
    `accounts:\n  one: { smtp: { host: localhost, port: ${port}, security: none }, from: one@example.org }\n  two: { smtp: { host: localhost, port: ${port}, security: none }, from: two@example.org }\naccount: one\n`,
  )
  const { code, stdout, stderr } = await project.run(['verify', ...args])
  expect(code, stderr).toBe(0)
  expect([...stdout.matchAll(/^account {3}(.*)$/gm)].map(([, name]) => name)).toEqual(names)
  expect(server.commands.filter((line) => line.startsWith('EHLO'))).toHaveLength(names.length)
})

describe('a server that is not', () => {
  test.each<[string, ScriptedServerOptions, string, number, RegExp]>([
    ['greets with 554', { greeting: () => '554 no service for you' }, 'security: none', 69, /turned us away: 554/],
    ['greets with 421', { greeting: () => '421 too busy' }, 'security: none', 69, /turned us away: 421/],
    ['hangs up', { greeting: () => ({ drop: true }) }, 'security: none', 69, /closed the connection/],
    ['is no mail server', { greeting: () => ({ raw: 'SSH-2.0-x\r\n' }) }, 'security: none', 69, /does not speak SMTP/],
    ['has no TLS', { starttls: () => '502 5.5.1 unknown' }, 'security: starttls', 69, /does not give the TLS/],
    ['wants a login and gives none', {}, LOGIN, 77, /offers no login/],
    ['refuses the login', { auth: () => '535 5.7.8 wrong' }, LOGIN, 77, /refused the login of ada: 535 5\.7\.8 wrong/],
    ['cannot log in now', { auth: () => '454 4.7.0 later' }, LOGIN, 69, /cannot log us in now/],
    ['would have the password in clear', { auth: () => undefined }, 'user: ada\nsecurity: none', 78, /offers no TLS/],
  ])('%s', async (_what, script, settings, exit, words) => {
    const { code, stdout, stderr } = await verify(script, settings)
    expect(code, stderr).toBe(exit)
    expect(stderr).toMatch(words)
    expect(stderr).toMatch(/^hint: /m)
    expect(stderr).not.toMatch(/^ {4}at /m)
    expect(stdout).toBe('')
    expect(server?.commands.filter((line) => /^AUTH/.test(line)).length).toBeLessThanOrEqual(1)
    for (const form of FORMS) expect(stderr).not.toContain(form)
  })

  test('has a certificate from nobody known: exit 69, and not a word in clear but EHLO and STARTTLS', async () => {
    const { code, stderr } = await verify({ tls: certificate }, 'user: ada\nsecurity: starttls')
    expect(code, stderr).toBe(69)
    expect(server?.commands.map((line) => line.split(' ')[0])).toEqual(['EHLO', 'STARTTLS'])
  })

  test('is not there', async () => {
    configure(1, 'security: none')
    const { code, stderr } = await project.run(['verify'])
    expect(code).toBe(69)
    expect(stderr).toContain('nobody answers at localhost:1')
  })
})

describe('the dialogue of --verbose', () => {
  test.each(['PLAIN', 'LOGIN', 'CRAM-MD5'])('holds the login by %s and not its secret', async (mechanism) => {
    const script: ScriptedServerOptions = {
      authMechanisms: [mechanism],
      auth: ({ line }) => (line === 'AUTH CRAM-MD5' ? '334 PDE4OTYuNjk3MTcwOTUyQHNlcnZlcj4=' : undefined),
    }
    const { code, stdout, stderr } = await verify(script, LOGIN, ['--verbose'])
    expect(code, stderr).toBe(0)
    expect(stderr).toContain(`C: AUTH ${mechanism}`)
    expect(stderr).toContain('S: 235')
    for (const form of FORMS) expect(stdout + stderr).not.toContain(form)
    // A password can be worked out from the answer to a challenge.
    const answers = server?.commands.filter((line) => !/^(EHLO|AUTH|QUIT)/.test(line)) ?? []
    expect(answers.length).toBe({ PLAIN: 0, LOGIN: 2, 'CRAM-MD5': 1 }[mechanism])
    for (const answer of answers) expect(stderr).not.toContain(answer)
    expect(stderr.match(/\[secret\]$/gm)).toHaveLength(Math.max(1, answers.length))
  })

  test('shows what a hostile server says as text: no control characters, no turned writing', async () => {
    const hostile = '\u001b]0;owned\u0007\u001b[2J\u0085\u009b31m\u202egnp.exe\u2066'
    const script: ScriptedServerOptions = {
      greeting: () => `220 ${hostile} ESMTP`,
      ehlo: () => ({ raw: `250-${hostile}\r\n250-X${hostile}\r\n250 PIPELINING\r\n` }),
      mail: () => `250 ${hostile}`,
      end: () => `250 ${hostile}`,
      rcpt: ({ line }) => (line.includes('p2@') ? `550 5.1.1 ${hostile}` : undefined),
    }
    const verified = await verify(script, 'security: none', ['--verbose'])
    const sent = await project.run(['run', '--yes', '--verbose', '--json'])
    expect(sent.code, sent.stderr).toBe(1)
    for (const text of [verified.stdout, verified.stderr, sent.stdout, sent.stderr]) {
      expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069\u200e\u200f]/u)
      expect(text).toContain('owned')
    }
  })

  test('of a run holds every command, distinguishes lanes, and has no content and no secret', async () => {
    server = await startScriptedServer({ auth: () => undefined })
    configure(server.port, LOGIN)
    const { code, stderr, stdout } = await project.run(['run', '--yes', '--verbose', '--again'], {
      MAILMERGE_SMTP_PASSWORD: CANARY,
    })
    expect(code, stderr).toBe(0)
    for (const number of [1, 2, 3]) expect(stderr).toMatch(new RegExp(`^\\[\\d\\] C: RCPT TO:<p${number}@`, 'm'))
    expect(stderr).toMatch(/^\[\d\] S: 354 /m)
    expect(stderr.match(/^\[\d\] C: \[\d+ bytes of content\]$/gm)).toHaveLength(3)
    for (const form of [...FORMS, 'body-canary', 'Dear']) expect(stdout + stderr).not.toContain(form)
  })
})

describe('a real Postfix', () => {
  let postfix: Postfix | { readonly skipped: string }
  beforeAll(async () => {
    postfix = await startPostfix()
  }, 400_000)
  afterAll(async () => {
    await stopStarted(postfix)
  })

  test('is verified over TLS with a login, and hears of no message', async ({ skip }) => {
    if ('skipped' in postfix) return skip(postfix.skipped)
    configure(postfix.port, `user: ada\nsecurity: starttls\nca: ${postfix.ca}`)
    const { code, stdout, stderr } = await project.run(['verify'], { MAILMERGE_SMTP_PASSWORD: postfix.password })
    expect(code, stderr).toBe(0)
    expect(stdout).toMatch(/^security {2}TLSv1\.[23], /m)
    expect(stdout).toMatch(/^login {5}accepted$/m)
    expect(stdout).toMatch(/^offers .*PIPELINING.*SMTPUTF8/m)
    expect(postfix.log()).toMatch(/ehlo=2 starttls=1 auth=1 quit=1 commands=5/)
  })

  test('refuses a wrong password: exit 77, tried once, and the password nowhere', async ({ skip }) => {
    if ('skipped' in postfix) return skip(postfix.skipped)
    configure(postfix.port, `user: ada\nsecurity: starttls\nca: ${postfix.ca}`)
    const { code, stdout, stderr } = await project.run(['verify', '--verbose'], { MAILMERGE_SMTP_PASSWORD: CANARY })
    expect(code).toBe(77)
    for (const form of FORMS) expect(stdout + stderr + postfix.log()).not.toContain(form)
    expect(postfix.log().match(/authentication failed/g)).toHaveLength(1)
  })
})
