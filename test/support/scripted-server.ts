/**
 * An SMTP server that misbehaves on order. Each step of the conversation may be answered by an action of the test's own;
 * everything that is not ordered goes as it should. What arrived whole is recorded octet by octet.
 */

import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'
import { createServer as createTlsServer, TLSSocket } from 'node:tls'

/** What to do at a step: a reply line, or something worse. `undefined` is the right reply. */
export type Action =
  | string
  | undefined
  /** Cut the connection at once. */
  | { readonly drop: true }
  /** Reply, then end the connection in order. */
  | { readonly close: string }
  /** Never reply. */
  | { readonly silence: true }
  /** Octets as they are, without a line end of ours. */
  | { readonly raw: string }
  /** Reply after so many milliseconds. */
  | { readonly after: number; readonly reply?: string }

export interface Step {
  /** Connection, from 1. */
  readonly connection: number
  /** Message on this connection, from 1. */
  readonly message: number
  /** The command line, or nothing for content. */
  readonly line: string
  /** Octets of content so far, for `content`. */
  readonly octets: number
}

export interface Script {
  readonly greeting?: (step: Step) => Action
  readonly ehlo?: (step: Step) => Action
  readonly starttls?: (step: Step) => Action
  readonly auth?: (step: Step) => Action
  readonly mail?: (step: Step) => Action
  readonly rcpt?: (step: Step) => Action
  readonly data?: (step: Step) => Action
  /** Asked for each chunk of content that comes, before its end. */
  readonly content?: (step: Step) => Action
  readonly end?: (step: Step) => Action
  readonly rset?: (step: Step) => Action
  readonly quit?: (step: Step) => Action
}

export interface ScriptedServerOptions extends Script {
  /** EHLO keywords; default PIPELINING 8BITMIME SMTPUTF8 ENHANCEDSTATUSCODES. */
  readonly extensions?: readonly string[]
  /** How replies are cut into packets. */
  readonly pieces?: 'whole' | 'bytes' | 'random'
  /** Certificate and key for TLS: from the first octet, or after STARTTLS. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly implicit?: boolean }
  /** Throw away what came in one packet behind the end of data, as some servers do. */
  readonly swallowBehindData?: boolean
  /** Answer what came behind the end of data with 503, as Haraka does since 3.3.4. */
  readonly refuseBehindData?: boolean
  /** Keep the envelope when the end of data is refused, as Postfix did until 2026. */
  readonly keepEnvelope?: boolean
}

export interface Recorded {
  readonly id: string
  readonly from: string
  readonly to: readonly string[]
  readonly octets: Buffer
}

export interface ScriptedServer {
  readonly port: number
  /** Messages that came whole and were answered 2xx or not at all. */
  readonly messages: readonly Recorded[]
  /** Every command line, in order. */
  readonly commands: readonly string[]
  readonly connections: number
  close(): Promise<void>
}

