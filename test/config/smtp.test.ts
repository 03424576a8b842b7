/** Which server, which login: addresses, presets, passwords, and that none of them is carried to another server. */
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { oauthProviders } from '../../src/config/oauth-provider.ts'
import { providerOf, providerOfHost } from '../../src/config/smtp/providers.ts'
import { type SmtpSources, smtpSettings } from '../../src/config/smtp/smtp.ts'
import { readSmtpUrl } from '../../src/config/smtp/smtp-url.ts'
import { ConfigError } from '../../src/errors.ts'
import { signInToken } from '../../src/oauth/access-token.ts'

function from(sources: Partial<SmtpSources>): ReturnType<typeof smtpSettings>['smtp'] {
  return smtpSettings({
    flag: undefined,
    askPassword: undefined,
    providers: {},
    environment: {},
    file: {},
    root: '/nowhere',
    ...sources,
  }).smtp
}

describe('an SMTP address', () => {
  test.each([
    ['smtp://h', { host: 'h', security: 'auto', lmtp: false }],
    ['smtp://u:p%40ss%3A@h:587', { host: 'h', port: 587, user: 'u', password: 'p@ss:', security: 'auto' }],
    ['smtps://u%40example.org@h', { host: 'h', user: 'u@example.org', security: 'tls' }],
    ['smtp://h:465', { port: 465, security: 'tls' }],
    ['smtp+starttls://h', { security: 'starttls' }],
    ['smtp://[::1]:2525', { host: '::1', port: 2525 }],
    ['smtp://bücher.example', { host: 'xn--bcher-kva.example' }],
    ['lmtp://h:24', { lmtp: true, port: 24 }],
    ['lmtp:///run/dovecot/lmtp', { host: '/run/dovecot/lmtp', lmtp: true, security: 'none' }],
  ])('%s', (text, expected) => expect(readSmtpUrl(text)).toMatchObject(expected))

  test.each([
    ['localhost:2525', 'smtp://'],
    ['http://h', "'http://'"],
    ['smtp://', 'not a valid URL'],
    ['smtp://h:99999', 'not a valid URL'],
    ['smtp://h/path', 'more text after the port'],
    ['smtps:///run/socket', 'socket file'],
    ['smtp://u:canary%zz@h', '%'],
    ['smtp://u:canary%0d%0aRCPT@h', 'control character'],
    ['smtp://u:canary with/slash@h', 'address'],
  ])('%s is refused without showing what may be a password', (text, says) => {
    const error = (() => {
      try {
        readSmtpUrl(text)
        return undefined
      } catch (reason) {
        return reason
      }
    })()
    expect(error).toBeInstanceOf(ConfigError)
    expect(String(error)).toContain(says)
    expect(inspect(error)).not.toContain('canary')
  })
})

describe('a server named on the command line', () => {
  const file = {
    host: 'mail.example.com',
    port: 2525,
    user: 'ada',
    password: 'canary',
    verifyCertificate: false,
    allowPlainLogin: true,
    name: 'client.example.com',
  }

  test('gets neither login nor relaxed checks that were set for another one', async () => {
    const smtp = from({ file, flag: 'smtp://other.example.com' })
    expect(smtp).toMatchObject({ host: 'other.example.com', port: 25, verifyCertificate: true, allowPlainLogin: false })
    expect(smtp.user).toBeUndefined()
    expect(smtp.name).toBe('client.example.com')
    const withUser = from({ file, flag: 'smtp://bob@other.example.com' })
    await expect(withUser.password?.()).rejects.toBeInstanceOf(ConfigError)
  })

  test('keeps them when it is the same server', async () => {
    const smtp = from({ file, flag: 'smtp://mail.example.com:587' })
    expect(smtp).toMatchObject({ user: 'ada', verifyCertificate: false, port: 587 })
    expect((await smtp.password?.())?.reveal()).toBe('canary')
  })

  test('gets no password of another account there', async () => {
    await expect(from({ file, flag: 'smtp://bob@mail.example.com' }).password?.()).rejects.toBeInstanceOf(ConfigError)
  })

  test('brings its own password before that of the environment', async () => {
    const smtp = from({ file, flag: 'smtp://ada:own@mail.example.com', environment: { password: 'other' } })
    expect((await smtp.password?.())?.reveal()).toBe('own')
  })

  test('takes the password of the environment', async () => {
    const smtp = from({ file, flag: 'smtp://bob@other.example.com', environment: { password: 'secret' } })
    expect((await smtp.password?.())?.reveal()).toBe('secret')
  })

  test('has the checks of a config that names no server', () => {
    expect(from({ file: { verifyCertificate: false }, flag: 'smtps://h' }).verifyCertificate).toBe(false)
  })
})

