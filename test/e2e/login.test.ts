/** Signing in and sending, as a user does: the program, a provider, a server that asks the provider about each token. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'
import {
  type Rule,
  type ScriptedServer,
  type ScriptedServerOptions,
  startScriptedServer,
} from '../support/scripted-server.ts'

let idp: IdentityProvider
let server: ScriptedServer
let project: Project
beforeEach(async () => {
  idp = await startIdentityProvider()
})
afterEach(async () => {
  await idp.close()
  await server?.close()
  project?.remove()
})

/** Tokens in the order in which the server was shown them. */
let shown: string[] = []

/** Takes a token that the provider calls good, else answers as large providers do: a challenge, then the refusal. */
const bearer: Rule = ({ line }) => {
  if (!line.startsWith('AUTH')) return '535 5.7.8 the token is not accepted'
  const words = Buffer.from(line.split(' ')[2] ?? '', 'base64').toString()
  const token = /auth=Bearer ([^\u0001]*)/.exec(words)?.[1] ?? ''
  shown.push(token)
  return idp.isGood(token) ? undefined : `334 ${Buffer.from('{"status":"401"}').toString('base64')}`
}

async function prepare(options: ScriptedServerOptions, rows = 3): Promise<void> {
  shown = []
  server = await startScriptedServer({ auth: bearer, authMechanisms: ['XOAUTH2'], ...options })
  project = makeProject({
    'mailmerge.yaml': [
      `smtp: { host: 127.0.0.1, port: ${server.port}, user: ada@example.com, oauth2: own, allowPlainLogin: true }`,
      'oauth2:',
      `  own: { clientId: ${idp.clientId}, authorizationEndpoint: "${idp.authorizationEndpoint}",`,
      `    deviceEndpoint: "${idp.deviceEndpoint}", tokenEndpoint: "${idp.tokenEndpoint}", revocationEndpoint: "${idp.revocationEndpoint}",`,
      '    scopes: mail offline_access }',
      'concurrency: 1',
    ].join('\n'),
    'list.csv': listOf(rows),
    'templates/letter.txt': LETTER,
  })
}

const env = (): NodeJS.Dict<string> => ({
  XDG_STATE_HOME: join(project.dir, 'state'),
  DISPLAY: '',
  WAYLAND_DISPLAY: '',
  SSH_CONNECTION: '',
})
const tokenFile = (): string => join(project.dir, 'state', 'mailmerge', 'tokens', 'own-ada@example.com.json')
const send = (...more: string[]) =>
  project.start(['run', '--csv', 'list.csv', '--template', 'letter', '--yes', ...more], env())

/** Signs in by the browser and gives what was said. */
async function signIn(): Promise<string> {
  const { child, ended } = project.start(['login', 'own', '--no-open', '--json'], env())
  child.stdout?.once('data', (text: string) => void idp.visit(JSON.parse(text.split('\n')[0] ?? '').url))
  const { code, stdout, stderr } = await ended
  expect([code, stderr]).toEqual([0, ''])
  return stdout
}

/** Every text that a person or a program could find, but for the token file. */
function everything(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => path !== tokenFile() && statSync(path).isFile())
    .map((path) => readFileSync(path, 'latin1'))
    .join('\n')
}

function expectNoToken(...texts: readonly string[]): void {
  for (const token of [...idp.given, ...idp.refreshTokens]) {
    const inBase64 = Buffer.from(`user=ada@example.com\u0001auth=Bearer ${token}\u0001\u0001`).toString('base64')
    for (const text of texts) {
      expect(text).not.toContain(token)
      expect(text).not.toContain(inBase64.slice(4, -4))
    }
  }
}

// Each starts several programs, on machines that may be busy.
describe('mailmerge login', { timeout: 120_000 }, () => {
  test('signs in, says so without a token, and the run sends with it', async () => {
    await prepare({})
    const said = await signIn()
    const [open, signedIn] = said
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(open).toMatchObject({ event: 'open', url: expect.stringContaining('code_challenge_method=S256') })
    expect(signedIn).toMatchObject({ event: 'signed_in', provider: 'own', user: 'ada@example.com', renews: true })
    expect(statSync(tokenFile()).mode & 0o777).toBe(0o600)
    const { child, ended } = send('--verbose')
    const commandLine = readFileSync(`/proc/${child.pid}/cmdline`, 'latin1')
    const { code, stdout, stderr } = await ended
    expect([code, server.messages.length]).toEqual([0, 3])
    expect(shown).toEqual(idp.given)
    expect(stderr).toContain('AUTH XOAUTH2 [secret]')
    expectNoToken(said, stdout, stderr, commandLine, everything(project.dir))
  })

  test('takes the code on another device where there is no screen', async () => {
    await prepare({})
    const { child, ended } = project.start(['login', '--json'], env())
    child.stdout?.once('data', (text: string) => {
      const { url, code } = JSON.parse(text.split('\n')[0] ?? '')
      void idp.enterCode(url, code)
    })
    const { code } = await ended
    expect([code, idp.grants.at(-1)]).toEqual([0, 'device_code 200'])
  })

  test('reports who is signed in, and forgets it', async () => {
    await prepare({})
    const missing = await project.run(['login', '--status'], env())
    expect([missing.code, missing.stderr]).toEqual([77, expect.stringContaining('mailmerge login own')])
    await signIn()
    const status = await project.run(['login', '--status'], env())
    expect(status).toMatchObject({ code: 0, stdout: expect.stringContaining('mailbox   ada@example.com') })
    const gone = await project.run(['login', '--remove', '--json'], env())
    expect(JSON.parse(gone.stdout)).toMatchObject({ event: 'removed', revoked: true })
    expect(existsSync(tokenFile())).toBe(false)
    expectNoToken(status.stdout, gone.stdout)
  })

  test.each([
    [['login', 'gogle'], 78, "did you mean 'google'"],
    [['login', 'google', '--user', 'a@gmail.com'], 78, 'oauth2.google.clientid'],
    [['login', '--status', '--remove'], 64, 'cannot both'],
  ])('%j -> exit %i and what to do', async (args, exitCode, says) => {
    await prepare({})
    const { code, stderr } = await project.run(args, env())
    expect([code, stderr.toLowerCase()]).toEqual([exitCode, expect.stringContaining(says)])
  })
})

