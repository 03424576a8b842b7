import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { SmtpSettings } from '../../src/config/settings.ts'
import { type MailmergeError, UnreachableError } from '../../src/errors.ts'
import { type AuthenticatedSocket, openSocket } from '../../src/transport/smtp/connect/socket.ts'
import { createSmtpTransport } from '../../src/transport/smtp/smtp-transport.ts'
import { makeCertificate, type TestCertificate } from '../support/certificates.ts'
import { type ScriptedServer, type ScriptedServerOptions, startScriptedServer } from '../support/scripted-server.ts'
import { deliverAll, smtpSettings } from './smtp-lane.ts'

let server: ScriptedServer | undefined
const opened: AuthenticatedSocket[] = []
const folder = mkdtempSync(join(tmpdir(), 'mailmerge-connect-'))
let right: TestCertificate
let expired: TestCertificate
let other: TestCertificate

beforeAll(async () => {
  right = await makeCertificate('localhost')
  expired = await makeCertificate('localhost', { expired: true })
  other = await makeCertificate('mail.example.com')
})
afterAll(() => rmSync(folder, { recursive: true }))
afterEach(async () => {
  for (const { socket } of opened.splice(0)) socket.destroy()
  await server?.close()
  server = undefined
})

async function serve(options: ScriptedServerOptions = {}): Promise<number> {
  server = await startScriptedServer(options)
  return server.port
}

/** The certificate as its own authority. */
function authority({ cert }: TestCertificate): string {
  const path = join(folder, `${Math.random()}.pem`)
  writeFileSync(path, cert)
  return path
}

async function open(port: number, more: Partial<SmtpSettings> = {}): Promise<AuthenticatedSocket> {
  const connection = await openSocket(smtpSettings(port, { host: 'localhost', ...more }))
  opened.push(connection)
  return connection
}

async function failure(port: number, more: Partial<SmtpSettings> = {}): Promise<MailmergeError> {
  return open(port, more).then(
    () => {
      throw new Error('it should not have connected')
    },
    (error: MailmergeError) => error,
  )
}

describe('a server that is none -> said which and what to do, exit 69', () => {
  test('nobody listens', async () => {
    const port = await serve()
    await server?.close()
    expect(await failure(port)).toMatchObject({
      exitCode: 69,
      message: `nobody answers at localhost:${port}: connection refused`,
    })
  })

  test('a host that nobody knows', async () => {
    expect(await failure(25, { host: 'no-such-host.invalid' })).toMatchObject({
      exitCode: 69,
      message: "the host 'no-such-host.invalid' is not known",
    })
  })

  test.each([
    ['554 at the greeting', { greeting: () => '554 5.7.1 go away' }, /turned us away: 554 5\.7\.1 go away/],
    ['421 at the greeting', { greeting: () => '421 4.3.2 too busy' }, /turned us away: 421 4\.3\.2 too busy/],
    [
      'another protocol',
      { greeting: () => ({ raw: 'HTTP/1.1 400 Bad Request\r\n\r\n' }) },
      /does not speak SMTP.*HTTP\/1\.1 400/,
    ],
    [
      'terminal escapes',
      { greeting: () => ({ raw: '\x1b[2Jhello\r\n' }) },
      /does not speak SMTP: it greeted with '[ -~]+'$/,
    ],
    ['silence', { greeting: () => ({ silence: true }) }, /answers, but says nothing/],
    ['a line without an end', { greeting: () => ({ raw: `220 ${'x'.repeat(100_000)}` }) }, /its reply has no end/],
    ['lines without an end', { greeting: () => ({ raw: '220-x\r\n'.repeat(20_000) }) }, /its reply has no end/],
    ['a cut before the greeting', { greeting: () => ({ drop: true }) }, /closed the connection/],
    ['421 at EHLO', { ehlo: () => '421 4.7.0 later' }, /421 4\.7\.0 later/],
    [
      'a name that is refused at EHLO and HELO',
      { ehlo: () => '504 5.5.2 <x>: Helo command rejected', helo: () => '504 5.5.2 <x>: Helo command rejected' },
      /refuses the name that we greet it with/,
    ],
    ['silence at EHLO', { ehlo: () => ({ silence: true }) }, /stopped answering|does not answer/],
    ['a cut at EHLO', { ehlo: () => ({ drop: true }) }, /closed the connection/],
  ] satisfies readonly (readonly [string, ScriptedServerOptions, RegExp])[])('%s', async (_name, script, words) => {
    const error = await failure(await serve(script))
    expect(error).toBeInstanceOf(UnreachableError)
    expect(error.message).toMatch(words)
    expect(error.message.length).toBeLessThan(700)
    expect(error.hint).toBeTruthy()
    expect(server?.commands.filter((line) => /^(MAIL|AUTH)/.test(line))).toEqual([])
  })

  test('a second reply that nobody asked for', async () => {
    const error = await failure(await serve({ ehlo: () => ({ raw: '250-scripted\r\n250 SIZE\r\n250 more\r\n' }) }))
    expect(error.message).toMatch(/sent more than it was asked for/)
  })
})