export async function startScriptedServer(options: ScriptedServerOptions = {}): Promise<ScriptedServer> {
  const messages: Recorded[] = []
  const commands: string[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const server =
    options.tls?.implicit === true
      ? createTlsServer({ key: options.tls.key, cert: options.tls.cert }, (socket) => accept(socket))
      : createServer((socket) => accept(socket))
  server.on('error', () => {})
  server.on('tlsClientError', () => {})

  function accept(first: Socket): void {
    const connection = ++connections
    let socket = first
    sockets.add(first)
    first.on('close', () => sockets.delete(first))
    first.on('error', () => {})
    first.setNoDelay(true)
    let rest = Buffer.alloc(0)
    /** Content taken so far; what could be the start of its end stays in `rest`. */
    let held: Buffer[] = []
    let heldSize = 0
    let from: string | undefined
    let to: string[] = []
    let message = 0
    let content = false
    let octets = 0
    let answered = false
    let blocked = false
    let authLines = 0

    const step = (line = ''): Step => ({ connection, message, line, octets })
    const write = (text: string): void => {
      if (socket.destroyed) return
      const { pieces = 'whole' } = options
      if (pieces === 'whole') socket.write(text, 'latin1')
      else {
        let at = 0
        const next = (): void => {
          if (at >= text.length || socket.destroyed) {
            blocked = false
            work()
            return
          }
          const size = pieces === 'bytes' ? 1 : 1 + Math.floor(Math.random() * 7)
          socket.write(text.slice(at, at + size), 'latin1', () => setImmediate(next))
          at += size
        }
        blocked = true
        next()
      }
    }
    /** Does an action; true when the step is as good as a positive reply. */
    const act = (action: Action, usual: string): boolean => {
      if (action === undefined) {
        write(`${usual}\r\n`)
        return true
      }
      if (typeof action === 'string') {
        write(`${action}\r\n`)
        return /^[23]/.test(action)
      }
      if ('drop' in action) socket.destroy()
      else if ('close' in action) {
        write(`${action.close}\r\n`)
        socket.end()
      } else if ('raw' in action) {
        write(action.raw)
        return /^[23]/.test(action.raw)
      } else if ('after' in action) {
        blocked = true
        setTimeout(() => {
          blocked = false
          write(`${action.reply ?? usual}\r\n`)
          work()
        }, action.after)
        return true
      }
      return false
    }

    const listen = (to_: Socket): void => {
      to_.on('data', (chunk: Buffer) => {
        rest = Buffer.concat([rest, chunk])
        work()
      })
    }
    function work(): void {
      while (!blocked && !socket.destroyed) {
        if (content) {
          if (!takeContent()) return
          continue
        }
        const end = rest.indexOf('\r\n')
        if (end < 0) return
        const line = rest.toString('utf8', 0, end)
        rest = rest.subarray(end + 2)
        commands.push(line)
        command(line)
      }
    }
    function takeContent(): boolean {
      const end = rest.indexOf('\r\n.\r\n')
      const atOnce = heldSize === 0 && rest.subarray(0, 3).toString() === '.\r\n'
      if (end < 0 && !atOnce) {
        const keep = Math.min(4, rest.length)
        held.push(rest.subarray(0, rest.length - keep))
        heldSize += rest.length - keep
        rest = rest.subarray(rest.length - keep)
        octets = heldSize
        if (!answered && options.content !== undefined && octets > 0) {
          const action = options.content(step())
          if (action !== undefined) {
            answered = true
            act(action, '')
          }
        }
        return false
      }
      const whole = Buffer.concat([...held, rest.subarray(0, atOnce ? 0 : end + 2)])
      held = []
      heldSize = 0
      const size = whole.length
      const body = whole.toString('latin1').replace(/(^|\r\n)\./g, '$1')
      rest = rest.subarray(atOnce ? 3 : end + 5)
      content = false
      octets = size
      finishMessage(Buffer.from(body, 'latin1'))
      return true
    }
    function finishMessage(body: Buffer): void {
      const id = /^message-id:\s*(\S+)/im.exec(body.toString('latin1'))?.[1] ?? ''
      const recorded = { id, from: from ?? '', to: [...to], octets: body }
      const behind = rest.length > 0
      const action = answered ? { silence: true as const } : options.end?.(step())
      const taken =
        act(action, '250 2.0.0 taken') ||
        (typeof action === 'object' && ('silence' in action || 'drop' in action || 'raw' in action))
      if (taken) messages.push(recorded)
      if (taken || options.keepEnvelope !== true) {
        from = undefined
        to = []
      }
      if (behind && options.swallowBehindData) rest = Buffer.alloc(0)
      if (behind && options.refuseBehindData) {
        for (const _ of rest.toString('latin1').split('\r\n').slice(0, -1))
          write('503 5.5.1 Bad sequence of commands - pipelined after end of DATA\r\n')
        rest = Buffer.alloc(0)
      }
    }
    function command(line: string): void {
      if (authLines > 0) {
        authLines--
        if (authLines === 0) act(options.auth?.(step(line)), '235 2.7.0 welcome')
        else write('334 UGFzc3dvcmQ6\r\n')
        return
      }
      const verb = line.split(' ')[0]?.toUpperCase()
      switch (verb) {
        case 'EHLO':
        case 'LHLO': {
          const secure = socket instanceof TLSSocket
          const keywords = [
            ...(options.extensions ?? ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'ENHANCEDSTATUSCODES']),
            ...(options.auth === undefined ? [] : ['AUTH PLAIN LOGIN']),
          ]
          if (options.tls !== undefined && !secure) keywords.push('STARTTLS')
          const lines = ['scripted', ...keywords]
          act(
            options.ehlo?.(step(line)),
            lines.map((text, at) => `250${at === lines.length - 1 ? ' ' : '-'}${text}`).join('\r\n'),
          )
          return
        }
        case 'STARTTLS': {
          const ok = act(options.starttls?.(step(line)), '220 go')
          if (!ok || options.tls === undefined) return
          socket.removeAllListeners('data')
          const plain = socket
          socket = new TLSSocket(plain, { isServer: true, key: options.tls.key, cert: options.tls.cert })
          socket.on('error', () => {})
          rest = Buffer.alloc(0)
          listen(socket)
          return
        }
        case 'AUTH':
          if (/^AUTH PLAIN \S/i.test(line)) act(options.auth?.(step(line)), '235 2.7.0 welcome')
          else if (/^AUTH LOGIN/i.test(line)) {
            authLines = 2
            write('334 VXNlcm5hbWU6\r\n')
          } else act(options.auth?.(step(line)), '235 2.7.0 welcome')
          return
        case 'MAIL': {
          message++
          answered = false
          if (from !== undefined) {
            write('503 5.5.1 nested MAIL command\r\n')
            return
          }
          if (act(options.mail?.(step(line)), '250 2.1.0 ok')) from = /<(.*?)>/.exec(line)?.[1] ?? ''
          return
        }
        case 'RCPT':
          if (from === undefined) {
            write('503 5.5.1 MAIL first\r\n')
            return
          }
          if (act(options.rcpt?.(step(line)), '250 2.1.5 ok')) to.push(/<(.*)>/.exec(line)?.[1] ?? '')
          return
        case 'DATA':
          if (to.length === 0 && options.data === undefined) {
            write('503 5.5.1 no valid recipients\r\n')
            return
          }
          octets = 0
          if (act(options.data?.(step(line)), '354 go on')) content = true
          return
        case 'RSET':
          from = undefined
          to = []
          act(options.rset?.(step(line)), '250 2.0.0 ok')
          return
        case 'QUIT':
          if (act(options.quit?.(step(line)), '221 2.0.0 bye')) socket.end()
          return
        default:
          write('250 2.0.0 ok\r\n')
      }
    }
    listen(first)
    act(options.greeting?.(step()), '220 scripted ESMTP')
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    messages,
    commands,
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