describe('a run', { timeout: 120_000 }, () => {
  test('whose token ends on the way goes on with a fresh one', async () => {
    // Each connection takes one message. After the first the token has ended, for the provider and by the clock.
    const end: Rule = ({ connection }) => {
      if (connection === 1) age()
      return undefined
    }
    await prepare({ end, mail: ({ message }) => (message > 1 ? '421 4.7.0 too many messages' : undefined) })
    function age(): void {
      const tokens = JSON.parse(readFileSync(tokenFile(), 'utf8'))
      idp.expire(tokens.access)
      project.write(
        'state/mailmerge/tokens/own-ada@example.com.json',
        JSON.stringify({ ...tokens, expiresAt: tokens.issuedAt }),
      )
    }
    await signIn()
    const { code, stdout, stderr } = await send('--json').ended
    expect([code, server.messages.length]).toEqual([0, 3])
    const [first, second, third] = shown
    expect([first, second, third]).toEqual([idp.given[0], idp.given[1], idp.given[1]])
    expect(idp.grants).toEqual(['authorization_code 200', 'refresh_token 200'])
    expectNoToken(stdout, stderr, everything(project.dir))
  })

  test.each([['XOAUTH2'], ['OAUTHBEARER']])(
    'whose token is refused by %s tries once and ends with 77',
    async (mechanism) => {
      await prepare({ authMechanisms: [mechanism] })
      await signIn()
      idp.expire(idp.given[0] ?? '')
      const { code, stderr } = await send('--concurrency', '5').ended
      expect(code).toBe(77)
      expect(stderr).toContain('535 5.7.8 the token is not accepted')
      expect(stderr).toContain('mailmerge login own --user ada@example.com')
      expect([shown.length, server.messages.length]).toEqual([1, 0])
      expectNoToken(stderr, everything(project.dir))
    },
  )

  test('whose sign-in has ended says how to sign in again, and shows the server nothing', async () => {
    await prepare({})
    await signIn()
    await idp.forget()
    const tokens = JSON.parse(readFileSync(tokenFile(), 'utf8'))
    project.write(
      'state/mailmerge/tokens/own-ada@example.com.json',
      JSON.stringify({ ...tokens, expiresAt: tokens.issuedAt }),
    )
    const { code, stderr } = await send().ended
    expect(code).toBe(77)
    expect(stderr).toContain('mailmerge login own --user ada@example.com')
    expect(shown).toEqual([])
  })

  test('whose sign-in is ended on the way stops with 77, and goes on after a new one', async () => {
    const end: Rule = ({ connection }) => {
      if (connection === 1) {
        const tokens = JSON.parse(readFileSync(tokenFile(), 'utf8'))
        const ended = JSON.stringify({ ...tokens, expiresAt: tokens.issuedAt })
        project.write('state/mailmerge/tokens/own-ada@example.com.json', ended)
      }
      return undefined
    }
    await prepare({ end, mail: ({ message }) => (message > 1 ? '421 4.7.0 too many messages' : undefined) })
    await signIn()
    await idp.forget()
    const stopped = await send().ended
    expect([stopped.code, server.messages.length]).toEqual([77, 1])
    expect(stopped.stderr).toContain('mailmerge login own --user ada@example.com')
    expect(stopped.stderr).toContain('mailmerge resume')
    await signIn()
    expect((await project.run(['resume'], env())).code).toBe(0)
    expect(server.messages.flatMap(({ to }) => to).sort()).toEqual([
      'p1@example.com',
      'p2@example.com',
      'p3@example.com',
    ])
  })

  test('takes a token from a command, again for each connection', async () => {
    await prepare({ mail: ({ message }) => (message > 1 ? '421 4.7.0 too many messages' : undefined) })
    await signIn()
    project.write(
      'mailmerge.yaml',
      [
        `smtp: { host: 127.0.0.1, port: ${server.port}, user: ada@example.com, allowPlainLogin: true,`,
        `  tokenCommand: "echo asked >> asked.txt; echo ${idp.given[0]}" }`,
        'concurrency: 1',
      ].join('\n'),
    )
    expect((await send().ended).code).toBe(0)
    expect(shown).toEqual([idp.given[0], idp.given[0], idp.given[0]])
    expect(readFileSync(join(project.dir, 'asked.txt'), 'utf8')).toBe('asked\nasked\nasked\n')
  })
})
