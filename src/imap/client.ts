/** A connection to the mailbox of the settings (RFC 9051), by imapflow. Owns logging in and the words for what goes wrong. */
import { ImapFlow, type ImapFlowOptions } from 'imapflow'
import type { ImapSettings } from '../config/settings.ts'
import { readAuthority } from '../config/smtp/authority.ts'
import { LoginError, UnreachableError } from '../errors.ts'
import { systemWords } from '../fs/system-errors.ts'
import { given } from '../given.ts'

const TIMEOUT_MS = 60_000

/** Connects and logs in; the caller logs out or closes it. @throws UnreachableError, LoginError */
export async function openMailbox(imap: ImapSettings): Promise<ImapFlow> {
  const client = await clientFor(imap)
  await connect(client, imap)
  return client
}

async function clientFor(imap: ImapSettings): Promise<ImapFlow> {
  const client = new ImapFlow(await clientOptions(imap))
  // A connection that breaks rejects the command under way; without a listener it would end the program.
  client.on('error', () => {})
  return client
}

async function connect(client: ImapFlow, imap: ImapSettings): Promise<void> {
  await client.connect().catch((error: unknown) => Promise.reject(connectError(imap, error)))
}

/** Connects, logs in, works and logs out; all of it ends with the signal. @throws the signal's reason. */
export async function withMailbox<T>(
  imap: ImapSettings,
  work: (client: ImapFlow) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const client = await clientFor(imap)
  const { promise: ended, reject } = Promise.withResolvers<never>()
  const stop = (): void => reject(signal?.reason)
  // Nobody may be waiting for it.
  ended.catch(() => {})
  signal?.addEventListener('abort', stop, { once: true })
  const session = async (): Promise<T> => {
    await connect(client, imap)
    const result = await work(client)
    await client.logout().catch(() => {})
    return result
  }
  try {
    signal?.throwIfAborted()
    return await Promise.race([session(), ended])
  } catch (error) {
    client.close()
    throw signal?.aborted === true ? signal.reason : lostConnection(imap, error)
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

async function clientOptions(imap: ImapSettings): Promise<ImapFlowOptions> {
  const { host, port, security, verifyCertificate, ca } = imap
  return {
    host,
    port,
    secure: security === 'tls',
    ...(security === 'starttls' ? { doSTARTTLS: true } : security === 'none' ? { doSTARTTLS: false } : {}),
    auth: await login(imap),
    tls: {
      rejectUnauthorized: verifyCertificate,
      ...given({ ca: ca === undefined ? undefined : readAuthority(ca, 'imap.ca') }),
    },
    logger: false,
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: 5 * TIMEOUT_MS,
  }
}

async function login({ user, password, signIn }: ImapSettings): Promise<NonNullable<ImapFlowOptions['auth']>> {
  if (signIn !== undefined) {
    // Loaded when a login needs it: most projects have a password.
    const { signInToken } = await import('../oauth/access-token.ts')
    return { user, accessToken: (await signInToken(signIn)).reveal() }
  }
  return { user, ...given({ pass: (await password?.())?.reveal() }) }
}

function connectError({ host, port, user }: ImapSettings, error: unknown): Error {
  const { authenticationFailed } = error as { readonly authenticationFailed?: boolean }
  if (authenticationFailed === true) {
    return new LoginError(`${host} refused the login of ${user}`, {
      cause: error,
      hint: 'Check imap.user, and MAILMERGE_IMAP_PASSWORD, imap.passwordCommand or imap.oauth2. It was tried once.',
    })
  }
  return new UnreachableError(`the mailbox at ${host}:${port} cannot be reached: ${systemWords(error)}`, {
    cause: error,
    hint: 'Check imap.host, imap.port and imap.security.',
  })
}

/** An error of ours stays as it is; all else is the connection. */
function lostConnection({ host }: ImapSettings, error: unknown): unknown {
  if (!(error instanceof Error) || 'exitCode' in error) return error
  return new UnreachableError(`the mailbox at ${host} went away: ${systemWords(error)}`, {
    cause: error,
    hint: 'Nothing is lost: what was not taken in is read again the next time.',
  })
}
