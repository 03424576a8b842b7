/**
 * Who may use the pages: a browser of this machine that was opened with the token, and programs that have it. Owns that
 * decision for each request, before anything of it is looked at; answers nothing itself.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

export type Verdict =
  | { readonly kind: 'allowed' }
  /** The token was in the address: it goes into a cookie, and the browser to the address without it. */
  | { readonly kind: 'signed-in'; readonly location: string; readonly cookie: string }
  | { readonly kind: 'refused'; readonly status: 401 | 403 | 415 | 421; readonly text: string }

export interface GuardOptions {
  readonly token: string
  /** Host that is listened on, where it is not this machine alone. */
  readonly host?: string | undefined
}

const SAFE = new Set(['GET', 'HEAD'])

/** A token that cannot be guessed. */
export function newToken(): string {
  return randomBytes(18).toString('base64url')
}

/** The address that opens the pages of a server. */
export function linkWith(token: string, address: string): string {
  return `${address}/?token=${encodeURIComponent(token)}`
}

/** Judges a request, the body of which is not yet read. */
export function judge(request: IncomingMessage, url: URL, options: GuardOptions): Verdict {
  const port = request.socket.localPort ?? 0
  if (!isOwnHost(request.headers.host, port, options.host)) {
    return refused(421, 'This page is for this machine; ask for it by the address that mailmerge printed.')
  }
  const { token } = options
  const inUrl = url.searchParams.get('token')
  if (inUrl !== null && isSame(inUrl, token) && SAFE.has(request.method ?? '') && wantsPage(request)) {
    return { kind: 'signed-in', location: withoutToken(url), cookie: cookieOf(port, token) }
  }
  const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? inUrl
  const isProgram = bearer !== null && isSame(bearer, token)
  if (!isProgram && !hasCookie(request, port, token)) {
    return refused(401, 'Open the address that mailmerge printed: it holds the token of this page.')
  }
  // Pages of other ports of this machine are of the same site, so that the cookie comes with what they ask for.
  if (!isProgram && !isOwnPage(request)) return refused(403, 'Only the pages of mailmerge itself may ask for this.')
  if (SAFE.has(request.method ?? '')) return { kind: 'allowed' }
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
    return refused(415, 'Send JSON, with its content type.')
  }
  return { kind: 'allowed' }
}

function refused(status: 401 | 403 | 415 | 421, text: string): Verdict {
  return { kind: 'refused', status, text: `${text}\n` }
}

/** A name that a page of somebody else can be given (DNS rebinding) is not ours, nor is another port. */
function isOwnHost(header: string | undefined, port: number, bound: string | undefined): boolean {
  const names = ['127.0.0.1', 'localhost', '[::1]']
  if (bound !== undefined) names.push(bound.includes(':') ? `[${bound}]` : bound.toLowerCase())
  return names.some((name) => header?.toLowerCase() === (port === 80 ? name : `${name}:${port}`))
}

function wantsPage({ headers }: IncomingMessage): boolean {
  return /\btext\/html\b/i.test(headers.accept ?? '')
}

function withoutToken(url: URL): string {
  const rest = new URLSearchParams(url.search)
  rest.delete('token')
  // Two slashes at the beginning would be the address of another host.
  const path = url.pathname.replace(/^\/+/, '/')
  return rest.size === 0 ? path : `${path}?${rest}`
}

/** Cookies are shared by all ports of a host, so the port is in the name. What is in it opens nothing but this. */
function cookieOf(port: number, token: string): string {
  return `${cookieName(port)}=${sessionOf(token)}; Path=/; HttpOnly; SameSite=Strict`
}

function cookieName(port: number): string {
  return `mailmerge_${port}`
}

function sessionOf(token: string): string {
  return createHmac('sha256', token).update('mailmerge page').digest('base64url')
}

function hasCookie({ headers }: IncomingMessage, port: number, token: string): boolean {
  const name = cookieName(port)
  const values = (headers.cookie ?? '').split(';').map((pair) => pair.trim().split('='))
  return values.some(([key, value = '']) => key === name && isSame(value, sessionOf(token)))
}

/** Whether our own page asks, or a person who typed the address. */
function isOwnPage(request: IncomingMessage): boolean {
  const { origin, host } = request.headers
  const site = request.headers['sec-fetch-site']
  const changes = !SAFE.has(request.method ?? '')
  if (site === 'same-origin') return true
  if (site === 'none') return !changes
  // A link that leads here opens a page, which its sender cannot read.
  if (site !== undefined) return !changes && request.headers['sec-fetch-dest'] === 'document'
  if (origin !== undefined) return origin === `http://${host}`
  return !changes
}

function isSame(given: string, wanted: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(wanted)]
  return one.length === other.length && timingSafeEqual(one, other)
}
