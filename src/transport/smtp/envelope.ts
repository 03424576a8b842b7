/**
 * The envelope of one message between a server and us: MAIL, RCPT, DATA and their replies. Owns what was asked, what was
 * answered, what may be asked next and what speaks against the message, and the promise that no value of an envelope becomes a
 * command of its own; writes nothing by itself.
 */
import type { DsnSettings } from '../../config/settings.ts'
import type { Envelope, Message } from '../../message/message.ts'
import type { Reply } from '../../replies/reply.ts'
import type { ContentScan } from '../line-endings.ts'
import type { Extensions } from './connect/extensions.ts'

/** A 4xx or 5xx to one message, and where it came. */
export interface Rejection {
  readonly stage: 'mail' | 'rcpt' | 'data' | 'end-of-data'
  readonly reply: Reply
}

export interface EnvelopeCommand {
  readonly kind: 'mail' | 'rcpt' | 'data'
  readonly command: string
}

/** Bytes of commands that may be unanswered at once, as Postfix's client limits itself. */
const GROUP_BYTES = 4096

export class EnvelopeState {
  readonly #message: Message
  #mailAsked = false
  #recipientsAsked = 0
  #dataAsked = false
  #outstanding = 0
  #mail: Reply | undefined
  /** In the order of the envelope. */
  readonly #recipients: Reply[] = []
  #data: Reply | undefined

  constructor(message: Message) {
    this.#message = message
  }

  /**
   * The next commands: one, or as many as may be unanswered at once. With copies, DATA waits for the word on the row's own
   * address: a message that is refused for that must not go to the copies.
   */
  next(grouped: boolean, extensions: Extensions, requests: EnvelopeRequests): readonly EnvelopeCommand[] {
    const group = this.#group(grouped, extensions, requests)
    this.#outstanding += group.length
    return group
  }

