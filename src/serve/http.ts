/**
 * The HTTP side of `mailmerge serve`: unsubscribe links for everybody, runs and schedules as JSON for who has the token.
 * Owns limits, hosts and headers; what a link does is the endpoint's.
 */
import { readdirSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { OutputError } from '../errors.ts'
import { systemWords } from '../fs/system-errors.ts'
import type { LinkAnswer, UnsubscribeEndpoint } from '../unsubscribe/endpoint.ts'
import { tokenInLink } from '../unsubscribe/token.ts'
import { clientOf, hasToken, isOwnHost, limitConnections, readBody } from './guards.ts'

export interface HttpOptions {
  readonly host: string
  readonly port: number
  /** Opens the private pages. */
  readonly token: string
  /** Proxies in front whose X-Forwarded-For is trusted. */
  readonly proxies: number
  /** Answers a link; undefined where the project has none. */
  readonly links?: Pick<UnsubscribeEndpoint, 'answer'> | undefined
  /** Answers browsers, and what their page asks for; it has a guard of its own. */
  readonly page?: ((request: IncomingMessage, response: ServerResponse) => void) | undefined
  /** JSON of a private page, by its path; undefined when there is none. */
  readonly data: (path: string, query: URLSearchParams) => Promise<unknown>
  /** False while the process cannot do its work. */
  readonly healthy: () => boolean
  readonly onChange: (what: 'unsubscribed' | 'subscribed') => void
  readonly onError: (error: unknown) => void
  /** Connections are refused because `most` are open; called at most once a minute. */
  readonly onFull: (most: number) => void
}

export interface HttpServer {
  /** `http://127.0.0.1:8025`. */
  readonly address: string
  /** Stops accepting requests and ends when those under way are answered. */
  close(): Promise<void>
}

/** A one-click body is 30 bytes, as multipart some 200. */
const LARGEST_BODY = 8192
const LARGEST_HEAD = 16_384
const HEAD_MS = 10_000
const REQUEST_MS = 15_000
const IDLE_MS = 5_000
const MOST_CONNECTIONS = 2_000
const FULL_REPORT_MS = 60_000
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
        options.onError(error)
        if (!response.headersSent) respond(response, 500, PLAIN, '')
      })
    },
  )
  server.maxConnections = mostConnections()
  server.maxHeadersCount = 100
  let reportedAt = Number.NEGATIVE_INFINITY
  server.on('drop', () => {
    if (performance.now() - reportedAt < FULL_REPORT_MS) return
    reportedAt = performance.now()
    options.onFull(server.maxConnections)
  })
  if (options.proxies === 0) limitConnections(server)
  await bind(server, options)
  const { address, family, port } = server.address() as AddressInfo
  return {
    address: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    close: () => closeServer(server),
  }
}

/** Half of the files that the process may still open are for its work: the ledger, runs, mailboxes. */
function mostConnections(): number {
  // Names of hosts would be looked up for it, and nobody reads them.
  Object.assign(process.report, { excludeNetwork: true })
  const { userLimits } = process.report.getReport() as {
    readonly userLimits?: { readonly open_files?: { readonly soft: unknown } }
  }
  const files = Number(userLimits?.open_files?.soft)
  if (Number.isNaN(files)) return MOST_CONNECTIONS
  return Math.max(1, Math.min(MOST_CONNECTIONS, Math.floor((files - readdirSync('/dev/fd').length) / 2)))
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

/** Paths of the private pages; whatever else is asked for from outside is not there. */
const PRIVATE = /^\/(runs(\/.*)?|schedules)?$/

async function handle(request: IncomingMessage, response: ServerResponse, options: HttpOptions): Promise<void> {
  // A proxy may have put a path of its own in front.
  const link = options.links === undefined ? null : /\/u\/([^?]{1,4000})(?:\?(.*))?$/.exec(request.url ?? '')
  if (options.links !== undefined && link !== null) {
    // A client that sends its next request before it has the answer is neither a person nor a mail program.
    if (response.socket === null) {
      request.socket.destroy()
      return
    }
    return answerLink(request, response, options.links, { token: tokenInLink(link[1] ?? ''), query: link[2] }, options)
  }
  const url = URL.parse(request.url ?? '/', 'http://localhost')
  if (url === null) return respond(response, 400, PLAIN, '')
  if (options.page !== undefined && isForPage(request, url)) return options.page(request, response)
  request.resume()
  if (url.pathname === '/health' || url.pathname === '/healthz') {
    const healthy = options.healthy()
    return respond(response, healthy ? 200 : 503, JSON_HEADERS, JSON.stringify({ status: healthy ? 'ok' : 'failing' }))
  }
  if (!PRIVATE.test(url.pathname)) return respond(response, 404, PLAIN, '')
  if (!isOwnHost(request, options.host)) {
    return respond(response, 421, PLAIN, 'This page is for this machine; ask for it by its own name.\n')
  }
  if (!hasToken(request, url.searchParams, options.token)) {
    return respond(response, 401, { ...PLAIN, 'www-authenticate': 'Bearer' }, 'The token is missing or wrong.\n')
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return respond(response, 405, { ...PLAIN, allow: 'GET, HEAD' }, '')
  }
  const data = await options.data(url.pathname, url.searchParams)
  if (data === undefined) return respond(response, 404, PLAIN, 'There is no such page.\n')
  respond(response, 200, JSON_HEADERS, `${JSON.stringify(data)}\n`)
}

/** A browser that opens the address, and what the page then asks for; programs get JSON from the same addresses. */
function isForPage({ headers }: IncomingMessage, { pathname }: URL): boolean {
  if (/^\/(?:api|assets)\//.test(pathname)) return true
  return PRIVATE.test(pathname) && /\btext\/html\b/i.test(headers.accept ?? '')
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
    client: clientOf(request, options.proxies),
  }
  const atOnce = links.answer(asked)
  if (typeof atOnce !== 'function') {
    request.resume()
    return respondWith(response, atOnce)
  }
  const body = await readBody(request, LARGEST_BODY)
  if (body === undefined) return respond(response, 413, { ...PLAIN, connection: 'close' }, '')
  const answer = await atOnce(body)
  if (answer.did !== undefined) options.onChange(answer.did)
  respondWith(response, answer)
}

function respondWith(response: ServerResponse, { status, headers, body }: LinkAnswer): void {
  respond(response, status, headers, body)
}

function respond(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string,
): void {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}
