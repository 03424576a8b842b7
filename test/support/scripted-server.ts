/**
 * An SMTP or LMTP server that misbehaves on order. Each step of the conversation may be answered by an action of the test's
 * own; everything that is not ordered goes as it should. What arrived whole is recorded byte by byte.
 *
 * @example
 * const server = await startScriptedServer({ rcpt: onceAt(3, '550 5.1.1 unknown'), pieces: 'bytes' })
 * const haraka = await startScriptedServer(HARAKA)
 */

import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { converse } from './scripted-conversation.ts'

/** What to do at a step: a reply line, or something worse. `undefined` is the right reply. */
export type Action =
  | string
  | undefined
  /** Cut the connection at once; `reset` with a TCP reset. */
  | { readonly drop: true }
  | { readonly reset: true }
  /** Reply, then end the connection in order. */
  | { readonly close: string }
  /** Never reply, and do nothing of what was asked. */
  | { readonly silence: true }
  /** Read nothing more. */
  | { readonly stall: true }
  /** Do what was asked and leave the reply out. */
  | { readonly mute: true }
  /** Reply twice. */
  | { readonly twice: true }
  /** Bytes as they are, without a line end of ours; what was asked is done if they begin with 2 or 3. */
  | { readonly raw: string }
  /** Reply after that many milliseconds. */
  | { readonly after: number; readonly reply?: string }

export interface Step {
  /** Connection, from 1. */
  readonly connection: number
  /** Message on this connection, from 1. */
  readonly message: number
  /** The command line, or nothing for content. */
  readonly line: string
  /** Bytes of content so far, for `content`. */
  readonly octets: number
  /** What the end of data is answered for, in LMTP; empty in SMTP. */
  readonly recipient: string
  /** True inside TLS. */
  readonly secure: boolean
}

export type Rule = (step: Step) => Action

export interface Script {
  readonly greeting?: Rule
  readonly ehlo?: Rule
  readonly helo?: Rule
  readonly starttls?: Rule
  /** Offers AUTH. Asked for the AUTH line, and again for the line after a reply of 334 that it gave. */
  readonly auth?: Rule
  readonly mail?: Rule
  readonly rcpt?: Rule
  readonly data?: Rule
  /** Asked for each chunk of content that comes, before its end. */
  readonly content?: Rule
  /** In LMTP asked once for each recipient. */
  readonly end?: Rule
  readonly rset?: Rule
  readonly quit?: Rule
}

export interface ScriptedServerOptions extends Script {
  readonly lmtp?: boolean
  /** EHLO keywords; default PIPELINING 8BITMIME SMTPUTF8 ENHANCEDSTATUSCODES. */
  readonly extensions?: readonly string[]
  /** EHLO keywords inside TLS, where they differ. */
  readonly secureExtensions?: readonly string[]
  /** Default PLAIN LOGIN. */
  readonly authMechanisms?: readonly string[]
  /** How replies are cut into packets; `merged` holds them until there is nothing more to answer. */
  readonly pieces?: 'whole' | 'bytes' | 'random' | 'merged'
  /** Certificate and key for TLS: from the first byte, or after STARTTLS. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly implicit?: boolean }
  /** Throw away what came in one packet behind the end of data, as some servers do. */
  readonly swallowBehindData?: boolean
  /** Answer each line that came behind the end of data with 503. */
  readonly refuseBehindData?: boolean
  /** Keep the envelope when the end of data is refused. */
  readonly keepEnvelope?: boolean
  /** Refuse any command that comes before the reply to the one before, and close. */
  readonly refusePipelining?: boolean
}

/** Haraka since 3.3.4: offers PIPELINING and refuses what comes behind the end of data. */
export const HARAKA: ScriptedServerOptions = { refuseBehindData: true }

/** OpenSMTPD: offers no PIPELINING, bears none, and takes 100 messages a connection. */
export const OPENSMTPD: ScriptedServerOptions = {
  extensions: ['8BITMIME', 'ENHANCEDSTATUSCODES', 'SIZE 36700160', 'DSN'],
  refusePipelining: true,
  mail: ({ message }) => (message > 100 ? '452 4.5.3 Too many messages sent' : undefined),
}

/** Postfix from 2.2 until 2026: a message refused at its end leaves its sender behind. */
export const OLD_POSTFIX: ScriptedServerOptions = { keepEnvelope: true }

/** Does an action at the n-th message of the first connection only. */
export function onceAt(message: number, action: Action): Rule {
  return (step) => (step.connection === 1 && step.message === message ? action : undefined)
}

export interface Recorded {
  readonly id: string
  readonly from: string
  readonly to: readonly string[]
  /** Without the dots that were put in for the way. */
  readonly octets: Buffer
  readonly connection: number
  /** Replies to its end, of which the last lines were sent or meant: `250 ...`; empty where it never was answered. */
  readonly answers: readonly string[]
}

export interface ScriptedServer {
  readonly port: number
  /** Messages that came whole and were answered 2xx or not at all. */
  readonly messages: readonly Recorded[]
  /** Messages that came whole, refused ones among them. */
  readonly whole: readonly Recorded[]
  /** Every command line, in order. */
  readonly commands: readonly string[]
  /** Those of them that came outside TLS. */
  readonly clearCommands: readonly string[]
  /** Lines that were not commands: content in the wrong place, or worse. */
  readonly strays: readonly string[]
  readonly connections: number
  close(): Promise<void>
}

/** What conversations write down. */
export interface Notebook {
  readonly messages: Recorded[]
  readonly whole: Recorded[]
  readonly commands: string[]
  readonly clearCommands: string[]
  readonly strays: string[]
}

export async function startScriptedServer(options: ScriptedServerOptions = {}): Promise<ScriptedServer> {
  const notebook: Notebook = { messages: [], whole: [], commands: [], clearCommands: [], strays: [] }
  const sockets = new Set<Socket>()
  let connections = 0
  const accept = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.setNoDelay(true)
    converse(socket, ++connections, options, notebook)
  }
  const server =
    options.tls?.implicit === true
      ? createTlsServer({ key: options.tls.key, cert: options.tls.cert }, accept)
      : createServer(accept)
  server.on('error', () => {})
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    ...notebook,
    get connections() {
      return connections
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}