describe('TLS that cannot be trusted -> refused with its reason, nothing said in clear', () => {
  const cases = [
    ['expired', () => expired, /certificate has expired/],
    ['for another name', () => other, /certificate is for another name, [\w.-]+/],
  ] as const
  test.each(
    cases.flatMap(([name, certificate, words]) =>
      (['tls', 'starttls'] as const).map((security) => [name, security, certificate, words] as const),
    ),
  )('a certificate that is %s, with security %s', async (_name, security, certificate, words) => {
    const tls = { ...certificate(), implicit: security === 'tls' }
    const port = await serve({ tls, auth: () => undefined })
    const more = {
      security,
      user: 'ada',
      ca: authority(certificate()),
      password: () => Promise.reject(new Error('asked')),
    }
    const error = await failure(port, more)
    expect(error).toMatchObject({ exitCode: 69, message: expect.stringMatching(words) })
    expect(server?.commands.filter((line) => !/^(EHLO|STARTTLS)/.test(line))).toEqual([])
  })

  test.each(['tls', 'starttls'] as const)('a self-signed certificate, with security %s', async (security) => {
    const error = await failure(await serve({ tls: { ...right, implicit: security === 'tls' } }), { security })
    expect(error.message).toMatch(/not from a known authority/)
    expect(error.hint).toMatch(/smtp\.ca/)
  })

  test.each(['tls', 'starttls'] as const)('its authority known, with security %s -> works', async (security) => {
    const port = await serve({ tls: { ...right, implicit: security === 'tls' } })
    expect(await open(port, { security, ca: authority(right) })).toMatchObject({ secure: true })
    expect(server?.clearCommands.filter((line) => !/^(EHLO|STARTTLS)/.test(line))).toEqual([])
  })

  test('a check that was switched off by hand -> works', async () => {
    const port = await serve({ tls: expired })
    expect(await open(port, { security: 'starttls', verifyCertificate: false })).toMatchObject({ secure: true })
  })

  test('STARTTLS asked for and not offered', async () => {
    const port = await serve({ starttls: () => '502 5.5.1 what?' })
    expect((await failure(port, { security: 'starttls' })).message).toMatch(/does not give the TLS that was asked for/)
    expect(server?.commands.filter((line) => /^(MAIL|AUTH)/.test(line))).toEqual([])
  })

  test.each(['starttls', 'auto'] as const)('STARTTLS offered and refused, with security %s', async (security) => {
    const port = await serve({ tls: right, starttls: () => '454 4.7.0 not now', auth: () => undefined })
    const error = await failure(port, { security, user: 'ada', password: () => Promise.reject(new Error('asked')) })
    expect(error.message).toMatch(/does not give the TLS.*454 4\.7\.0 not now/)
    expect(server?.commands.filter((line) => /^(MAIL|AUTH)/.test(line))).toEqual([])
  })

  test('words put in between STARTTLS and TLS', async () => {
    const port = await serve({
      tls: right,
      starttls: () => ({ raw: '220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n' }),
      auth: () => undefined,
    })
    const more = {
      security: 'starttls',
      verifyCertificate: false,
      user: 'ada',
      password: () => Promise.reject(new Error('asked')),
    } as const
    expect((await failure(port, more)).message).toMatch(/sent unencrypted before TLS began/)
    expect(server?.commands.filter((line) => /^(MAIL|AUTH)/.test(line))).toEqual([])
  })

  test('a port that speaks TLS from the start, spoken to in clear -> the hint says so', async () => {
    const error = await failure(await serve({ tls: { ...right, implicit: true } }), { security: 'auto' })
    expect(error).toMatchObject({ exitCode: 69, hint: expect.stringMatching(/security: tls/) })
  })

  test('a port that speaks in clear, spoken to in TLS', async () => {
    const error = await failure(await serve(), { security: 'tls' })
    expect(error.message).toMatch(/does not speak TLS on this port/)
  })

  test('TLS cut in the handshake', async () => {
    const port = await serve({ tls: right, starttls: () => ({ close: '220 go' }) })
    expect((await failure(port, { security: 'starttls' })).exitCode).toBe(69)
  })

  test('TLS older than 1.2', async () => {
    const old = createTlsServer({ ...right, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })
    old.on('tlsClientError', () => {})
    await new Promise<void>((resolve) => old.listen(0, '127.0.0.1', resolve))
    const error = await failure((old.address() as AddressInfo).port, { security: 'tls', verifyCertificate: false })
    old.close()
    expect(error.message).toMatch(/only versions of TLS that are no longer safe/)
  })

  test('what was offered in clear is forgotten inside TLS', async () => {
    const port = await serve({
      tls: right,
      extensions: ['PIPELINING', 'SMTPUTF8', 'SIZE 99'],
      secureExtensions: ['8BITMIME'],
    })
    const { extensions } = await open(port, { security: 'starttls', verifyCertificate: false })
    expect(extensions).toMatchObject({ pipelining: false, smtputf8: false, maxSize: 0, eightBitMime: true })
  })

  test('an authority file that is not there -> wrong configuration', async () => {
    const error = await failure(await serve(), { security: 'tls', ca: join(folder, 'none.pem') })
    expect(error).toMatchObject({ exitCode: 78, message: expect.stringContaining('none.pem') })
  })
})

