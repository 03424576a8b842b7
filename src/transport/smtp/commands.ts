/**
 * The envelope as commands, and why some messages must not be put to some servers. Owns the promise that no value of an
 * envelope becomes a command of its own.
 */
import type { Envelope, Message } from '../../message/message.ts'
import type { Reply } from '../transport.ts'
import type { Look } from './content.ts'
import type { Extensions } from './extensions.ts'

/** MAIL with the parameters that the server offers (RFC 1870, 6152, 6531). */
export function mailCommand({ envelope, size, eightBit, smtputf8 }: Message, extensions: Extensions): string {
  let command = `MAIL FROM:<${envelope.from}>`
  if (extensions.size) command += ` SIZE=${size}`
  if (eightBit && extensions.eightBitMime) command += ' BODY=8BITMIME'
  if (smtputf8 || isForeign(envelope)) command += ' SMTPUTF8'
  return `${command}\r\n`
}

export function rcptCommand(address: string): string {
  return `RCPT TO:<${address}>\r\n`
}

/** What this server cannot take at all, or nobody may be given: a refusal told without a word to the server. */
export function unfit(message: Message, look: Look, extensions: Extensions): Reply | undefined {
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
    return { code: 553, enhanced: '5.6.7', text: 'this server takes no international addresses (SMTPUTF8)' }
  if (message.eightBit && !extensions.eightBitMime && !message.smtputf8)
    return { code: 554, enhanced: '5.6.3', text: 'this server takes no 8-bit content (8BITMIME)' }
  if (look === 'impure') {
    const text = 'the composed message has a bare line break or a NUL in it, which must not go to any server'
    return { code: 554, enhanced: '5.6.0', text }
  }
  return undefined
}

/** The composer lets no such envelope through; this is the last fence. */
function envelopeFault({ from, to }: Envelope): string | undefined {
  if (from !== '' && isUnsafe(from)) return 'the envelope sender is no address'
  if (to.length === 0) return 'there is no recipient'
  return to.some((address) => address === '' || isUnsafe(address)) ? 'a recipient is no address' : undefined
}

/** Control characters and line breaks of any alphabet; brackets and white space outside a quoted local part. */
function isUnsafe(address: string): boolean {
  if (/[\u0000-\u001F\u007F-\u009F\u2028\u2029]/.test(address)) return true
  return /[<>\s]/.test(address) && !/^"(?:[^"\\]|\\.)*"@[^<>\s"]+$/.test(address)
}

function isForeign({ from, to }: Envelope): boolean {
  return /[^\u0000-\u007F]/.test(from) || to.some((address) => /[^\u0000-\u007F]/.test(address))
}
