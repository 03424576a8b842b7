/**
 * Logs in over a connection that nodemailer opened. Owns the choice of the way, and that a refused password is never given
 * again: a second try with a wrong one is how accounts get locked.
 */
import type SMTPConnection from 'nodemailer/lib/smtp-connection'
import type { SMTPConnectionCustomAuthContext, SMTPConnectionCustomAuthHandler } from 'nodemailer/lib/smtp-connection'
import type { SmtpSettings } from '../../../config/settings.ts'
import { ConfigError, LoginError } from '../../../errors.ts'
import type { Secret } from '../../../secret.ts'
import { connectError, loginError, place } from './connect-error.ts'

export interface OpenConnection {
  readonly connection: SMTPConnection
  readonly secure: boolean
  /** EHLO keywords with their values. */
  readonly keywords: readonly string[]
}

/** How a token goes over, in the order in which we like it: XOAUTH2 is what the large providers test. */
const TOKEN_MECHANISMS = ['XOAUTH2', 'OAUTHBEARER'] as const

/**
 * Under names of our own: to nodemailer's XOAUTH2 belongs a second token and a second try, and without one it would send the
 * token as a password.
 */
export const TOKEN_LOGINS: Readonly<Record<string, SMTPConnectionCustomAuthHandler>> = {
  'TOKEN-XOAUTH2': (context) =>
    tokenLogin(context, 'XOAUTH2', (user, token) => `user=${user}\u0001auth=Bearer ${token}\u0001\u0001`, ''),
  // RFC 7628 section 3.1; `,` and `=` in a user are written as RFC 5801 section 4 says.
  'TOKEN-OAUTHBEARER': (context) =>
    tokenLogin(
      context,
      'OAUTHBEARER',
      (user, token) =>
        `n,a=${user.replaceAll('=', '=3D').replaceAll(',', '=2C')},\u0001auth=Bearer ${token}\u0001\u0001`,
      'AQ==',
    ),
}

async function tokenLogin(
  { auth, sendCommand }: SMTPConnectionCustomAuthContext,
  mechanism: string,
  response: (user: string, token: string) => string,
  acknowledge: string,
): Promise<void> {
  const { user, pass } = auth.credentials
  let answer = await sendCommand(`AUTH ${mechanism} ${Buffer.from(response(user, pass)).toString('base64')}`)
  // 334 holds why it was refused and wants a word before the refusal itself comes.
  if (answer.status === 334) answer = await sendCommand(acknowledge)
  if (answer.status !== 235) throw new Error('Invalid login')
}

/**
 * @throws LoginError when it is refused or not offered; UnreachableError when the server cannot do it now or is gone;
 *   ConfigError when a password would go in clear.
 */
export async function login({ connection, secure, keywords }: OpenConnection, settings: SmtpSettings): Promise<void> {
  const { user = '' } = settings
  if (!secure && !settings.allowPlainLogin) {
    throw new ConfigError(`the server ${place(settings)} offers no TLS, so the login of ${user} was not sent`, {
      hint: 'Use security: tls or starttls with a server that has it, or allowPlainLogin: true if you must.',
    })
  }
  if (!connection.allowsAuth) {
    throw new LoginError(`the server ${place(settings)} offers no login`, {
      hint: 'Leave the user out, or use the port for submission (587 or 465).',
    })
  }
  const token = await accessToken(settings)
  const pass = token?.reveal() ?? (await settings.password?.())?.reveal() ?? ''
  if (pass === '') {
    throw new LoginError(`there is no password for ${user}`, {
      hint: 'Set MAILMERGE_SMTP_PASSWORD, or leave the user out.',
    })
  }
  const offered = offeredMechanisms(keywords)
  const methods = token === undefined ? passwordMethods(offered, settings) : [tokenMethod(offered, settings)]
  for (const [at, method] of methods.entries()) {
    try {
      await logInBy(connection, { user, pass, method }, settings)
      return
    } catch (error) {
      // A refused password is never given again; a command that the server does not know was not a try of it.
      if (at === methods.length - 1 || !(error instanceof UnknownMethod)) throw errorOf(error, settings)
    }
  }
}

