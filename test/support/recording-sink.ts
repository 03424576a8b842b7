/** An SMTP server that believes everything and writes down what it got: how often each Message-ID came, and for whom. */

import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface ReceivedMessage {
  readonly id: string
  readonly from: string
  readonly to: readonly string[]
  readonly octets: Buffer
}

export interface RecordingSink {
  readonly port: number
  /** Message-ID to the number of times it was handed over whole. */
  readonly ids: ReadonlyMap<string, number>
  /** Recipient to the number of messages. */
  readonly recipients: ReadonlyMap<string, number>
  readonly messages: readonly ReceivedMessage[]
  readonly connections: number
  close(): Promise<void>
}

export interface RecordingSinkOptions {
  /** Default: one that is free. */
  readonly port?: number
  /** Milliseconds before each reply to the end of a message. */
  readonly delay?: number
  /** Awaited before each reply to the end of a message. */
  readonly gate?: () => Promise<unknown>
  /** Keep whole messages; otherwise only their ids. */
  readonly keep?: boolean
  /** Answer to the end of the data of a message, instead of 250. */
  readonly answer?: (message: ReceivedMessage) => string | undefined
  /** Answer to RCPT, instead of 250. */
  readonly recipient?: (address: string) => string | undefined
  /** Do not offer PIPELINING. */
  readonly lockStep?: boolean
}

export async function startRecordingSink(options: RecordingSinkOptions = {}): Promise<RecordingSink> {
  const ids = new Map<string, number>()
  const recipients = new Map<string, number>()
  const messages: ReceivedMessage[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((socket) => {
    connections++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    socket.setNoDelay(true)
    serve(socket)
  })

  function serve(socket: Socket): void {
    let rest = ''
    let from = ''
    let to: string[] = []
    let content = false
    let busy = false
    const say = (line: string): void => {
      if (!socket.destroyed) socket.write(`${line}\r\n`)
    }
    say('220 sink ESMTP')
    socket.on('data', (chunk) => {
      rest += chunk.toString('latin1')
      work()
    })
    function work(): void {
      while (!busy) {
        if (content) {
          const end = rest.indexOf('\r\n.\r\n')
          if (end < 0) return
          const octets = Buffer.from(rest.slice(0, end + 2).replace(/(^|\r\n)\.\./g, '$1.'), 'latin1')
          rest = rest.slice(end + 5)
          content = false
          received(octets)
          continue
        }
        const end = rest.indexOf('\r\n')
        if (end < 0) return
        const line = rest.slice(0, end)
        rest = rest.slice(end + 2)
        command(line)
      }
    }
    function received(octets: Buffer): void {
      const head = octets.toString('latin1').split('\r\n\r\n')[0] ?? ''
      const id = /^message-id:\s*(\S+)/im.exec(head)?.[1] ?? ''
      const message = { id, from, to, octets }
      const answer = options.answer?.(message) ?? '250 2.0.0 taken'
      if (answer.startsWith('2')) {
        ids.set(id, (ids.get(id) ?? 0) + 1)
        for (const address of to) recipients.set(address, (recipients.get(address) ?? 0) + 1)
        if (options.keep) messages.push(message)
      }
      from = ''
      to = []
      const gate = options.gate?.() ?? (options.delay === undefined ? undefined : sleep(options.delay))
      if (gate === undefined) return say(answer)
      busy = true
      void gate.then(() => {
        busy = false
        say(answer)
        work()
      })
    }
    function command(line: string): void {
      const verb = line.slice(0, 4).toUpperCase()
      if (verb === 'EHLO')
        say(
          options.lockStep
            ? '250-sink\r\n250 SIZE 0'
            : '250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES',
        )
      else if (verb === 'MAIL') {
        from = /<(.*?)>/.exec(line)?.[1] ?? ''
        say('250 2.1.0 ok')
      } else if (verb === 'RCPT') {
        const address = Buffer.from(/<(.*)>/.exec(line)?.[1] ?? '', 'latin1').toString('utf8')
        const answer = options.recipient?.(address) ?? '250 2.1.5 ok'
        if (answer.startsWith('2')) to.push(address)
        say(answer)
      } else if (verb === 'DATA') {
        if (to.length === 0) return say('503 5.5.1 no valid recipients')
        content = true
        say('354 go on')
      } else if (verb === 'RSET') {
        from = ''
        to = []
        say('250 2.0.0 ok')
      } else if (verb === 'QUIT') {
        say('221 2.0.0 bye')
        socket.end()
      } else say('250 ok')
    }
  }

  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    ids,
    recipients,
    messages,
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
