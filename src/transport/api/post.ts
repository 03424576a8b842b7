/**
 * One request to a mail service, with one message in it. Owns how far it got: whether the service can have the message, whatever breaks.
 * Nothing is ever asked twice here, and no redirect is followed.
 */
import type { Agent as PlainAgent } from 'node:http'
import { request as plainRequest } from 'node:http'
import { type Agent, request as tlsRequest } from 'node:https'
import { systemWords } from '../../fs/system-errors.ts'

export interface PostRequest {
  readonly url: string
  readonly method?: 'POST' | 'GET'
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly agent: Agent | PlainAgent
  /** Milliseconds without a byte from the service. */
  readonly patience: number
  readonly signal: AbortSignal
}

export type PostEnd =
  | {
      readonly kind: 'answered'
      readonly status: number
      readonly retryAfter: string | undefined
      readonly body: string
    }
  /** The service cannot have it whole. */
  | { readonly kind: 'unsent'; readonly reason: string }
  /** All of it was handed over, and no whole answer came. */
  | { readonly kind: 'in_doubt'; readonly reason: string }

/** What an answer may hold at most; the rest is not read. */
const LONGEST_ANSWER = 65_536

export function post({ url, method = 'POST', headers, body, agent, patience, signal }: PostRequest): Promise<PostEnd> {
  const send = url.startsWith('https:') ? tlsRequest : plainRequest
  return new Promise((resolve) => {
    const request = send(url, {
      method,
      agent,
      timeout: patience,
      headers: { ...headers, 'content-length': String(body.length), 'user-agent': 'mailmerge' },
    })
    const stop = (): void => void request.destroy(new Error('the run was stopped'))
    const ended = (end: PostEnd): void => {
      signal.removeEventListener('abort', stop)
      resolve(end)
    }
    // A body that was not handed to the system whole is shorter than its content-length says, which no server accepts (RFC 9112, 8).
    const broke = (error: Error): void =>
      ended({ kind: request.writableFinished ? 'in_doubt' : 'unsent', reason: systemWords(error) })
    request.on('error', broke)
    request.on('timeout', () => request.destroy(new Error('it does not answer in time')))
    request.on('response', (response) => {
      const chunks: Buffer[] = []
      let size = 0
      const answered = (): void => {
        const text = Buffer.concat(chunks).toString('utf8')
        const { statusCode = 0 } = response
        const { 'retry-after': retryAfter } = response.headers
        ended({ kind: 'answered', status: statusCode, retryAfter, body: text })
      }
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size <= LONGEST_ANSWER) chunks.push(chunk)
        else request.destroy()
      })
      // The status is the answer: where its explanation is cut off, it holds all the same.
      response.on('end', answered)
      response.on('error', answered)
      response.on('close', answered)
    })
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
    request.end(body)
  })
}
