/**
 * Connects, secures and logs in by nodemailer, and takes the socket over. Owns what we stand on in it: a test fails when a
 * new version changes that. After this module nothing of nodemailer touches the connection.
 */
import { readFileSync } from 'node:fs'
import { isIP, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import SMTPConnection from 'nodemailer/lib/smtp-connection'
import type { SmtpSettings } from '../../config/settings.ts'
import { ConfigError, LoginError, type MailmergeError, UnreachableError } from '../../errors.ts'
import { type Extensions, readExtensions } from './extensions.ts'
import { readable } from './reply-parser.ts'

/** A connection after greeting, EHLO, STARTTLS and login: nobody listens on it, nothing is under way. */
export interface AuthenticatedSocket {
  readonly socket: Socket | TLSSocket
  readonly extensions: Extensions
  readonly secure: boolean
  readonly authenticated: boolean
  readonly greeting: string
}

/** The parts of nodemailer's connection that are not its public interface. */
interface Internals {
  readonly _socket: (Socket | TLSSocket) | false
  readonly _ehloLines?: readonly string[]
  readonly _remainder: string
  readonly _responseQueue: readonly unknown[]
  readonly _responseActions: readonly unknown[]
  readonly _onSocketData: () => void
  readonly _onSocketError: () => void
  readonly _onSocketClose: () => void
  readonly _onSocketEnd: () => void
  readonly _onSocketTimeout: () => void
  readonly secure: boolean
  readonly authenticated: boolean
  _destroyed: boolean
}

export type DialogueLine = (line: string) => void

const INTERNALS = [
  '_socket',
  '_remainder',
  '_responseQueue',
  '_responseActions',
  '_onSocketData',
  '_onSocketError',
  '_onSocketClose',
  '_onSocketEnd',
  '_onSocketTimeout',
] as const

/**
 * @throws UnreachableError when there is no server, no SMTP, or TLS fails; LoginError when the login is refused;
 *   ConfigError when a password would go in clear.
 */
export async function openSocket(
  settings: SmtpSettings,
  dialogue?: DialogueLine,
  signal?: AbortSignal,
): Promise<AuthenticatedSocket> {
  signal?.throwIfAborted()
  const connection = new SMTPConnection(connectionOptions(settings, dialogue))
  const internals = connection as unknown as Internals
  const stop = (): void => connection.close()
  signal?.addEventListener('abort', stop, { once: true })
  try {
    await connected(connection, settings)
    const greeting = readable(String(connection.lastServerResponse || ''))
    const wantsLogin = settings.user !== undefined
    if (wantsLogin) await login(connection, settings, internals)
    return { ...takeOver(internals, settings), authenticated: wantsLogin, greeting }
  } catch (error) {
    connection.close()
    throw error
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host)
}

function connectionOptions(
  settings: SmtpSettings,
  dialogue: DialogueLine | undefined,
): ConstructorParameters<typeof SMTPConnection>[0] {
  const { host, port, security, name, timeouts, lmtp } = settings
  // With `auto` on this very machine nobody is between us and the server, and its certificate is mostly its own.
  const verify = settings.verifyCertificate && !(security === 'auto' && isLoopback(host))
  return {
    host,
    port,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    ...(name === undefined ? {} : { name }),
    lmtp,
    connectionTimeout: timeouts.connect,
    greetingTimeout: timeouts.greeting,
    socketTimeout: timeouts.command,
    dnsTimeout: timeouts.connect,
    allowInternalNetworkInterfaces: true,
    maxResponseSize: 65_536,
    ...(settings.proxy === undefined ? {} : { proxy: settings.proxy }),
    tls: {
      rejectUnauthorized: verify,
      minVersion: 'TLSv1.2',
      ...(settings.ca === undefined ? {} : { ca: readFileSync(settings.ca) }),
      ...(isIP(host) ? {} : { servername: host }),
    },
    ...(dialogue === undefined ? {} : { debug: true, logger: dialogueLogger(dialogue) }),
  } as ConstructorParameters<typeof SMTPConnection>[0]
}

/** Nodemailer's log as dialogue lines; it leaves secrets out of its own lines, and AUTH lines are cut here as well. */
function dialogueLogger(dialogue: DialogueLine): Record<string, (...args: unknown[]) => void> {
  const line = (entry: unknown, ...text: unknown[]): void => {
    const { tnx } = (entry ?? {}) as { tnx?: string }
    const said = readable(text.map(String).join(' '))
    if (tnx === 'server') dialogue(`S: ${said}`)
    else if (tnx === 'client') dialogue(`C: ${said.replace(/^(AUTH \S+) .*/, '$1 [secret]')}`)
  }
  return {
    debug: line,
    info: () => {},
    warn: () => {},
    error: () => {},
    trace: () => {},
    fatal: () => {},
    level: () => {},
  }
}

function connected(connection: InstanceType<typeof SMTPConnection>, settings: SmtpSettings): Promise<void> {
  return new Promise((resolve, reject) => {
    let settled = false
    const fail = (error: unknown): void => {
      if (settled) return
      settled = true
      reject(connectError(error, settings))
    }
    connection.on('error', fail)
    connection.once('end', () => fail(new Error('the connection was closed')))
    connection.connect((error?: unknown) => {
      if (error) fail(error)
      else if (!settled) {
        settled = true
        resolve()
      }
    })
  })
}

async function login(
  connection: InstanceType<typeof SMTPConnection>,
  settings: SmtpSettings,
  internals: Internals,
): Promise<void> {
  const { user = '', host } = settings
  if (!internals.secure && !settings.allowPlainLogin) {
    throw new ConfigError(`the server ${host} offers no TLS, so the password of ${user} was not sent`, {
      hint: 'Use security: tls or starttls with a server that has it, or allowPlainLogin: true if you must.',
    })
  }
  const auth =
    settings.accessToken === undefined
      ? { user, pass: (await settings.password?.())?.reveal() ?? '' }
      : { user, method: 'XOAUTH2', oauth2: staticToken(user, (await settings.accessToken()).reveal()) }
  await new Promise<void>((resolve, reject) => {
    connection.on('error', (error: unknown) => reject(connectError(error, settings)))
    connection.login(auth as Parameters<typeof connection.login>[0], (error?: unknown) =>
      error ? reject(loginError(error, settings)) : resolve(),
    )
  })
}

/** The token that we were given, in the shape that nodemailer asks for; it never asks for another. */
function staticToken(user: string, token: string): object {
  const built = Buffer.from(`user=${user}\u0001auth=Bearer ${token}\u0001\u0001`).toString('base64')
  return {
    getToken: (_renew: boolean, callback: (error: Error | null, token?: string) => void) => callback(null, token),
    buildXOAuth2Token: () => built,
  }
}

function takeOver(
  internals: Internals,
  settings: SmtpSettings,
): Omit<AuthenticatedSocket, 'authenticated' | 'greeting'> {
  const { _socket: socket } = internals
  for (const name of INTERNALS) {
    if (!(name in internals))
      throw new UnreachableError(`this version of nodemailer has no ${name}`, {
        hint: 'Install the version that mailmerge was made for.',
      })
  }
  if (socket === false) throw lostBeforeUse(settings)
  // Anything left over would be taken for the reply to our first command.
  if (internals._remainder !== '' || internals._responseQueue.length > 0 || internals._responseActions.length > 0) {
    socket.destroy()
    throw new UnreachableError(`the server ${place(settings)} sent more than it was asked for`, {
      hint: 'It does not keep to SMTP; tell its administrator.',
    })
  }
  socket.removeListener('data', internals._onSocketData)
  socket.removeListener('error', internals._onSocketError)
  socket.removeListener('close', internals._onSocketClose)
  socket.removeListener('end', internals._onSocketEnd)
  socket.removeListener('timeout', internals._onSocketTimeout)
  socket.setTimeout(0)
  socket.pause()
  // The connection object must not end what is no longer its own.
  internals._destroyed = true
  return { socket, extensions: readExtensions(internals._ehloLines ?? []), secure: internals.secure }
}

function lostBeforeUse(settings: SmtpSettings): UnreachableError {
  return new UnreachableError(`the server ${place(settings)} closed the connection`, {
    hint: 'Try again; if it stays so, ask its administrator.',
  })
}

function place({ host, port }: SmtpSettings): string {
  return `${host}:${port}`
}

interface NodemailerError {
  readonly code?: string
  readonly originalCode?: string
  readonly message?: string
  readonly response?: string
  readonly responseCode?: number
  readonly command?: string
  readonly timeoutType?: string
}

const TLS_WORDS: readonly (readonly [pattern: RegExp, what: string, hint: string])[] = [
  [
    /DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED|UNABLE_TO_(VERIFY|GET)|self.signed|unable to (verify|get)/i,
    'its certificate is not from a known authority',
    'Name the authority with smtp.ca.',
  ],
  [/CERT_HAS_EXPIRED|expired/i, 'its certificate has expired', 'Tell its administrator.'],
  [
    /ALTNAME|does not match|Hostname\/IP/i,
    'its certificate is for another name',
    'Use the name that the certificate has as smtp.host.',
  ],
  [
    /wrong version number|packet length|WRONG_VERSION/i,
    'it does not speak TLS on this port',
    'Port 465 wants security: tls, port 587 security: starttls.',
  ],
  [
    /unsupported protocol|PROTOCOL_VERSION|no protocols/i,
    'it knows only old versions of TLS',
    'Its administrator should allow TLS 1.2 or newer.',
  ],
]

/** What kept us from connecting, in words. */
function connectError(error: unknown, settings: SmtpSettings): MailmergeError {
  const {
    code = '',
    originalCode = '',
    message = String(error),
    response,
    responseCode,
    timeoutType,
  } = (error ?? {}) as NodemailerError
  const at = place(settings)
  const fail = (what: string, hint: string): UnreachableError => new UnreachableError(what, { cause: error, hint })
  const system = originalCode || code
  const tls = TLS_WORDS.find(([pattern]) => pattern.test(`${system} ${message}`))
  if (tls !== undefined && !(code === 'EPROTOCOL')) return fail(`no TLS with ${at}: ${tls[1]}`, tls[2])
  if (system === 'ECONNREFUSED')
    return fail(
      `nobody answers at ${at}: connection refused`,
      'Check host and port, and that the server runs. Nothing was sent.',
    )
  if (code === 'EDNS' || system === 'ENOTFOUND' || system === 'EAI_AGAIN')
    return fail(`the host '${settings.host}' is not known`, 'Check its spelling, and the network.')
  if (timeoutType === 'GREETING_TIMEOUT' || /Greeting never received/.test(message)) {
    return fail(
      `${at} answers, but says nothing`,
      settings.security === 'tls'
        ? 'Is it an SMTP server?'
        : 'A port that wants TLS from the start needs security: tls.',
    )
  }
  if (code === 'ETIMEDOUT' || system === 'ETIMEDOUT')
    return fail(`${at} does not answer`, 'Check host, port and firewall; many networks close port 25.')
  if (/Invalid greeting/.test(message)) {
    if (responseCode !== undefined && responseCode >= 400)
      return fail(
        `the server ${at} turned us away: ${readable(response ?? '')}`,
        responseCode < 500 ? 'Try again later.' : 'Ask its administrator.',
      )
    return fail(
      `${at} talks no SMTP: it greeted with '${readable(response ?? '').slice(0, 80)}'`,
      'Check host and port.',
    )
  }
  if (/STARTTLS/i.test(message))
    return fail(
      `the server ${at} does not give the TLS that was asked for${response === undefined ? '' : `: ${readable(response)}`}`,
      'Nothing was sent in clear. Use another port, or security: auto.',
    )
  if (code === 'ETLS') return fail(`no TLS with ${at}: ${readable(message)}`, 'Check port and security.')
  if (system === 'EMFILE' || system === 'ENFILE')
    return fail(`too many open files to connect to ${at}`, 'Raise the limit (ulimit -n), or lower the concurrency.')
  if (response !== undefined) return fail(`the server ${at} refused: ${readable(response)}`, 'Ask its administrator.')
  return fail(`no connection to ${at}: ${readable(message)}`, 'Check host, port and network.')
}

function loginError(error: unknown, settings: SmtpSettings): MailmergeError {
  const { response = '', responseCode, code } = (error ?? {}) as NodemailerError
  if (code !== 'EAUTH' && responseCode === undefined) return connectError(error, settings)
  const said = readable(response)
  // 454 and 421 speak of the server's health and not of the password.
  if (responseCode !== undefined && responseCode < 500 && responseCode >= 400 && responseCode !== 432) {
    return new UnreachableError(`the server ${place(settings)} cannot log us in now: ${said}`, {
      cause: error,
      hint: 'Try again later.',
    })
  }
  const hint = /5\.7\.30|basic auth/i.test(said)
    ? 'It takes no passwords any more: use mailmerge login microsoft.'
    : responseCode === 534 || /app(lication)?.specific|app password/i.test(said)
      ? 'It wants an app password, or mailmerge login.'
      : 'Check user and password. It was tried once; nothing was sent.'
  return new LoginError(
    `the server ${place(settings)} refused the login of ${settings.user}${said === '' ? '' : `: ${said}`}`,
    { cause: error, hint: settings.loginHint ?? hint },
  )
}
