/**
 * Mail services by their own HTTP interfaces as a transport: one message a request. Owns the token, what a broken request means for a
 * message, and that what is not about a message stops the run and fails none; what a service's answers mean is the service's own file.
 */
import { Agent as PlainAgent } from 'node:http'
import { Agent } from 'node:https'
import { type MailApiSettings, mailApiLanes } from '../../config/mail-api.ts'
import { LoginError, MailmergeError, UnfinishedError, UnreachableError } from '../../errors.ts'
import type { Message } from '../../message/message.ts'
import { signInToken } from '../../oauth/access-token.ts'
import type { ReplyCause } from '../../replies/cause.ts'
import { type Reply, readable } from '../../replies/reply.ts'
import type { Secret } from '../../secret.ts'
import { type Handed, oneByOne } from '../one-by-one.ts'
import type { Lane, Outcome, Transport } from '../transport.ts'
import { type PostEnd, post } from './post.ts'
import { addressedBytes } from './recipients.ts'

export type Answer = Extract<PostEnd, { readonly kind: 'answered' }>

/** What an answer means. */
export type Verdict =
  | { readonly kind: 'accepted'; readonly reply: Reply }
  /** About this message, or about the pace or the account: `reply.service` says which. */
  | { readonly kind: 'rejected' | 'deferred'; readonly reply: Reply }
  /** It failed while it had the message. */
  | { readonly kind: 'in_doubt'; readonly reason: string }
  /** The token is not good. */
  | { readonly kind: 'token'; readonly said: string }
  /** Nothing can be sent before a person did something. */
  | { readonly kind: 'stop'; readonly said: string; readonly hint: string }

/** A mail service. */
export interface MailApi {
  /** Bytes of a message at most. */
  readonly largest: number
  readonly send: { readonly path: string; readonly type: string }
  body(message: Buffer): Buffer
  verdict(answer: Answer): Verdict
  /** Something that may be asked and changes nothing. */
  readonly ask: string
}

/** Milliseconds that a service may take for a message. */
const PATIENCE_MS = 120_000

export function createApiTransport({ service, user, url, token }: MailApiSettings, api: MailApi): Transport {
  const name = `${service} ${user}`
  const agent = url.startsWith('https:') ? new Agent({ keepAlive: true }) : new PlainAgent({ keepAlive: true })
  let broken: MailmergeError | undefined

  /** A command is not run for every message: what it printed is used until the service refuses it. */
  let printed: Promise<Secret> | undefined
  const accessToken = (): Promise<Secret> => {
    if ('signIn' in token) return signInToken(token.signIn)
    printed ??= token.command()
    return printed
  }

  async function posted(body: Buffer, secret: Secret, signal: AbortSignal): Promise<PostEnd> {
    const headers = { authorization: `Bearer ${secret.reveal()}`, 'content-type': api.send.type }
    return post({ url: `${url}${api.send.path}`, headers, body, agent, patience: PATIENCE_MS, signal })
  }

  function refused(error: MailmergeError): Handed {
    broken = error
    return { outcome: { kind: 'unsent', reason: error.message }, lost: error.message }
  }

  /** A token that is refused is asked for once more: another program may have renewed it. */
  async function withToken(body: Buffer, signal: AbortSignal): Promise<Verdict | Exclude<PostEnd, Answer>> {
    const first = await accessToken()
    const end = await posted(body, first, signal)
    const verdict = end.kind === 'answered' ? api.verdict(end) : end
    if (verdict.kind !== 'token') return verdict
    printed = undefined
    const second = await accessToken()
    if (second.reveal() === first.reveal()) return verdict
    const again = await posted(body, second, signal)
    return again.kind === 'answered' ? api.verdict(again) : again
  }

  async function handOver(message: Message, _job: unknown, signal: AbortSignal): Promise<Handed> {
    if (message.size > api.largest) return { outcome: tooLarge(message.size, service, api.largest) }
    let end: Awaited<ReturnType<typeof withToken>>
    try {
      end = await withToken(api.body(addressedBytes(message)), signal)
    } catch (error) {
      // The token could not be had: the service has not heard of the message.
      if (error instanceof MailmergeError) return refused(error)
      throw error
    }
    switch (end.kind) {
      case 'accepted':
        return { outcome: { kind: 'accepted', reply: end.reply } }
      case 'rejected':
      case 'deferred':
        return { outcome: { kind: end.kind, stage: 'end-of-data', reply: end.reply } }
      case 'unsent':
      case 'in_doubt':
        return { outcome: end, lost: end.reason }
      case 'token':
        return refused(loginError(end.said))
      case 'stop':
        return refused(new UnfinishedError(`${name} sends nothing: ${end.said}`, { hint: end.hint }))
    }
  }

  function loginError(said: string): LoginError {
    const hint =
      'signIn' in token
        ? `Sign in again: mailmerge login ${token.signIn.provider.name} --user ${user}`
        : 'Check that tokenCommand prints a valid token for this service.'
    return new LoginError(`${name} refused the token: ${said}`, { hint })
  }

  return {
    name,
    maxLanes: mailApiLanes(service),
    async open(): Promise<Lane> {
      const before = broken
      // What a person must do is not done by trying again.
      if (before !== undefined && !(before instanceof UnreachableError)) throw before
      broken = undefined
      printed = undefined
      await accessToken()
      return oneByOne(handOver)
    },
    async verify() {
      const headers = { authorization: `Bearer ${(await accessToken()).reveal()}` }
      const asked = { url: `${url}${api.ask}`, method: 'GET', headers, body: Buffer.alloc(0), agent } as const
      const end = await post({ ...asked, patience: PATIENCE_MS, signal: new AbortController().signal })
      if (end.kind !== 'answered')
        throw new UnreachableError(`${name} cannot be reached: ${end.reason}`, { hint: 'Check the network.' })
      // A sign-in that may only send is not told about the mailbox (403): the token is good all the same.
      if (end.status === 401) throw loginError(wordsOf(end))
      if (end.status >= 500)
        throw new UnreachableError(`${name} cannot be used now: ${wordsOf(end)}`, { hint: 'Try again later.' })
      return {
        server: `${name} at ${new URL(url).host}`,
        secure: url.startsWith('https:'),
        authenticated: true,
        extensions: [],
      }
    },
    async close() {
      agent.destroy()
    },
  }
}

