/**
 * The envelope as commands, and why some messages must not be put to some servers. Owns the promise that no value of an
 * envelope becomes a command of its own.
 */
import type { DsnSettings } from '../../config/settings.ts'
import type { Envelope, Message } from '../../message/message.ts'
import type { Reply } from '../../replies/reply.ts'
import type { ContentScan } from '../line-endings.ts'
import type { Extensions } from './connect/extensions.ts'

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

/** The Message-ID without its brackets, by which a report can be recognized; 100 octets at most. */
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
    const text = `the message has ${size} octets, and this server takes at most ${extensions.maxSize}`
    return { code: 552, enhanced: '5.3.4', text }
  }
  if (extensions.maxRecipients !== undefined && envelope.to.length > extensions.maxRecipients) {
    const text = `the message has ${envelope.to.length} recipients, and this server takes at most ${extensions.maxRecipients}`
    return { code: 550, enhanced: '5.5.3', text }
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