describe('the environment over the config', () => {
  test('an address takes the place of the whole server', () => {
    const smtp = from({ file: { host: 'a', port: 99, security: 'tls' }, environment: { url: 'smtp://b' } })
    expect(smtp).toMatchObject({ host: 'b', port: 25, security: 'auto' })
  })
  test('an address of another server gets no login of the config', () => {
    const file = { host: 'a', user: 'ada', password: 'canary', verifyCertificate: false }
    const smtp = from({ file, environment: { url: 'smtp://b' } })
    expect([smtp.user, smtp.password, smtp.verifyCertificate]).toEqual([undefined, undefined, true])
  })
  test('a host takes the place of the address', () => {
    expect(from({ file: { url: 'smtp://u@a:99' }, environment: { host: 'b' } })).toMatchObject({ host: 'b', port: 25 })
  })
  test('a port alone changes the port alone', () => {
    expect(from({ file: { host: 'a', security: 'tls' }, environment: { port: 99 } })).toMatchObject({
      host: 'a',
      port: 99,
    })
  })
})

describe('passwords', () => {
  const file = { host: 'h', user: 'ada' }

  test('come from the first line of a command', async () => {
    const smtp = from({ file: { ...file, passwordCommand: "printf 'canary\\nsecond\\n'" }, root: '/' })
    expect((await smtp.password?.())?.reveal()).toBe('canary')
  })

  test('a command is run once, however many connections log in', async () => {
    const smtp = from({ file: { ...file, passwordCommand: 'echo $$-$(date +%N)' }, root: '/' })
    const [one, two] = await Promise.all([smtp.password?.(), smtp.password?.()])
    expect(one?.reveal()).toBe(two?.reveal())
  })

  test.each([
    ['echo canary; echo canary >&2; exit 3', 'ended with code 3'],
    ['true', 'printed nothing'],
    ['no-such-command-canary', 'ended with code 127'],
  ])('a command that fails is reported without what it printed: %s', async (passwordCommand, says) => {
    const smtp = from({ file: { ...file, passwordCommand }, root: '/' })
    const error = await smtp.password?.().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ConfigError)
    expect(String(error)).toContain(says)
    expect(inspect(error)).not.toContain('canary')
  })

  test('are asked for where a person can answer, once', async () => {
    let asked = 0
    const smtp = from({
      file,
      askPassword: async (account) => {
        asked++
        return `for ${account}`
      },
    })
    expect((await smtp.password?.())?.reveal()).toBe('for ada')
    await smtp.password?.()
    expect(asked).toBe(1)
  })

  test('that are nowhere are an error that says where to put them', async () => {
    const error = await from({ file })
      .password?.()
      .catch((reason: unknown) => reason)
    expect(error).toMatchObject({ exitCode: 78, hint: expect.stringContaining('MAILMERGE_SMTP_PASSWORD') })
  })

  test('never show in settings that are printed', () => {
    const smtp = from({ file: { ...file, password: 'canary' } })
    expect(`${inspect(smtp, { depth: 9, showHidden: true })}${JSON.stringify(smtp)}`).not.toContain('canary')
  })
})