function tooLarge(size: number, service: string, largest: number): Outcome {
  const text = `${service} takes messages of ${largest} bytes, and this one has ${size}`
  return { kind: 'rejected', stage: 'data', reply: { code: 552, text, service: { cause: 'message-too-large' } } }
}

/** What an answer means by its status alone, where the service's own values say no more. */
export function verdictByStatus(answer: Answer, wait: number | undefined): Verdict {
  const { status } = answer
  const text = wordsOf(answer)
  if (status === 401) return { kind: 'token', said: text }
  if (status === 413) return rejected(text, 'message-too-large')
  if (status === 400) return rejected(text, undefined)
  if (status === 429) return { kind: 'deferred', reply: { code: 450, text, service: { cause: 'rate', wait } } }
  if (status === 503) return { kind: 'deferred', reply: { code: 451, text, service: { wait } } }
  if (status >= 500) return { kind: 'in_doubt', reason: `the service failed with ${text}` }
  return { kind: 'stop', said: text, hint: 'mailmerge verify says more; mailmerge resume continues.' }
}

export function rejected(text: string, cause: ReplyCause | undefined): Verdict {
  return { kind: 'rejected', reply: { code: 554, text, service: { cause } } }
}

/** What it says, in one line: the words of its error, or the status alone. */
export function wordsOf({ status, body }: Answer): string {
  const error = errorOf(body)
  const message = typeof error['message'] === 'string' ? error['message'] : ''
  const text = readable(message).trim()
  return text === '' ? `HTTP ${status}` : `HTTP ${status}: ${text}`
}

/** `error` of the JSON that both services answer with. */
export function errorOf(body: string): Readonly<Record<string, unknown>> {
  try {
    const { error } = (JSON.parse(body) ?? {}) as { error?: unknown }
    return typeof error === 'object' && error !== null ? (error as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

const DAY_MS = 86_400_000

/** Milliseconds of a Retry-After, in seconds or as a date (RFC 9110, 10.2.3), at most a day. */
export function waitOf(retryAfter: string | undefined, now = Date.now()): number | undefined {
  if (retryAfter === undefined) return undefined
  const wait = /^\d{1,9}$/.test(retryAfter.trim()) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - now
  return Number.isNaN(wait) ? undefined : Math.min(DAY_MS, Math.max(0, wait))
}
