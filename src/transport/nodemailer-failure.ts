/**
 * What an error of a nodemailer transport, an HTTP service or the AWS SDK says of the message. Owns the reading; an error
 * that proves neither a refusal nor that nothing was handed over leaves the message in doubt (RFC 1047).
 */

import { systemWords } from '../fs/system-errors.ts'
import { type Reply, readable, type Stage } from '../replies/reply.ts'
import type { Outcome } from './transport.ts'

export interface Failed {
  readonly outcome: Outcome
  /** Set when no further message has a chance now. */
  readonly stop?: { readonly kind: 'login' | 'away'; readonly reason: string }
}

interface Failure {
  readonly name?: string
  readonly message?: string
  readonly code?: unknown
  readonly syscall?: string
  readonly command?: string
  readonly response?: unknown
  readonly responseCode?: unknown
  readonly status?: unknown
  readonly statusCode?: unknown
  readonly $metadata?: { readonly httpStatusCode?: number }
}

/** Errors of the network before a connection stood. */
const BEFORE = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EDNS', 'EPROXY'])
const CREDENTIALS =
  /^(CredentialsProviderError|UnrecognizedClient|InvalidClientTokenId|SignatureDoesNotMatch|ExpiredToken)/
const THROTTLED = /Throttl|TooManyRequests|LimitExceeded|SendingPaused/i

export function failureOf(error: unknown): Failed {
  const failure = (typeof error === 'object' && error !== null ? error : { message: String(error) }) as Failure
  const reason = readable(systemWords(error)).slice(0, 500)
  const { code, name = '', syscall } = failure
  if (code === 'EAUTH' || code === 'ENOAUTH' || CREDENTIALS.test(name)) return stopped('login', reason)
  const smtp = Number(failure.responseCode)
  if (Number.isInteger(smtp) && smtp >= 400 && smtp < 600) return refused(smtp, failure, reason)
  const before = syscall === 'connect' || syscall === 'getaddrinfo' || code === 'ETLS' || BEFORE.has(String(code))
  if (before) return stopped('away', reason)
  if (code === 'EENVELOPE') return rejected({ code: 553, enhanced: '5.1.3', text: reason }, 'rcpt')
  const http = [failure.$metadata?.httpStatusCode, failure.statusCode, failure.status].find(
    (status) => typeof status === 'number' && status >= 400 && status < 600,
  )
  if (typeof http === 'number') return httpFailure(http, name, reason)
  return { outcome: { kind: 'in_doubt', reason: `handed over, and then: ${reason}` } }
}

function httpFailure(status: number, name: string, reason: string): Failed {
  if (status === 401 || status === 403) return stopped('login', reason)
  // 503 says that it was not dealt with (RFC 9110 section 15.6.4); other 5xx say nothing.
  if (status === 429 || status === 503 || (status < 500 && THROTTLED.test(name)))
    return deferred({ code: 451, enhanced: '4.7.0', text: `rate limit: ${reason}` }, 'end-of-data')
  if (status < 500 && status !== 408) return rejected({ code: 554, text: reason }, 'end-of-data')
  return { outcome: { kind: 'in_doubt', reason: `handed over, and answered with HTTP ${status}: ${reason}` } }
}

function refused(code: number, failure: Failure, reason: string): Failed {
  const said = readable(typeof failure.response === 'string' ? failure.response : '').trim()
  const [, enhanced, text = said] = /^\d{3}[ -](?:([245]\.\d{1,3}\.\d{1,3}) )?(.*)$/.exec(said) ?? []
  const reply: Reply = {
    code,
    // The class of an enhanced code must be that of the reply (RFC 2034 section 4).
    enhanced: enhanced?.[0] === String(code)[0] ? enhanced : undefined,
    text: text || reason,
  }
  const stage = stageOf(failure.command)
  // What is said before MAIL is said of us and not of the message.
  if (stage === 'connect') return stopped('away', `${code} ${reply.text}`)
  return code >= 500 ? rejected(reply, stage) : deferred(reply, stage)
}

function stageOf(command = ''): Stage {
  if (/^MAIL/i.test(command)) return 'mail'
  if (/^RCPT/i.test(command)) return 'rcpt'
  if (/^(CONN|EHLO|HELO|LHLO|STARTTLS)/i.test(command)) return 'connect'
  return 'end-of-data'
}

function stopped(kind: 'login' | 'away', reason: string): Failed {
  return { outcome: { kind: 'unsent', reason }, stop: { kind, reason } }
}

function rejected(reply: Reply, stage: Stage): Failed {
  return { outcome: { kind: 'rejected', stage, reply } }
}

function deferred(reply: Reply, stage: Stage): Failed {
  return { outcome: { kind: 'deferred', stage, reply } }
}
