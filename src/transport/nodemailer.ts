/**
 * Any transport of nodemailer behind our seam. Owns what its answers and errors mean: it does not say whether a message
 * was handed over, so whatever does not prove the contrary is in doubt.
 */
import { domainToASCII } from 'node:url'
import { createTransport, type Transport as Plugin, type Transporter, type TransportOptions } from 'nodemailer'
import { ConfigError, LoginError, type MailmergeError, UnreachableError } from '../errors.ts'
import { systemWords } from '../fs/system-errors.ts'
import type { Message } from '../message/message.ts'
import { type Reply, readable, type Stage } from '../replies/reply.ts'
import { type Handed, oneByOne } from './one-by-one.ts'
import type { CopyOutcome, Lane, Outcome, Transport } from './transport.ts'

/** What nodemailer's `createTransport` takes, or a transporter that it made. */
export type NodemailerPlugin = Plugin | TransportOptions | Pick<Transporter, 'sendMail'>

export interface NodemailerOptions {
  /** For people, without secrets. */
  readonly name: string
  readonly plugin: NodemailerPlugin
}

/** What transports say of a message that they took; each of them only some of it. */
interface Info {
  readonly response?: unknown
  readonly messageId?: unknown
  readonly rejected?: unknown
  readonly rejectedErrors?: unknown
}

export function createNodemailerTransport({ name, plugin }: NodemailerOptions): Transport {
  const transporter = 'sendMail' in plugin ? (plugin as Transporter) : createTransport(plugin as Plugin)
  transporter.use('stream', (mail, done) => done(strayRecipient(mail.data['envelope'], mail.message?.getEnvelope().to)))
  let broken: MailmergeError | undefined
  let proven = false

  async function handOver(message: Message): Promise<Handed> {
    const { envelope, chunks } = message
    try {
      const info = (await transporter.sendMail({
        // Structured, so that nothing reads an address of a row as a list of them.
        envelope: { from: envelope.from, to: envelope.to.map((address) => ({ name: '', address })) },
        raw: Buffer.concat(chunks),
        disableFileAccess: true,
        disableUrlAccess: true,
      })) as Info
      return { outcome: outcomeOf(info, message) }
    } catch (error) {
      const { outcome, stop } = failureOf(error)
      if (stop === undefined) return { outcome }
      broken =
        stop.kind === 'login'
          ? new LoginError(`${name} refused the login: ${stop.reason}`, {
              hint: 'Check its credentials. It was tried once; nothing was sent.',
            })
          : new UnreachableError(`${name} cannot be reached: ${stop.reason}`, { hint: 'Check its settings.' })
      return { outcome, lost: broken.message }
    }
  }

  return {
    name,
    async open(): Promise<Lane> {
      const before = broken
      // A refused login stays refused; a server that was away may be back.
      if (before instanceof LoginError) throw before
      broken = undefined
      if (before !== undefined) throw before
      // A wrong host or login is found before a message waits for it. Others have no way to try that sends nothing.
      if (!proven && isSmtp(transporter)) {
        await verified(transporter, name).catch((error: unknown) => {
          if (error instanceof LoginError) broken = error
          throw error
        })
      }
      proven = true
      return oneByOne(handOver)
    },
    async verify() {
      const authenticated = typeof transporter.verify === 'function' && (await verified(transporter, name))
      return { server: name, secure: true, tls: 'as the transport has it', authenticated, extensions: [] }
    },
    async close() {
      if (typeof transporter.close === 'function') transporter.close()
    },
  }
}

function isSmtp({ transporter }: { readonly transporter?: unknown }): boolean {
  const { name } = (transporter ?? {}) as { readonly name?: unknown }
  return typeof name === 'string' && name.startsWith('SMTP')
}

