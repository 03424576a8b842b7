/**
 * A mail service on this machine that answers as the public pages of the Gmail API and of Microsoft Graph say. Keeps each message that it
 * took, and does something else where a test orders it.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Asked {
  /** From 1. */
  readonly number: number
  readonly path: string
  readonly token: string
  readonly type: string
  /** The message, decoded where the service takes it encoded. */
  readonly message: Buffer
}

export type Order =
  /** Answer so, and take nothing. */
  | { readonly status: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> }
  /** Cut the connection: before the message is taken, or after. */
  | { readonly cut: 'untaken' | 'taken' }
  | undefined

export interface MailServiceOptions {
  /** Default: `good`. */
  readonly tokens?: ReadonlySet<string>
  readonly order?: (asked: Asked) => Order
  /** Milliseconds for a message. */
  readonly delay?: number
}

export interface MailService {
  readonly url: string
  /** Every request to send, those that were refused among them. */
  readonly asked: readonly Asked[]
  readonly taken: readonly Asked[]
  readonly connections: number
  close(): Promise<void>
}

const GMAIL = '/upload/gmail/v1/users/me/messages/send?uploadType=media'
const GRAPH = /^\/(?:me|users\/[^/]+)\/sendMail$/

export async function startMailService(options: MailServiceOptions = {}): Promise<MailService> {
  const { tokens = new Set(['good']), order, delay } = options
  const asked: Asked[] = []
  const taken: Asked[] = []
  let connections = 0
  const server: Server = createServer((request, response) => {
    void (async () => {
      const body = await read(request)
      if (body === undefined) return
      const path = request.url ?? ''
      const token = (request.headers.authorization ?? '').replace(/^Bearer /, '')
      const isGraph = !path.includes('/gmail/')
      const say = (status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): void => {
        response.writeHead(status, { 'content-type': 'application/json', ...headers })
        response.end(value === undefined ? '' : JSON.stringify(value))
      }
      if (!tokens.has(token)) return say(401, isGraph ? GRAPH_TOKEN : GMAIL_TOKEN)
      if (request.method !== 'POST' || (path !== GMAIL && !GRAPH.test(path))) return say(200, { id: 'me' })
      const type = request.headers['content-type'] ?? ''
      const message = isGraph ? Buffer.from(body.toString('latin1'), 'base64') : body
      const one: Asked = { number: asked.length + 1, path, token, type, message }
      asked.push(one)
      if (delay !== undefined) await sleep(delay)
      const wanted = order?.(one)
      if (wanted !== undefined && 'cut' in wanted) {
        if (wanted.cut === 'taken') taken.push(one)
        request.socket.destroy()
        return
      }
      if (wanted !== undefined) return say(wanted.status, wanted.body, wanted.headers)
      taken.push(one)
      if (isGraph) say(202, undefined)
      else say(200, { id: `m${one.number}`, threadId: `m${one.number}`, labelIds: ['SENT'] })
    })()
  })
  server.on('connection', () => connections++)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    taken,
    get connections() {
      return connections
    },
    close: () =>
      new Promise((done) => {
        server.close(() => done())
        server.closeAllConnections()
      }),
  }
}

/** Undefined where the client went away before its end. */
async function read(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer)
  } catch {
    return undefined
  }
  return Buffer.concat(chunks)
}

/** As in developers.google.com/workspace/gmail/api/guides/handle-errors. */
export function gmailError(code: number, reason: string, message = reason): { readonly error: object } {
  return { error: { code, message, errors: [{ domain: 'global', reason, message }] } }
}

/** As in learn.microsoft.com/graph/errors. */
export function graphError(code: string, message = code): { readonly error: object } {
  return { error: { code, message, innerError: { 'request-id': '1', date: '2026-11-28T12:00:00' } } }
}

const GMAIL_TOKEN = gmailError(401, 'authError', 'Invalid Credentials')
const GRAPH_TOKEN = graphError('InvalidAuthenticationToken', 'Lifetime validation failed, the token is expired.')