/** The server does not know the way that it offers. */
class UnknownMethod {
  readonly reason: unknown

  constructor(reason: unknown) {
    this.reason = reason
  }
}

function errorOf(error: unknown, settings: SmtpSettings): unknown {
  return error instanceof UnknownMethod ? loginError(error.reason, settings) : error
}

/** Not implemented, or not with this parameter (RFC 4954 section 4). */
const UNKNOWN_METHOD: ReadonlySet<unknown> = new Set([500, 502, 504])

async function logInBy(
  connection: SMTPConnection,
  credentials: { readonly user: string; readonly pass: string; readonly method: string },
  settings: SmtpSettings,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    connection.once('error', (error: unknown) => reject(loginError(error, settings)))
    connection.once('end', () => reject(connectError(new Error('the connection was closed'), settings)))
    connection.login(credentials, (error) => {
      if (!error) return resolve()
      const { responseCode } = error as { readonly responseCode?: unknown }
      reject(UNKNOWN_METHOD.has(responseCode) ? new UnknownMethod(error) : loginError(error, settings))
    })
  })
}

/** Ways for a password that we know, in the order in which they are tried. */
const PASSWORD_MECHANISMS = ['PLAIN', 'LOGIN', 'CRAM-MD5'] as const

/** @throws LoginError when the server offers none that takes a password; ConfigError when the settings name one that does not. */
function passwordMethods(offered: readonly string[], settings: SmtpSettings): readonly string[] {
  const { auth } = settings
  if (auth === 'xoauth2') {
    throw new ConfigError('smtp.auth is xoauth2, and there is only a password', {
      hint: 'Set smtp.oauth2 or smtp.tokenCommand, or leave smtp.auth out.',
    })
  }
  if (auth !== undefined) return [auth.toUpperCase()]
  const fitting = PASSWORD_MECHANISMS.filter((mechanism) => offered.includes(mechanism))
  if (fitting.length > 0 || offered.length === 0) return fitting.length > 0 ? fitting : ['PLAIN']
  throw new LoginError(`the server ${place(settings)} accepts no password: it offers ${offered.join(', ')}`, {
    hint: offered.some((mechanism) => TOKEN_MECHANISMS.some((one) => one === mechanism))
      ? 'It takes OAuth2 tokens: use mailmerge login.'
      : 'Ask its administrator for PLAIN or LOGIN, or use another port. The password was not sent.',
  })
}

async function accessToken({ accessToken: fromCommand, signIn }: SmtpSettings): Promise<Secret | undefined> {
  if (signIn === undefined) return fromCommand?.()
  // Loaded when a login needs it: most projects have a password.
  const { signInToken } = await import('../../../oauth/access-token.ts')
  return signInToken(signIn)
}

/** @throws ConfigError when the settings name a way that takes a password. */
function tokenMethod(offered: readonly string[], { auth }: SmtpSettings): string {
  if (auth !== undefined && auth !== 'xoauth2') {
    throw new ConfigError(`smtp.auth is ${auth}, which takes a password, and there is a token`, {
      hint: 'Leave smtp.auth out, or set it to xoauth2.',
    })
  }
  const fitting = auth === undefined ? TOKEN_MECHANISMS.find((mechanism) => offered.includes(mechanism)) : undefined
  return `TOKEN-${fitting ?? TOKEN_MECHANISMS[0]}`
}

/** What EHLO offers, also in the old form with an equals sign; each once, in the server's order. */
function offeredMechanisms(keywords: readonly string[]): readonly string[] {
  const words = keywords.flatMap(
    (line) =>
      /^AUTH[\s=](.*)/i
        .exec(line)?.[1]
        ?.toUpperCase()
        .split(/[\s=]+/) ?? [],
  )
  return [...new Set(words.filter((word) => word !== ''))]
}
