/**
 * SMTP and LMTP as a transport: lanes are connections. Owns what is learnt of a server and kept for the next time, and that a
 * login is tried once: the first one alone, and none after one that was refused.
 */
import type { SmtpSettings } from '../../config/settings.ts'
import { LoginError } from '../../errors.ts'
import type { Lane, ServerReport, ServerTraits, Transport } from '../transport.ts'
import { type AuthenticatedSocket, type DialogueLog, encryptionOf, openSocket } from './connect/socket.ts'
import { isSocketPath } from './connect/unix-socket.ts'
import { allowedLevel, fallenBack, type LimitSettings, type Pipelining } from './connection-policy.ts'
import { createSession } from './session.ts'

export interface SmtpTransportOptions {
  /** What is known of servers, by `host:port`. */
  readonly memory?: {
    get(server: string): Promise<ServerTraits>
    set(server: string, memory: ServerTraits): Promise<void>
  }
  /**
   * The conversation line by line, `C:` and `S:`, without secrets and contents. Lanes talk at the same time: their lines have
   * the number of the connection in front, `[2] S: 250 ok`.
   */
  readonly dialogue?: DialogueLog
  /** Things worth saying once. */
  readonly note?: (text: string) => void
  readonly now?: () => Date
}

/** A server that takes fewer messages a connection than this is not asked less than it takes: it says so by itself. */
const LEAST_MESSAGES = 2

/**
 * A transport that speaks SMTP (RFC 5321), or LMTP (RFC 2033) where the settings say so. Nothing is connected until a lane is
 * opened.
 *
 * @example
 * const transport = createSmtpTransport(settings.smtp)
 * const lane = await transport.open()
 * await lane.run(feed)
 */
export function createSmtpTransport(settings: SmtpSettings, options: SmtpTransportOptions = {}): Transport {
  const server = isSocketPath(settings.host) ? settings.host : `${settings.host}:${settings.port}`
  const now = options.now ?? (() => new Date())
  const connect = oneLoginFirst(settings)
  let connections = 0
  const said = new Set<Pipelining>()
  let memory: ServerTraits | undefined

  async function recall(): Promise<ServerTraits> {
    memory ??= (await options.memory?.get(server)) ?? {}
    return memory
  }

  function remember(changed: ServerTraits): void {
    memory = changed
    // What is learnt is a convenience: a ledger that cannot keep it says so at its next record.
    options.memory?.set(server, changed).catch(() => {})
  }

  function fellBack(level: Pipelining, reason: string): void {
    remember(fallenBack(memory ?? {}, level, now()))
    if (said.has(level)) return
    said.add(level)
    const how = level === 1 ? 'pipelining within messages only' : 'one command at a time'
    options.note?.(`${server}: ${how} from now on (${reason})`)
  }

  return {
    name: `${settings.lmtp ? 'lmtp' : settings.security === 'tls' ? 'smtps' : 'smtp'}://${server}`,
    async open(signal): Promise<Lane> {
      await recall()
      const dialogue = numbered(options.dialogue, ++connections)
      const connection = await connect(dialogue, signal)
      const known = await recall()
      return createSession({
        connection,
        timeouts: settings.timeouts,
        lmtp: settings.lmtp,
        pipelining: allowedLevel(settings.pipelining, known, now()),
        limits: limitsOf(settings, known),
        requests: settings,
        onFallback: fellBack,
        onMessageLimit: (count) => {
          if (count >= LEAST_MESSAGES) remember({ ...memory, messagesPerConnection: count })
        },
        log: dialogue,
      })
    },
    async verify(): Promise<ServerReport> {
      const connection = await connect(options.dialogue)
      const found = report(server, connection)
      leave(connection)
      return found
    },
    async close() {},
  }
}

type Connect = (dialogue?: DialogueLog, signal?: AbortSignal) => Promise<AuthenticatedSocket>

function numbered(dialogue: DialogueLog | undefined, number: number): DialogueLog | undefined {
  return dialogue === undefined ? undefined : (line) => dialogue(`[${number}] ${line}`)
}

/** Connects; where there is a login, the first connection goes alone, so that a wrong password is tried once. */
function oneLoginFirst(settings: SmtpSettings): Connect {
  let accepted = settings.user === undefined
  let refused: LoginError | undefined
  let turn: Promise<void> = Promise.resolve()

  async function connect(dialogue?: DialogueLog, signal?: AbortSignal): Promise<AuthenticatedSocket> {
    if (refused !== undefined) throw refused
    try {
      const connection = await openSocket(settings, dialogue, signal)
      accepted = true
      return connection
    } catch (error) {
      if (error instanceof LoginError) refused = error
      throw error
    }
  }

  return async (dialogue, signal) => {
    if (accepted) return connect(dialogue, signal)
    const before = turn
    const { promise, resolve } = Promise.withResolvers<void>()
    turn = promise
    try {
      await before
      return await connect(dialogue, signal)
    } finally {
      resolve()
    }
  }
}

/** The lower of what was set and what was learnt. */
function limitsOf(settings: SmtpSettings, known: ServerTraits): LimitSettings {
  const { messagesPerConnection, recipientsPerConnection } = settings
  const messages = Math.min(
    messagesPerConnection ?? Number.POSITIVE_INFINITY,
    known.messagesPerConnection ?? Number.POSITIVE_INFINITY,
  )
  return { messages, recipients: recipientsPerConnection }
}

/** Says goodbye without waiting for long. */
function leave({ socket }: AuthenticatedSocket): void {
  socket.end('QUIT\r\n')
  socket.resume()
  setTimeout(() => socket.destroy(), 1000).unref()
}

function report(server: string, connection: AuthenticatedSocket): ServerReport {
  const { greeting, secure, authenticated, extensions } = connection
  const encryption = encryptionOf(connection)
  return {
    server,
    greeting: greeting === '' ? undefined : greeting,
    secure,
    tls: encryption && `${encryption.protocol}, ${encryption.cipher}`,
    authenticated,
    extensions: extensions.lines,
    size: extensions.maxSize > 0 ? extensions.maxSize : undefined,
  }
}
