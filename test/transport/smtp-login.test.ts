import { inspect } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import type { SmtpSettings } from '../../src/config/settings.ts'
import type { MailmergeError } from '../../src/errors.ts'
import { Secret } from '../../src/secret.ts'
import { createSmtpTransport } from '../../src/transport/smtp/smtp-transport.ts'
import {
  type Rule,
  type ScriptedServer,
  type ScriptedServerOptions,
  startScriptedServer,
} from '../support/scripted-server.ts'
import { smtpSettings } from './smtp-lane.ts'

const CANARY = 'canary-p4ssw0rd'
const TOKEN = 'canary-t0ken'
/** Every form in which the secrets could be written down. */
const TRACES = [
  CANARY,
  TOKEN,
  ...[`\0ada\0${CANARY}`, CANARY, `user=ada\u0001auth=Bearer ${TOKEN}\u0001\u0001`].map((text) =>
    Buffer.from(text).toString('base64').slice(4, -4),
  ),
]

let server: ScriptedServer
afterEach(() => server.close())

async function settingsFor(options: ScriptedServerOptions, more: Partial<SmtpSettings> = {}): Promise<SmtpSettings> {
  server = await startScriptedServer(options)
  return smtpSettings(server.port, {
    user: 'ada',
    password: () => Promise.resolve(new Secret(CANARY)),
    allowPlainLogin: true,
    ...more,
  })
}

const token = { accessToken: () => Promise.resolve(new Secret(TOKEN)) }
const tries = (): string[] => server.commands.filter((line) => line.startsWith('AUTH'))

/** What was said while connecting, and how it ended. */
async function attempt(settings: SmtpSettings): Promise<{ readonly said: string; readonly error?: MailmergeError }> {
  const lines: string[] = []
  const transport = createSmtpTransport(settings, { dialogue: (line) => lines.push(line) })
  try {
    ;(await transport.open()).abort()
    return { said: lines.join('\n') }
  } catch (error) {
    return { said: lines.join('\n'), error: error as MailmergeError }
  }
}

function expectNoSecret(...things: readonly unknown[]): void {
  for (const thing of things)
    for (const trace of TRACES)
      expect(typeof thing === 'string' ? thing : inspect(thing, { depth: 9, showHidden: true })).not.toContain(trace)
}

describe('a password', () => {
  test.each([['PLAIN'], ['LOGIN'], ['PLAIN LOGIN']])('goes over by what the server offers: %s', async (offered) => {
    const { said, error } = await attempt(
      await settingsFor({ auth: () => undefined, authMechanisms: offered.split(' ') }),
    )
    expect(error).toBeUndefined()
    expect(tries()).toHaveLength(1)
    expect(server.commands.join('\n')).toContain(
      offered === 'LOGIN' ? Buffer.from(CANARY).toString('base64') : Buffer.from(`\0ada\0${CANARY}`).toString('base64'),
    )
    expect(said).toMatch(/C: AUTH/)
    expectNoSecret(said)
  })

  test('is not sent in clear unless that is asked for -> wrong configuration, no AUTH', async () => {
    const { error } = await attempt(await settingsFor({ auth: () => undefined }, { allowPlainLogin: false }))
    expect(error).toMatchObject({ exitCode: 78, message: expect.stringContaining('offers no TLS') })
    expect(tries()).toEqual([])
  })

  test('is not sent to a server that offers no login -> exit 77, no AUTH', async () => {
    const { error } = await attempt(await settingsFor({}))
    expect(error).toMatchObject({ exitCode: 77, message: expect.stringContaining('offers no login') })
    expect(tries()).toEqual([])
  })
})

describe('the way of a login', () => {
  test.each(['502 Invalid input', '504 5.5.4 unrecognized authentication type'])(
    'is another one where the server does not know the one it offers: %s',
    async (reply) => {
      const auth: Rule = ({ line }) => (line.startsWith('AUTH PLAIN') ? reply : undefined)
      const { error, said } = await attempt(await settingsFor({ auth, authMechanisms: ['LOGIN', 'PLAIN'] }))
      expect(error).toBeUndefined()
      expect(tries().map((line) => line.split(' ')[1])).toEqual(['PLAIN', 'LOGIN'])
      expectNoSecret(said)
    },
  )

  test('is the one that smtp.auth names, and no other', async () => {
    const settings = await settingsFor(
      { auth: () => '504 5.5.4 no', authMechanisms: ['LOGIN', 'PLAIN'] },
      { auth: 'login' },
    )
    const { error } = await attempt(settings)
    expect(error).toMatchObject({ exitCode: 77, hint: expect.stringContaining('smtp.auth') })
    expect(tries().map((line) => line.split(' ')[1])).toEqual(['LOGIN'])
  })

  test('is none where the server offers none for a password -> exit 77 with its offers, no AUTH', async () => {
    const { error } = await attempt(await settingsFor({ auth: () => undefined, authMechanisms: ['NTLM', 'GSSAPI'] }))
    expect(error).toMatchObject({ exitCode: 77, message: expect.stringContaining('NTLM, GSSAPI') })
    expect(tries()).toEqual([])
  })

  test('that takes a password is not given a token, nor the other way round -> wrong configuration', async () => {
    const password = await attempt(await settingsFor({ auth: () => undefined }, { auth: 'xoauth2' }))
    expect(password.error?.exitCode).toBe(78)
    await server.close()
    const withToken = await attempt(await settingsFor({ auth: () => undefined }, { ...token, auth: 'plain' }))
    expect(withToken.error?.exitCode).toBe(78)
    expect(tries()).toEqual([])
  })
})

