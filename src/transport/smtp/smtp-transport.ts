/** SMTP and LMTP as a transport: lanes are connections. Owns what is learnt of a server and kept for the next time. */
import type { SmtpSettings } from '../../config/settings.ts'
import type { ServerMemory } from '../../ledger/ledger.ts'
import type { Lane, ServerReport, Transport } from '../transport.ts'
import { type DialogueLine, openSocket } from './authenticated-socket.ts'
import { allowedLevel, fallenBack } from './pipelining.ts'
import { createSession } from './session.ts'

export interface SmtpTransportOptions {
  readonly memory?: {
    get(server: string): Promise<ServerMemory>
    set(server: string, memory: ServerMemory): Promise<void>
  }
  /** The conversation line by line, `C:` and `S:`, without secrets and contents. */
  readonly dialogue?: DialogueLine
  /** Things worth saying once. */
  readonly note?: (text: string) => void
  readonly now?: () => Date
}

export function createSmtpTransport(settings: SmtpSettings, options: SmtpTransportOptions = {}): Transport {
  const server = `${settings.host}:${settings.port}`
  const now = options.now ?? (() => new Date())
  let memory: ServerMemory | undefined
  const said = new Set<string>()

  async function recall(): Promise<ServerMemory> {
    memory ??= (await options.memory?.get(server)) ?? {}
    return memory
  }

  function remember(changed: ServerMemory): void {
    memory = changed
    // What is learnt is a convenience: a ledger that cannot keep it says so at its next record.
    options.memory?.set(server, changed).catch(() => {})
  }

  return {
    name: `${settings.lmtp ? 'lmtp' : settings.security === 'tls' ? 'smtps' : 'smtp'}://${server}`,
    async open(signal): Promise<Lane> {
      const known = await recall()
      const connection = await openSocket(settings, options.dialogue, signal)
      const limit = Math.min(
        settings.messagesPerConnection ?? Number.POSITIVE_INFINITY,
        known.messagesPerConnection ?? Number.POSITIVE_INFINITY,
      )
      return createSession({
        connection,
        timeouts: settings.timeouts,
        lmtp: settings.lmtp,
        pipelining: allowedLevel(settings.pipelining, memory ?? known, now()),
        ...(limit === Number.POSITIVE_INFINITY ? {} : { messagesPerConnection: limit }),
        onFallback: (level, reason) => {
          if ((memory?.pipelining ?? 2) > level || memory?.pipelining === undefined)
            remember(fallenBack(memory ?? {}, level, now()))
          const text = level === 1 ? 'pipelining within messages only' : 'one command at a time'
          if (!said.has(text)) options.note?.(`${server}: ${text} from now on (${reason})`)
          said.add(text)
        },
        onMessageLimit: (count) => remember({ ...memory, messagesPerConnection: count }),
        ...(options.dialogue === undefined ? {} : { dialogue: options.dialogue }),
      })
    },
    async verify(): Promise<ServerReport> {
      const { socket, extensions, secure, authenticated, greeting } = await openSocket(settings, options.dialogue)
      const protocol = 'getProtocol' in socket ? socket.getProtocol() : null
      const cipher = 'getCipher' in socket ? socket.getCipher().name : undefined
      socket.end('QUIT\r\n')
      socket.on('error', () => {})
      socket.resume()
      setTimeout(() => socket.destroy(), 1000).unref()
      return {
        server,
        greeting,
        secure,
        ...(protocol === null ? {} : { tls: `${protocol}${cipher === undefined ? '' : `, ${cipher}`}` }),
        authenticated,
        extensions: extensions.lines,
        ...(extensions.maxSize > 0 ? { size: extensions.maxSize } : {}),
      }
    },
    async close() {},
  }
}
