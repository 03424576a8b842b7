/**
 * The server of the local pages: one guard for every request, then the page, its files, its events or a route of it. Owns
 * the HTTP around them; what a route answers is the page's own.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { MailmergeError, OutputError } from '../errors.ts'
import { systemWords } from '../fs/system-errors.ts'
import { type Assets, openAssets } from './assets.ts'
import type { EventHub } from './events.ts'
import { type GuardOptions, judge, linkWith } from './guard.ts'
import { bytes, COMMON_HEADERS, json, type PageAnswer, type Route } from './route.ts'
import type { ErrorFields } from './wire.ts'

export interface PagesOptions extends GuardOptions {
  /** Name of the page's script and style: `preview`. */
  readonly page: string
  readonly title: string
  readonly routes: readonly Route[]
  readonly events: EventHub
  /** Hears of what went wrong on our side. */
  readonly onError: (error: unknown) => void
}

export interface ListenOptions extends PagesOptions {
  /** 0 takes any that is free. */
  readonly port: number
}

export interface Pages {
  /** `http://127.0.0.1:8026` */
  readonly address: string
  /** The address with the token, for a person to open. */
  readonly link: string
  /** Ends the streams, then the server. */
  close(): Promise<void>
}

/** JSON that is sent to the pages is short: an address, a decision. */
const LARGEST_BODY = 1_000_000
const LOOPBACK = '127.0.0.1'

/**
 * Listens on this machine alone, unless `host` says otherwise.
 * @throws OutputError when the port cannot be had, or the scripts of the pages are missing.
 */
export async function startPages(options: ListenOptions): Promise<Pages> {
  const server = createServer({ keepAliveTimeout: 60_000 }, pageHandler(options))
  await bind(server, options.host ?? LOOPBACK, options.port)
  const { address, family, port } = server.address() as AddressInfo
  const origin = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
  return {
    address: origin,
    link: linkWith(options.token, origin),
    close() {
      options.events.close()
      return new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
}

/**
 * Answers the requests of a page, for a server that is somebody else's.
 * @throws OutputError when the scripts of the pages are missing.
 */
export function pageHandler(options: PagesOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const assets = openAssets()
  return (request, response) => {
    answer(request, response, options, assets).catch((error: unknown) => {
      // A person who left in the middle gets no answer.
      if (request.destroyed && !request.complete) return
      options.onError(error)
      if (!response.headersSent) respond(response, json({ error: { message: 'this should not have happened' } }, 500))
      else response.destroy()
    })
  }
}

function bind(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        new OutputError(`cannot listen on ${host}, port ${port}: ${systemWords(cause)}`, {
          cause,
          hint: 'Choose another with --port; port 0 takes any that is free.',
        }),
      )
    })
    server.listen({ host, port }, () => resolve())
  })
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: PagesOptions,
  assets: Assets,
): Promise<void> {
  const url = URL.parse(request.url ?? '/', 'http://page')
  if (url === null || url.host !== 'page') return respond(response, plain(400, 'This is not a valid address.\n'))
  const route = options.routes.find(({ method, path }) => method === methodOf(request) && matches(path, url))
  const verdict = judge(request, url, options)
  // What a frame of a mail loads has a path that cannot be guessed, and no cookie; its host is checked all the same.
  const isOpen = route?.open === true && verdict.kind === 'refused' && verdict.status !== 421
  if (verdict.kind === 'signed-in') {
    request.resume()
    const { location, cookie } = verdict
    return respond(response, { status: 303, headers: { location, 'set-cookie': cookie }, body: '' })
  }
  if (verdict.kind === 'refused' && !isOpen) {
    request.resume()
    return respond(response, plain(verdict.status, verdict.text))
  }
  if (route !== undefined) return answerRoute(request, response, route, url)
  request.resume()
  if (methodOf(request) !== 'GET') return respond(response, plain(405, 'This cannot be done here.\n'))
  if (url.pathname === '/api/events') {
    const last = request.headers['last-event-id'] ?? url.searchParams.get('last') ?? undefined
    return options.events.subscribe(response, String(last ?? ''))
  }
  const name = /^\/assets\/([\w.-]+)$/.exec(url.pathname)?.[1]
  const asset = name === undefined ? undefined : await assets(name)
  if (asset !== undefined) return respond(response, bytes(asset.body, asset.type, SAME_ORIGIN))
  if (url.pathname === '/') return respond(response, documentOf(options))
  respond(response, plain(404, 'There is no such page.\n'))
}

function methodOf({ method }: IncomingMessage): string {
  return method === 'HEAD' ? 'GET' : (method ?? '')
}

function matches(path: RegExp, { pathname }: URL): boolean {
  return path.exec(pathname)?.[0] === pathname
}

async function answerRoute(request: IncomingMessage, response: ServerResponse, route: Route, url: URL): Promise<void> {
  const body = route.method === 'GET' ? undefined : await jsonOf(request)
  if (route.method === 'GET') request.resume()
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  const match = (route.path.exec(url.pathname) ?? []).slice(1).map((part) => part ?? '')
  try {
    const answered = await route.answer({ match, query: url.searchParams, body, signal: gone.signal })
    respond(response, answered ?? json({ error: { message: 'there is nothing of that name' } }, 404))
  } catch (error) {
    if (gone.signal.aborted) return
    if (!(error instanceof MailmergeError)) throw error
    respond(response, json({ error: errorFields(error) }, 422))
  }
}

/** What an error says, for a page that shows it to a person. */
export function errorFields({ code, message, hint, problems }: MailmergeError): ErrorFields {
  return { code, message, hint, problems }
}

/** Undefined for a body that is not JSON, or is too long. */
async function jsonOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > LARGEST_BODY) return undefined
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    return undefined
  }
}

function respond(response: ServerResponse, { status, headers, body }: PageAnswer): void {
  response.writeHead(status, { ...COMMON_HEADERS, ...headers, 'content-length': Buffer.byteLength(body) })
  response.end(response.req.method === 'HEAD' ? undefined : body)
}

function plain(status: number, text: string): PageAnswer {
  return { ...bytes(text, 'text/plain; charset=utf-8'), status }
}

const SAME_ORIGIN = { 'cross-origin-resource-policy': 'same-origin' }

/** `frame-src` keeps a link in a mail from leading its frame elsewhere. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "frame-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

function documentOf({ page, title }: PagesOptions): PageAnswer {
  const body = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(title)}</title>
<link rel="icon" href="/assets/icon.svg">
<link rel="stylesheet" href="/assets/${page}.css">
<script type="module" src="/assets/${page}.js"></script>
</head>
<body><noscript>This page needs JavaScript; what it runs comes from mailmerge alone.</noscript></body>
</html>
`
  const headers = {
    'content-security-policy': PAGE_POLICY,
    'cross-origin-opener-policy': 'same-origin',
    ...SAME_ORIGIN,
  }
  return bytes(body, 'text/html; charset=utf-8', headers)
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
