/**
 * Who may ask `mailmerge serve`, from where, how often and how much. Owns these guards, each a function of the request; what
 * is answered is decided in `http.ts`.
 */
import { timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, Server } from 'node:http'

/** Connections of one client at a time, where no proxy of ours stands in front. */
const CONNECTIONS_PER_CLIENT = 100

/** True when the request has the token, as `Authorization: Bearer TOKEN` or as `?token=`. */
export function hasToken({ headers }: IncomingMessage, query: URLSearchParams, token: string): boolean {
  const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1]
  const sent = Buffer.from(bearer ?? query.get('token') ?? '')
  const expected = Buffer.from(token)
  return sent.length === expected.length && timingSafeEqual(sent, expected)
}

/** False for a host name that a page of somebody else can be given (DNS rebinding). `bound` is the host listened on. */
export function isOwnHost({ headers }: IncomingMessage, bound: string): boolean {
  const name = (headers.host ?? '').replace(/:\d+$/, '').toLowerCase()
  return ['localhost', '127.0.0.1', '[::1]', bound.toLowerCase(), `[${bound.toLowerCase()}]`].includes(name)
}

/** The body of a request; undefined when it is longer than `limit` bytes. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  // What is left unread must not end the connection before the answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > limit) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** The address of the client, as the last of our `proxies` saw it; of IPv6 the network, which is one person's. */
export function clientOf(request: IncomingMessage, proxies: number): string {
  const seen = [
    ...String(request.headers['x-forwarded-for'] ?? '')
      .split(',')
      .map((part) => part.trim()),
    request.socket.remoteAddress ?? '',
  ]
  const address = seen.at(-1 - proxies) || (request.socket.remoteAddress ?? '')
  return networkOf(address)
}

function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:/i, '')
  return plain.includes(':') && plain !== '::1' ? plain.split(':').slice(0, 4).join(':') : plain
}

/**
 * Keeps one client from taking all connections of a server. Programs on this machine are not limited: they are the proxy,
 * whether it was configured or not.
 */
export function limitConnections(server: Server): void {
  const counts = new ConnectionCounts(CONNECTIONS_PER_CLIENT)
  server.prependListener('connection', (socket) => {
    const client = networkOf(socket.remoteAddress ?? '')
    if (client.startsWith('127.') || client === '::1') return
    if (counts.open(client)) socket.once('close', () => counts.close(client))
    else socket.destroy()
  })
}

/** Open connections by client. */
export class ConnectionCounts {
  readonly #most: number
  readonly #open = new Map<string, number>()

  /** `most` connections of one client at a time. */
  constructor(most: number) {
    this.#most = most
  }

  /** False when `client` has enough. `close` must be called for each that was let in. */
  open(client: string): boolean {
    const count = this.#open.get(client) ?? 0
    if (count >= this.#most) return false
    this.#open.set(client, count + 1)
    return true
  }

  close(client: string): void {
    const count = this.#open.get(client) ?? 0
    if (count > 1) this.#open.set(client, count - 1)
    else this.#open.delete(client)
  }
}