test('a server that does not know EHLO is greeted with HELO, one command at a time', async () => {
  const port = await serve({ ehlo: () => '502 5.5.1 what?' })
  const { final } = await deliverAll(port, 3)
  expect(Object.values(final)).toEqual(['accepted', 'accepted', 'accepted'])
})

test('the name of the settings is given in EHLO', async () => {
  await open(await serve(), { name: 'mail.example.net' })
  expect(server?.commands).toEqual(['EHLO mail.example.net'])
})

describe('an attempt that is called off', () => {
  test.each([
    ['while the server is silent', { greeting: () => ({ silence: true }) }],
    ['while it answers EHLO', { ehlo: () => ({ silence: true }) }],
    ['while it looks up the login', { auth: () => ({ silence: true }) }],
  ] satisfies readonly (readonly [string, ScriptedServerOptions])[])(
    '%s -> ends at once and leaves no socket',
    async (_name, script) => {
      const port = await serve(script)
      const controller = new AbortController()
      const login = {
        user: 'ada',
        accessToken: () => Promise.resolve({ reveal: () => 'x' }) as never,
        allowPlainLogin: true,
      }
      const timeouts = { connect: 60_000, greeting: 60_000, command: 60_000, data: 60_000, endOfData: 60_000 }
      const opening = openSocket(smtpSettings(port, { ...login, timeouts }), undefined, controller.signal)
      setTimeout(() => controller.abort(), 50)
      await expect(opening).rejects.toThrow(/abort/i)
    },
  )

  test('before it began -> nobody is connected to', async () => {
    const port = await serve()
    await expect(openSocket(smtpSettings(port), undefined, AbortSignal.abort())).rejects.toThrow(/abort/i)
    expect(server?.connections).toBe(0)
  })
})

test('verify says what the server said of itself, and sends nothing', async () => {
  const port = await serve({ tls: right, extensions: ['PIPELINING', 'SIZE 1000000'], auth: () => undefined })
  const login = { user: 'ada', password: () => Promise.resolve({ reveal: () => 'x' }) as never }
  const settings = smtpSettings(port, { host: 'localhost', security: 'starttls', ca: authority(right), ...login })
  expect(await createSmtpTransport(settings).verify()).toEqual({
    server: `localhost:${port}`,
    greeting: '220 scripted ESMTP',
    secure: true,
    tls: expect.stringMatching(/^TLSv1\.3, TLS_/),
    authenticated: true,
    extensions: ['PIPELINING', 'SIZE 1000000', 'AUTH PLAIN LOGIN'],
    size: 1_000_000,
  })
  expect(server?.commands.filter((line) => line.startsWith('MAIL'))).toEqual([])
})

test('a server of TCP that accepts and hangs up on everybody is named so', async () => {
  const rude = createServer((socket) => socket.end())
  await new Promise<void>((resolve) => rude.listen(0, '127.0.0.1', resolve))
  const error = await failure((rude.address() as AddressInfo).port)
  rude.close()
  expect(error).toMatchObject({ exitCode: 69, message: expect.stringMatching(/closed the connection/) })
})
