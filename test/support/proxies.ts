/** Proxies for tests: an HTTP one that knows CONNECT, and a SOCKS 5 one (RFC 1928) with or without a password (RFC 1929). */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export interface TestProxy {
  readonly port: number
  /** Where it was asked to connect to: `host:port`. */
  readonly destinations: readonly string[]
  close(): Promise<void>
}

interface ProxyOptions {
  /** `user:password`; anybody may without. */
  readonly login?: string
  /** Every name leads here. */
  readonly to: number
}

export function startHttpProxy({ login, to }: ProxyOptions): Promise<TestProxy> {
  const wanted = login === undefined ? undefined : `Basic ${Buffer.from(login).toString('base64')}`
  return listening((socket, destinations) => {
    socket.once('data', (chunk) => {
      const head = chunk.toString('latin1')
      if (wanted !== undefined && !head.includes(wanted)) {
        socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
        return
      }
      destinations.push(/^CONNECT (\S+)/.exec(head)?.[1] ?? '')
      join(socket, to, 'HTTP/1.1 200 Connection established\r\n\r\n')
    })
  })
}

export function startSocksProxy({ login, to }: ProxyOptions): Promise<TestProxy> {
  return listening((socket, destinations) => {
    const stages: ((chunk: Buffer) => void)[] = [
      () => socket.write(Buffer.from([5, login === undefined ? 0 : 2])),
      ...(login === undefined ? [] : [(chunk: Buffer) => password(socket, chunk, login)]),
      (chunk) => {
        const name = chunk.subarray(5, 5 + (chunk[4] ?? 0)).toString()
        const host = chunk[3] === 3 ? name : [...chunk.subarray(4, 8)].join('.')
        destinations.push(`${host}:${chunk.readUInt16BE(chunk.length - 2)}`)
        socket.removeAllListeners('data')
        join(socket, to, Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]))
      },
    ]
    socket.on('data', (chunk) => stages.shift()?.(chunk))
  })
}

function password(socket: Socket, chunk: Buffer, login: string): void {
  const userLength = chunk[1] ?? 0
  const user = chunk.subarray(2, 2 + userLength).toString()
  const right = `${user}:${chunk.subarray(3 + userLength).toString()}` === login
  socket.write(Buffer.from([1, right ? 0 : 1]))
  if (!right) socket.end()
}

function join(socket: Socket, port: number, hello: string | Buffer): void {
  const upstream = connect(port, '127.0.0.1', () => {
    socket.write(hello)
    socket.pipe(upstream).pipe(socket)
  })
  upstream.on('error', () => socket.destroy())
  socket.on('close', () => upstream.destroy())
}

async function listening(serve: (socket: Socket, destinations: string[]) => void): Promise<TestProxy> {
  const destinations: string[] = []
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    serve(socket, destinations)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    destinations,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}
