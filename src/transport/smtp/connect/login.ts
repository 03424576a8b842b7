/**
 * Logs in over a connection that nodemailer opened. Owns the choice of the way and that it is tried exactly once: a second
 * try with a wrong password is how accounts get locked.
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
  const credentials =
    token === undefined
      ? { user, pass: (await settings.password?.())?.reveal() ?? '' }
      : { user, pass: token.reveal(), method: tokenMechanism(keywords) }
  if (credentials.pass === '') {
    throw new LoginError(`there is no password for ${user}`, {
      hint: 'Set MAILMERGE_SMTP_PASSWORD, or leave the user out.',
    })
  }
  await new Promise<void>((resolve, reject) => {
    connection.once('error', (error: unknown) => reject(loginError(error, settings)))
    connection.once('end', () => reject(connectError(new Error('the connection was closed'), settings)))
    connection.login(credentials, (error) => (error ? reject(loginError(error, settings)) : resolve()))
  })
}

async function accessToken({ accessToken: fromCommand, signIn }: SmtpSettings): Promise<Secret | undefined> {
  if (signIn === undefined) return fromCommand?.()
  // Loaded when a login needs it: most projects have a password.
  const { signInToken } = await import('../../../oauth/access-token.ts')
  return signInToken(signIn)
}

function tokenMechanism(keywords: readonly string[]): string {
  const offered = keywords.flatMap(
    (line) =>
      /^AUTH[\s=](.*)/i
        .exec(line)?.[1]
        ?.toUpperCase()
        .split(/[\s=]+/) ?? [],
  )
  return `TOKEN-${TOKEN_MECHANISMS.find((mechanism) => offered.includes(mechanism)) ?? TOKEN_MECHANISMS[0]}`
}