describe('a refusal', () => {
  test.each([
    ['535 5.7.8 authentication failed', 77, /Check user and password/],
    ['534 5.7.9 application-specific password required', 77, /app password/],
    ['550 5.7.30 basic authentication is not supported', 77, /mailmerge login microsoft/],
    ['530 5.7.0 must issue a STARTTLS command first', 77, /starttls/],
    [
      '535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.',
      77,
      /administrator.*mailmerge login/,
    ],
    ['432 4.7.12 a password transition is needed', 77, /Check user and password/],
    ['454 4.7.0 temporary authentication failure', 69, /later/],
    ['421 4.7.0 too many', 69, /later/],
  ])('%s -> exit %i, one try', async (reply, exitCode, hint) => {
    const { error, said } = await attempt(await settingsFor({ auth: () => reply }))
    expect(error).toMatchObject({
      exitCode,
      message: expect.stringContaining(reply),
      hint: expect.stringMatching(hint),
    })
    expect(tries()).toHaveLength(1)
    expectNoSecret(said, error)
  })

  test("the provider's own words are the hint where there are some", async () => {
    const settings = await settingsFor({ auth: () => '535 5.7.8 no' }, { loginHint: 'Gmail takes an app password.' })
    expect((await attempt(settings)).error?.hint).toBe('Gmail takes an app password.')
  })

  test('a connection that is cut at AUTH is a server that is away, not a wrong password', async () => {
    const { error } = await attempt(await settingsFor({ auth: () => ({ drop: true }) }))
    expect(error?.exitCode).toBe(69)
  })

  test('of the first of many lanes -> the others do not try, nor any later one', async () => {
    const transport = createSmtpTransport(await settingsFor({ auth: () => ({ after: 50, reply: '535 5.7.8 no' }) }))
    const ends = await Promise.allSettled(Array.from({ length: 5 }, () => transport.open()))
    expect(ends.map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => 'rejected'))
    await expect(transport.open()).rejects.toMatchObject({ exitCode: 77 })
    await expect(transport.verify()).rejects.toMatchObject({ exitCode: 77 })
    expect(tries()).toHaveLength(1)
  })

  test('that is only for now stops nobody from trying again', async () => {
    let asked = 0
    const settings = await settingsFor({ auth: () => (++asked === 1 ? '454 4.7.0 later' : undefined) })
    const transport = createSmtpTransport(settings)
    await expect(transport.open()).rejects.toMatchObject({ exitCode: 69 })
    ;(await transport.open()).abort()
  })
})

describe('a token', () => {
  const sent = (): string => Buffer.from(tries()[0]?.split(' ')[2] ?? '', 'base64').toString()

  test.each([
    ['XOAUTH2', 'PLAIN LOGIN XOAUTH2 OAUTHBEARER', `user=ada\u0001auth=Bearer ${TOKEN}\u0001\u0001`],
    ['OAUTHBEARER', 'PLAIN LOGIN OAUTHBEARER', `n,a=ada,\u0001auth=Bearer ${TOKEN}\u0001\u0001`],
    ['XOAUTH2', 'PLAIN', `user=ada\u0001auth=Bearer ${TOKEN}\u0001\u0001`],
  ])('goes over by %s where the server offers %s', async (mechanism, offered, words) => {
    const { error, said } = await attempt(
      await settingsFor({ auth: () => undefined, authMechanisms: offered.split(' ') }, token),
    )
    expect(error).toBeUndefined()
    expect(tries()[0]).toMatch(new RegExp(`^AUTH ${mechanism} `))
    expect(sent()).toBe(words)
    expectNoSecret(said)
  })

  test.each([
    ['XOAUTH2', ''],
    ['OAUTHBEARER', 'AQ=='],
  ])('that is refused by %s with a challenge -> the challenge is acknowledged, one try', async (mechanism, word) => {
    const challenge = `334 ${Buffer.from('{"status":"401"}').toString('base64')}`
    const auth: Rule = ({ line }) => (line.startsWith('AUTH') ? challenge : '535 5.7.8 token expired')
    const { error, said } = await attempt(await settingsFor({ auth, authMechanisms: [mechanism] }, token))
    expect(error).toMatchObject({ exitCode: 77, message: expect.stringContaining('535 5.7.8 token expired') })
    expect(tries()).toHaveLength(1)
    expect(server.commands.at(-1)).toBe(word)
    expectNoSecret(said, error)
  })

  test('is asked for again for each connection', async () => {
    let asked = 0
    const accessToken = (): Promise<Secret> => Promise.resolve(new Secret(`${TOKEN}${++asked}`))
    const transport = createSmtpTransport(
      await settingsFor({ auth: () => undefined, authMechanisms: ['XOAUTH2'] }, { accessToken }),
    )
    for (let lane = 0; lane < 3; lane++) (await transport.open()).abort()
    expect(asked).toBe(3)
  })
})
