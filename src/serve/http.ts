/**
 * The HTTP side of `mailmerge serve`: unsubscribe links for everybody, runs and schedules as JSON for who has the token.
 * Owns limits, hosts and headers; what a link does is the endpoint's.
 */
import { timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { OutputError } from '../errors.ts'
import { systemWords } from '../fs/system-errors.ts'
import type { LinkAnswer, UnsubscribeEndpoint } from '../unsubscribe/endpoint.ts'
import { ConnectionCounts } from './connection-counts.ts'

export interface HttpOptions {
  readonly host: string
  readonly port: number
  /** Opens the private pages. */
  readonly token: string
  /** Proxies in front whose X-Forwarded-For is believed. */
  readonly proxies: number
  /** Answers a link; undefined where the project has none. */
  readonly links?: Pick<UnsubscribeEndpoint, 'answer'> | undefined
  /** JSON of a private page, by its path; undefined when there is none. */
  readonly page: (path: string, query: URLSearchParams) => Promise<unknown>
  /** False while the process cannot do its work. */
  readonly healthy: () => boolean
  readonly did: (what: 'unsubscribed' | 'subscribed') => void
  readonly wentWrong: (error: unknown) => void
}

export interface HttpServer {
  /** `http://127.0.0.1:8025`. */
  readonly address: string
  /** Takes no new requests and ends when those under way are answered. */
  close(): Promise<void>
}

/** A one-click body is 30 bytes, as multipart some 200. */
const LARGEST_BODY = 8192
const LARGEST_HEAD = 16_384
const HEAD_MS = 10_000
const REQUEST_MS = 15_000
const IDLE_MS = 5_000
const MOST_CONNECTIONS = 2_000
/** Of one client that no proxy of ours stands before. */
const MOST_OF_ONE = 100
const CLOSE_MS = 5_000

/** @throws OutputError when the port cannot be had. */
export async function listen(options: HttpOptions): Promise<HttpServer> {
  const server = createServer(
    {
      maxHeaderSize: LARGEST_HEAD,
      headersTimeout: HEAD_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: IDLE_MS,
      connectionsCheckingInterval: 2_000,
    },
    (request, response) => {
      handle(request, response, options).catch((error: unknown) => {
        // Who hung up in the middle of a request gets no answer.
        if (request.destroyed && !request.complete) return
        options.wentWrong(error)
        if (!response.headersSent) say(response, 500, PLAIN, '')
      })
    },
  )
  server.maxConnections = MOST_CONNECTIONS
  server.maxHeadersCount = 100
  shareConnections(server, options)
  await bind(server, options)
  const { address, family, port } = server.address() as AddressInfo
  return {
    address: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    close: () => closeServer(server),
  }
}

function bind(server: Server, { host, port }: HttpOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        new OutputError(`cannot listen on ${host}, port ${port}: ${systemWords(cause)}`, {
          cause,
          hint: 'Choose another with --port or --host; port 0 takes any that is free.',
        }),
      )
    })
    server.listen({ host, port }, () => resolve())
  })
}

/** Programs on this machine are left alone: they are the proxy, whether it was told of or not. */
function shareConnections(server: Server, { proxies }: HttpOptions): void {
  if (proxies > 0) return
  const counts = new ConnectionCounts(MOST_OF_ONE)
  server.prependListener('connection', (socket) => {
    const client = networkOf(socket.remoteAddress ?? '')
    if (client.startsWith('127.') || client === '::1') return
    if (counts.open(client)) socket.once('close', () => counts.close(client))
    else socket.destroy()
  })
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const last = setTimeout(() => server.closeAllConnections(), CLOSE_MS)
    server.close(() => {
      clearTimeout(last)
      resolve()
    })
    server.closeIdleConnections()
  })
}

const PLAIN = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' }
const JSON_HEADERS = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'",
}

async function handle(request: IncomingMessage, response: ServerResponse, options: HttpOptions): Promise<void> {
  // A proxy may have put a path of its own in front.
  const link = options.links === undefined ? null : /\/u\/([^/?]{1,1000})(?:\?(.*))?$/.exec(request.url ?? '')
  if (options.links !== undefined && link !== null) {
    // Who does not wait for an answer before asking again is no person and no mail program, and would make those wait.
    if (response.socket === null) {
      request.socket.destroy()
      return
    }
    return answerLink(request, response, options.links, { token: link[1] ?? '', query: link[2] }, options)
  }
  const url = URL.parse(request.url ?? '/', 'http://localhost')
  if (url === null) return say(response, 400, PLAIN, '')
  request.resume()
  if (url.pathname === '/health') {
    const healthy = options.healthy()
    return say(response, healthy ? 200 : 503, JSON_HEADERS, JSON.stringify({ status: healthy ? 'ok' : 'failing' }))
  }
  if (!isOwnHost(request.headers.host, options)) {
    return say(response, 421, PLAIN, 'This page is for this machine; ask for it by its own name.\n')
  }
  if (!isAllowed(request, url, options.token)) {
    return say(response, 401, { ...PLAIN, 'www-authenticate': 'Bearer' }, 'The token is missing or wrong.\n')
  }
  if (request.method !== 'GET') return say(response, 405, { ...PLAIN, allow: 'GET' }, '')
  const page = await options.page(url.pathname, url.searchParams)
  if (page === undefined) return say(response, 404, PLAIN, 'There is no such page.\n')
  say(response, 200, JSON_HEADERS, `${JSON.stringify(page)}\n`)
}

async function answerLink(
  request: IncomingMessage,
  response: ServerResponse,
  links: NonNullable<HttpOptions['links']>,
  { token, query }: { readonly token: string; readonly query: string | undefined },
  options: HttpOptions,
): Promise<void> {
  const { headers, method = '' } = request
  const asked = {
    method,
    token,
    lang: query === undefined ? undefined : (new URLSearchParams(query).get('lang') ?? undefined),
    acceptLanguage: headers['accept-language'],
    contentType: headers['content-type'],
    client: clientOf(request, options.proxies),
  }
  const atOnce = links.answer(asked)
  if (typeof atOnce !== 'function') {
    request.resume()
    return sayAnswer(response, atOnce)
  }
  const body = await bodyOf(request)
  if (body === undefined) return say(response, 413, { ...PLAIN, connection: 'close' }, '')
  const answer = await atOnce(body)
  if (answer.did !== undefined) options.did(answer.did)
  sayAnswer(response, answer)
}

function sayAnswer(response: ServerResponse, { status, headers, body }: LinkAnswer): void {
  say(response, status, headers, body)
}

function say(response: ServerResponse, status: number, headers: Readonly<Record<string, string>>, body: string): void {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

/** Undefined when it is longer than any form of ours. */
async function bodyOf(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  // What is left unread must not end the connection before the answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > LARGEST_BODY) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** A name that a page of somebody else can be given (DNS rebinding) opens nothing. */
function isOwnHost(host: string | undefined, { host: bound }: HttpOptions): boolean {
  const name = (host ?? '').replace(/:\d+$/, '').toLowerCase()
  return ['localhost', '127.0.0.1', '[::1]', bound.toLowerCase(), `[${bound.toLowerCase()}]`].includes(name)
}

function isAllowed(request: IncomingMessage, url: URL, token: string): boolean {
  const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1]
  const given = Buffer.from(bearer ?? url.searchParams.get('token') ?? '')
  const wanted = Buffer.from(token)
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}

/** The address of who asks, as the last proxy of ours saw it; of IPv6 the network, which is one person's. */
function clientOf(request: IncomingMessage, proxies: number): string {
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
