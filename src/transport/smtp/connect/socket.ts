/**
 * Connects, secures and logs in by nodemailer, and takes the socket over. Owns what we stand on in nodemailer: a test fails
 * when a new version changes that. After this module nothing of nodemailer touches the connection.
 */
import { isIP, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import SMTPConnection, { type SMTPConnectionOptions } from 'nodemailer/lib/smtp-connection'
import type { SmtpSettings } from '../../../config/settings.ts'
import { readAuthority } from '../../../config/smtp/authority.ts'
import { ConfigError, DefectError, UnreachableError } from '../../../errors.ts'
import { readable } from '../../../replies/reply.ts'
import type { Encryption } from '../../transport.ts'
import { connectError, place } from './connect-error.ts'
import { type Extensions, readExtensions } from './extensions.ts'
import { login, TOKEN_LOGINS } from './login.ts'
import { connectThrough } from './proxy.ts'
import { connectToSocket, isSocketPath } from './unix-socket.ts'

/** A connection after greeting, EHLO, STARTTLS and login: paused, nobody listens on it, nothing is under way. */
export interface AuthenticatedSocket {
  readonly socket: Socket | TLSSocket
  readonly extensions: Extensions
  readonly secure: boolean
  readonly authenticated: boolean
  /** The server's first words, with their code. */
  readonly greeting: string
}

/** Undefined for a connection in clear. */
export function encryptionOf({ socket }: Pick<AuthenticatedSocket, 'socket'>): Encryption | undefined {
  const protocol = 'getProtocol' in socket ? socket.getProtocol() : null
  return protocol === null || !('getCipher' in socket) ? undefined : { protocol, cipher: socket.getCipher().name }
}

/** One line of the conversation, `C: ` or `S: ` first, without secrets and without contents. */
export type DialogueLog = (line: string) => void

/** The parts of nodemailer's connection that are not its public interface. */
interface Internals {
  readonly _socket: Socket | TLSSocket | false | null
  /** EHLO keywords after TLS, without the first line; absent after HELO. */
  readonly _ehloLines?: readonly string[]
  readonly _remainder: string
  readonly _responseQueue: readonly unknown[]
  readonly _responseActions: readonly unknown[]
  readonly _onSocketData: (chunk: Buffer) => void
  readonly _onSocketError: (error: Error) => void
  readonly _onConnectionSocketError: (error: Error) => void
  readonly _onSocketClose: () => void
  readonly _onSocketEnd: () => void
  readonly _onSocketTimeout: () => void
  readonly secure: boolean
  _destroyed: boolean
}

const LISTENERS = [
  ['data', '_onSocketData'],
  ['error', '_onSocketError'],
  ['error', '_onConnectionSocketError'],
  ['close', '_onSocketClose'],
  ['end', '_onSocketEnd'],
  ['timeout', '_onSocketTimeout'],
] as const

/** Names that must be there in every version of nodemailer that we work with. */
export const NODEMAILER_INTERNALS = [
  '_socket',
  '_remainder',
  '_responseQueue',
  '_responseActions',
  '_destroyed',
  ...LISTENERS.map(([, name]) => name),
] as const

/**
 * @param signal Cuts the attempt.
 * @throws UnreachableError when there is no server, no SMTP, or TLS fails; LoginError when the login is refused;
 *   ConfigError when a password would go in clear, or a file or proxy of the settings is wrong.
 */
export async function openSocket(
  settings: SmtpSettings,
  dialogue?: DialogueLog,
  signal?: AbortSignal,
): Promise<AuthenticatedSocket> {
  signal?.throwIfAborted()
  let greeting = ''
  let injected = false
  const hear: Listener = {
    line(line) {
      if (greeting === '' && line.startsWith('S: ')) greeting = line.slice(3)
      dialogue?.(line)
    },
    injected() {
      injected = true
    },
  }
  const options = connectionOptions(settings, hear)
  const tunnel = await tunnelFor(settings)
  const connection = new SMTPConnection({ ...options, ...tunnel })
  const internals = internalsOf(connection)
  const stop = (): void => connection.close()
  signal?.addEventListener('abort', stop, { once: true })
  try {
    if (signal?.aborted) stop()
    await connected(connection, settings)
    if (injected) throw injectionError(settings)
    const authenticated = settings.user !== undefined
    const { secure, _ehloLines: keywords = [] } = internals
    if (authenticated) await login({ connection, secure, keywords }, settings)
    return { ...takeOver(internals, settings), authenticated, greeting }
  } catch (error) {
    connection.close()
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

/** A connection that is there before nodemailer's own work begins. */
async function tunnelFor(settings: SmtpSettings): Promise<{ readonly connection?: Socket }> {
  const { host, proxy, timeouts } = settings
  if (isSocketPath(host)) {
    const opened = connectToSocket(host, timeouts.connect)
    return {
      connection: await opened.catch((error: unknown) => {
        throw connectError(error, settings)
      }),
    }
  }
  return proxy === undefined ? {} : { connection: await throughProxy(proxy, settings) }
}

async function throughProxy(proxy: string, settings: SmtpSettings): Promise<Socket> {
  try {
    return await connectThrough(proxy, settings, settings.timeouts.connect)
  } catch (error) {
    throw error instanceof ConfigError ? error : connectError(error, settings)
  }
}

function isLoopback(host: string): boolean {
  return isSocketPath(host) || host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

function connectionOptions(settings: SmtpSettings, listener: Listener): SMTPConnectionOptions {
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
    // Never before the limit for the greeting, which knows better what to say.
    socketTimeout: Math.max(timeouts.command, timeouts.greeting + 50),
    dnsTimeout: timeouts.connect,
    allowInternalNetworkInterfaces: true,
    maxResponseSize: 65_536,
    customAuth: TOKEN_LOGINS,
    transactionLog: true,
    logger: loggerFor(listener),
    tls: {
      rejectUnauthorized: verify,
      minVersion: 'TLSv1.2',
      ...(settings.ca === undefined ? {} : { ca: readAuthority(settings.ca, 'smtp.ca') }),
      ...(isIP(host) === 0 && !isSocketPath(host) ? { servername: host } : {}),
    },
  }
}

/** What nodemailer says in its log and nowhere else. */
interface Listener {
  readonly line: DialogueLog
  /** Something came in clear between the reply to STARTTLS and the handshake. */
  injected(): void
}

type Logger = NonNullable<Exclude<SMTPConnectionOptions['logger'], boolean>>

/** Nodemailer's log as dialogue lines. Whatever a login says, up to the reply that ends it, is left out here. */
function loggerFor(listener: Listener): Logger {
  const none = (): void => {}
  let loggingIn = false
  const heard = (line: string): string => {
    if (!line.startsWith('334')) loggingIn = false
    return `S: ${line}`
  }
  const said = (line: string): string => {
    const mechanism = /^AUTH \S+/i.exec(line)?.[0]
    if (mechanism === undefined) return loggingIn ? 'C: [secret]' : `C: ${line}`
    loggingIn = true
    return mechanism === line ? `C: ${line}` : `C: ${mechanism} [secret]`
  }
  const debug = (entry: unknown, ...text: unknown[]): void => {
    const { tnx } = (entry ?? {}) as { readonly tnx?: string }
    if (tnx !== 'server' && tnx !== 'client') return
    for (const line of text.map(String).join(' ').split('\n')) {
      listener.line(tnx === 'server' ? heard(readable(line)) : said(readable(line)))
    }
  }
  const warn = (entry: unknown): void => {
    if (((entry ?? {}) as { readonly discarded?: number }).discarded !== undefined) listener.injected()
  }
  return { trace: none, debug, info: none, warn, error: none, fatal: none }
}

/** Nodemailer drops what was injected and goes on; a line that somebody writes into is not one for a password. */
function injectionError(settings: SmtpSettings): UnreachableError {
  return new UnreachableError(`no TLS with ${place(settings)}: something was sent unencrypted before TLS began`, {
    hint: 'Somebody may be intercepting the connection. Nothing was sent; try security: tls on port 465.',
  })
}

function connected(connection: SMTPConnection, settings: SmtpSettings): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => reject(connectError(error, settings))
    // Stays for good: an error that nobody listens for would end the process.
    connection.on('error', fail)
    connection.once('end', () => fail(new Error('the connection was closed')))
    connection.connect((error) => (error ? fail(error) : resolve()))
  })
}