async function verified(transporter: Transporter, name: string): Promise<boolean> {
  try {
    await transporter.verify()
    return true
  } catch (error) {
    const { stop, outcome } = failureOf(error)
    const reason = stop?.reason ?? ('reply' in outcome ? outcome.reply.text : outcome.reason)
    if (stop?.kind === 'login')
      throw new LoginError(`${name} refused the login: ${reason}`, { hint: 'Check its credentials.' })
    // Plugins without a way to verify say so by an error of nodemailer's own.
    if (/not support|not implemented|unable to verify/i.test(reason)) return false
    throw new UnreachableError(`${name} cannot be used: ${reason}`, { hint: 'Check its settings.' })
  }
}

/** Stops a message whose recipients are not those that it has: the last fence before another program's code. */
function strayRecipient(wanted: unknown, found: unknown): Error | undefined {
  const to = ((wanted as { to?: readonly { address: string }[] } | undefined)?.to ?? []).map(({ address }) =>
    bare(address),
  )
  const actual = (Array.isArray(found) ? found : []).map((address) => bare(String(address)))
  if (to.length === actual.length && to.every((address, at) => address === actual[at])) return undefined
  return Object.assign(new Error('an address was changed on its way'), { responseCode: 553, command: 'RCPT TO' })
}

function bare(address: string): string {
  const at = address.lastIndexOf('@')
  const domain = address.slice(at + 1)
  return `${address.slice(0, at)}@${(domainToASCII(domain) || domain).toLowerCase()}`
}

function outcomeOf(info: Info, { envelope }: Message): Outcome {
  const reply = acceptance(info)
  const rejected = new Set((Array.isArray(info.rejected) ? info.rejected : []).map((address) => bare(String(address))))
  if (rejected.size === 0) return { kind: 'accepted', reply }
  const errors = Array.isArray(info.rejectedErrors) ? (info.rejectedErrors as readonly { recipient?: unknown }[]) : []
  const copies: CopyOutcome[] = []
  for (const [at, address] of envelope.to.entries()) {
    if (!rejected.has(bare(address))) continue
    const error = errors.find(({ recipient }) => bare(String(recipient)) === bare(address))
    const { outcome } = failureOf(
      error ?? { responseCode: 550, response: '550 the recipient was refused', command: 'RCPT TO' },
    )
    if (outcome.kind !== 'rejected' && outcome.kind !== 'deferred') continue
    if (at === 0) return outcome
    copies.push({ address, reply: outcome.reply })
  }
  return { kind: 'accepted', reply, copies }
}

/** The words of the server where there are some; a transport that speaks no SMTP has no code. */
function acceptance({ response, messageId }: Info): Reply {
  const text = readable(typeof response === 'string' ? response : '').trim()
  const parts = /^(2\d\d)[ -](?:(2\.\d{1,3}\.\d{1,3}) )?(.*)$/.exec(text)
  if (parts === null) return { code: 250, text: text || readable(String(messageId ?? 'taken')) }
  const [, code, enhanced, rest = ''] = parts
  return { code: Number(code), enhanced, text: rest }
}

/** @throws ConfigError for a plugin that is none. */
export function asPlugin(found: unknown, name: string): NodemailerPlugin {
  if (typeof found === 'object' && found !== null) {
    if ('sendMail' in found && typeof found.sendMail === 'function') return found as Transporter
    if ('send' in found && typeof found.send === 'function') return found as unknown as Plugin
    if (['host', 'url', 'service', 'SES', 'sendmail', 'streamTransport', 'jsonTransport'].some((key) => key in found))
      return found as TransportOptions
  }
  throw new ConfigError(`${name} does not export a transport`, {
    hint: 'It must export a nodemailer transport (an object with send), or a function that returns one.',
  })
}

/** What became of a message that was not taken. */
interface Failed {
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
/** The code by which a mail server says that it gets more than it wants (IANA's registry of enhanced status codes). */
const TOO_FAST = '4.7.28'
const THROTTLED = /Throttl|TooManyRequests|LimitExceeded|SendingPaused/i

/**
 * What an error of a nodemailer transport, an HTTP service or the AWS SDK says of the message. One that proves neither a refusal
 * nor that nothing was handed over leaves the message in doubt (RFC 1047).
 */
function failureOf(error: unknown): Failed {
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
    return deferred({ code: 451, enhanced: TOO_FAST, text: reason }, 'end-of-data')
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