describe('tokens instead of passwords', () => {
  const providers = oauthProviders({
    config: { own: { clientId: 'x' } },
    root: '/',
    env: { XDG_STATE_HOME: '/nowhere' },
  })
  const file = { host: 'h', user: 'ada', oauth2: 'own' }

  test('take the place of the password, and the hint speaks of them', () => {
    const smtp = from({ file: { ...file, service: 'gmail' }, providers })
    expect([smtp.password, smtp.signIn]).toMatchObject([undefined, { provider: { name: 'own' }, user: 'ada' }])
    expect(smtp.loginHint).toContain('mailmerge login own --user ada')
  })

  test('are for one server and not for another one', () => {
    expect(from({ file, providers, flag: 'smtp://ada@other.example.com' }).signIn).toBeUndefined()
    expect(
      from({ file: { ...file, oauth2: undefined, tokenCommand: 'x' }, flag: 'smtp://bob@h' }).accessToken,
    ).toBeUndefined()
  })

  test('of a sign-in are each mailbox its own', async () => {
    const { signIn } = from({ file, providers, flag: 'smtp://bob@h' })
    expect(signIn?.user).toBe('bob')
    if (signIn === undefined) throw new Error('there is no sign-in')
    await expect(signInToken(signIn)).rejects.toMatchObject({
      exitCode: 77,
      message: 'nobody signed in at own for bob',
    })
  })

  test('give way to a password of the environment', async () => {
    const smtp = from({ file, providers, environment: { password: 'secret' } })
    expect([(await smtp.password?.())?.reveal(), smtp.signIn]).toEqual(['secret', undefined])
  })

  test.each([
    [{ ...file, password: 'canary' }, 'smtp.password and smtp.oauth2 are both set'],
    [{ ...file, tokenCommand: 'x' }, 'smtp.tokenCommand and smtp.oauth2 are both set'],
    [{ host: 'h', oauth2: 'own' }, 'smtp.oauth2 is set, and no smtp.user'],
    [{ ...file, oauth2: 'onw' }, "there is no OAuth2 provider 'onw'"],
  ])('%j is refused', (wrong, says) => expect(() => from({ file: wrong, providers })).toThrow(says))

  test('from a command are asked for again each time, but once by those who ask together', async () => {
    const { accessToken } = from({ file: { host: 'h', user: 'ada', tokenCommand: 'echo $$-$(date +%N)' }, root: '/' })
    const [one, two] = await Promise.all([accessToken?.(), accessToken?.()])
    expect(one?.reveal()).toBe(two?.reveal())
    expect((await accessToken?.())?.reveal()).not.toBe(one?.reveal())
  })
})

describe('providers', () => {
  test.each([
    'gmail',
    'Google Workspace',
    'google-relay',
    'microsoft365',
    'Office 365',
    'outlook.com',
    'ses',
    'SES-EU-WEST-1',
    'mailgun',
    'postmark',
    'sendgrid',
    'brevo',
    'resend',
    'fastmail',
    'zoho',
    'yahoo',
    'icloud',
    'yandex',
    'mailtrap',
    'proton',
    'smtp2go',
  ])('%s has a server that takes TLS', (name) => {
    const provider = providerOf(name)
    expect(provider.host).toMatch(/^[a-z0-9.-]+\.[a-z]+$/)
    const { security, port } = from({ file: { service: name } })
    expect([security, port === 465]).toEqual(provider.secure ? ['tls', true] : ['starttls', false])
  })

  test('the limits are those that Microsoft and Google publish', () => {
    expect(providerOf('microsoft365')).toMatchObject({
      connections: 3,
      rates: [
        { count: 30, seconds: 60 },
        { count: 10_000, seconds: 86_400, of: 'recipients' },
      ],
    })
    expect(providerOf('gmail').rates).toEqual([{ count: 500, seconds: 86_400, of: 'recipients' }])
    expect(providerOf('googleworkspace')).toMatchObject({
      host: 'smtp.gmail.com',
      rates: [
        { count: 2000, seconds: 86_400 },
        { count: 3000, seconds: 86_400, of: 'recipients' },
      ],
    })
    expect(providerOf('googlerelay')).toMatchObject({
      host: 'smtp-relay.gmail.com',
      rates: [{ count: 10_000, of: 'recipients' }],
    })
  })

  test.each(['gmail', 'googlerelay', 'outlook', 'icloud', 'yahoo', 'fastmail', 'zoho', 'yandex'])(
    'the mailbox of %s is left at a number of recipients, not of messages',
    (name) => expect(providerOf(name).rates?.map(({ of }) => of)).toEqual(['recipients']),
  )

  test('a server keeps its limits when it is named by its host', () => {
    expect(providerOfHost('SMTP.office365.com')?.connections).toBe(3)
    expect(providerOfHost('email-smtp.eu-west-1.amazonaws.com')?.host).toBe('email-smtp.eu-west-1.amazonaws.com')
    expect(providerOfHost('localhost')).toBeUndefined()
  })
})