function internalsOf(connection: SMTPConnection): Internals {
  for (const name of NODEMAILER_INTERNALS) {
    if (!(name in connection)) {
      throw new DefectError(`this version of nodemailer has no ${name}`, {
        hint: 'Install the version that mailmerge was made for.',
      })
    }
  }
  return connection as unknown as Internals
}

function takeOver(
  internals: Internals,
  settings: SmtpSettings,
): Pick<AuthenticatedSocket, 'socket' | 'extensions' | 'secure'> {
  const { _socket: socket, _ehloLines: lines = [], secure } = internals
  if (!socket || socket.destroyed) {
    throw new UnreachableError(`the server ${place(settings)} closed the connection`, {
      hint: 'Try again; if it stays so, ask its administrator.',
    })
  }
  // Anything left over would be taken for the reply to our first command.
  if (internals._remainder !== '' || internals._responseQueue.length > 0 || internals._responseActions.length > 0) {
    socket.destroy()
    throw new UnreachableError(`the server ${place(settings)} sent more than it was asked for`, {
      hint: 'It violates SMTP; inform its administrator.',
    })
  }
  for (const [event, name] of LISTENERS) socket.removeListener(event, internals[name])
  // Until somebody works with it, an error has nobody else to go to; its close reports it.
  socket.on('error', () => {})
  socket.setTimeout(0)
  socket.pause()
  // The connection object must not end what is no longer its own.
  internals._destroyed = true
  return { socket, extensions: readExtensions(lines), secure }
}