  #group(grouped: boolean, extensions: Extensions, requests: EnvelopeRequests): readonly EnvelopeCommand[] {
    const { to } = this.#message.envelope
    const group: EnvelopeCommand[] = []
    let bytes = 0
    const ask = (kind: EnvelopeCommand['kind'], command: string): void => {
      group.push({ kind, command })
      bytes += command.length
    }
    if (!this.#mailAsked) {
      this.#mailAsked = true
      ask('mail', mailCommand(this.#message, extensions, requests))
      if (!grouped) return group
    }
    // More than one transaction takes are left for others.
    const most = Math.min(to.length, extensions.maxRecipients ?? to.length)
    while (this.#recipientsAsked < most) {
      const command = rcptCommand(to[this.#recipientsAsked] ?? '', extensions, requests)
      if (bytes > 0 && bytes + command.length > GROUP_BYTES) return group
      this.#recipientsAsked++
      ask('rcpt', command)
      if (!grouped) return group
    }
    if (this.#recipients.length === most || (grouped && most === 1)) {
      this.#dataAsked = true
      ask('data', 'DATA\r\n')
    }
    return group
  }

  /** Takes the reply to the earliest command that has none; true when everything asked so far is answered. */
  answer(kind: EnvelopeCommand['kind'], reply: Reply): boolean {
    if (kind === 'mail') this.#mail = reply
    else if (kind === 'rcpt') this.#recipients.push(reply)
    else this.#data = reply
    return --this.#outstanding === 0
  }

  /** The server took the sender, and would find the next MAIL nested. */
  get opened(): boolean {
    return this.#mail !== undefined && this.#mail.code < 300
  }

  /** The server waits for content. */
  get invited(): boolean {
    return this.#data !== undefined && this.#data.code >= 300 && this.#data.code < 400
  }

  /** The first thing that speaks against the message: MAIL, the row's own address, or DATA. */
  get rejection(): Rejection | undefined {
    const mail = this.#mail
    if (mail !== undefined && mail.code >= 400) return { stage: 'mail', reply: mail }
    const [own] = this.#recipients
    if (own !== undefined && own.code >= 400) return { stage: 'rcpt', reply: own }
    const data = this.#data
    return data !== undefined && data.code >= 400 ? { stage: 'data', reply: data } : undefined
  }

  /** The replies to RCPT so far, in the order of the envelope. Those that the server's LIMITS leave out (RFC 9422) get none. */
  get recipients(): readonly Reply[] {
    return this.#recipients
  }

  /** Recipients that the server took. */
  get taken(): number {
    let count = 0
    for (const { code } of this.#recipients) if (code < 300) count++
    return count
  }

  /**
   * One last reply to a group is missing, and no 354 can still come to prove that the others are in their places. More than
   * one missing is a server that is slow or gone.
   */
  get lacksOneReply(): boolean {
    return this.#outstanding === 1 && (this.rejection !== undefined || !this.#dataAsked)
  }
}

/** What is asked of the server beyond taking the message. */
export interface EnvelopeRequests {
  /** Reports that are wanted (RFC 3461); asked for where the server offers DSN, as none else knows them. */
  readonly dsn?: DsnSettings
  /** TLS on the whole way to the mailbox (RFC 8689). */
  readonly requireTls?: boolean
}

/** MAIL with the parameters that the server offers (RFC 1870, 6152, 6531, 3461, 8689). */
export function mailCommand(message: Message, extensions: Extensions, requests: EnvelopeRequests = {}): string {
  const { envelope, size, eightBit, smtputf8, id } = message
  const { dsn, requireTls } = requests
  let command = `MAIL FROM:<${envelope.from}>`
  if (extensions.size) command += ` SIZE=${size}`
  if (eightBit && extensions.eightBitMime) command += ' BODY=8BITMIME'
  if (smtputf8 || isForeign(envelope)) command += ' SMTPUTF8'
  if (requireTls) command += ' REQUIRETLS'
  if (dsn !== undefined && extensions.dsn) command += `${RETURNS[dsn.return ?? 'default']}${envelopeId(id)}`
  return `${command}\r\n`
}

export function rcptCommand(address: string, extensions: Extensions, { dsn }: EnvelopeRequests = {}): string {
  if (dsn === undefined || !extensions.dsn) return `RCPT TO:<${address}>\r\n`
  const notify = dsn.notify === undefined ? '' : ` NOTIFY=${dsn.notify.join(',').toUpperCase()}`
  // What a report names is then the address of the list, wherever the message was forwarded to.
  const original = /^[\u0021-\u007E]{1,400}$/.test(address) ? ` ORCPT=rfc822;${xtext(address)}` : ''
  return `RCPT TO:<${address}>${notify}${original}\r\n`
}

const RETURNS = { default: '', full: ' RET=FULL', headers: ' RET=HDRS' } as const

/** The Message-ID without its brackets, by which a report can be recognized; 100 bytes at most. */
function envelopeId(messageId: string): string {
  const id = messageId.replace(/^<|>$/g, '')
  return /^[\u0021-\u007E]{1,100}$/.test(id) ? ` ENVID=${xtext(id)}` : ''
}

/** RFC 3461 section 4. */
function xtext(text: string): string {
  return text.replace(/[+=]/g, (sign) => (sign === '+' ? '+2B' : '+3D'))
}

/** Why this server cannot take a message at all, or no server may be given it: a rejection without a command to the server. */
export function unfit(
  message: Message,
  scan: ContentScan,
  extensions: Extensions,
  requests: EnvelopeRequests = {},
): Reply | undefined {
  const { envelope, size } = message
  const fault = envelopeFault(envelope)
  if (fault !== undefined) return { code: 553, enhanced: '5.1.3', text: fault }
  if (extensions.maxSize > 0 && size > extensions.maxSize) {
    const text = `the message has ${size} bytes, and this server takes at most ${extensions.maxSize}`
    return { code: 552, enhanced: '5.3.4', text }
  }
  if (!extensions.smtputf8 && (message.smtputf8 || isForeign(envelope)))
    return { code: 553, enhanced: '5.6.7', text: 'this server does not accept international addresses (SMTPUTF8)' }
  if (message.eightBit && !extensions.eightBitMime && !message.smtputf8)
    return { code: 554, enhanced: '5.6.3', text: 'this server does not accept 8-bit content (8BITMIME)' }
  if (requests.requireTls && !extensions.requireTls)
    return { code: 554, enhanced: '5.7.30', text: 'this server does not promise TLS on the whole way (REQUIRETLS)' }
  if (scan === 'impure') {
    const text = 'the composed message has a bare line break or a NUL in it, which must not go to any server'
    return { code: 554, enhanced: '5.6.0', text }
  }
  return undefined
}

/** The composer lets no such envelope through; this is the last fence. */
function envelopeFault({ from, to }: Envelope): string | undefined {
  if (from !== '' && isUnsafe(from)) return 'the envelope sender is not an address'
  if (to.length === 0) return 'there is no recipient'
  return to.some((address) => address === '' || isUnsafe(address)) ? 'a recipient is not an address' : undefined
}

/** Control characters and line breaks of any alphabet; brackets and white space outside a quoted local part. */
function isUnsafe(address: string): boolean {
  if (/[\u0000-\u001F\u007F-\u009F\u2028\u2029]/.test(address)) return true
  return /[<>\s]/.test(address) && !/^"(?:[^"\\]|\\.)*"@[^<>\s"]+$/.test(address)
}

function isForeign({ from, to }: Envelope): boolean {
  return /[^\u0000-\u007F]/.test(from) || to.some((address) => /[^\u0000-\u007F]/.test(address))
}
