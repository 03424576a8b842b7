/** What is said to a server: envelope commands and content. Owns the promise that no value becomes a command of its own. */
import type { Envelope, Message } from '../../message/message.ts'
import type { Extensions } from './extensions.ts'

export interface EnvelopeCommands {
  readonly mail: string
  readonly recipients: readonly string[]
  /** Octets of all. */
  readonly length: number
}

/** MAIL and RCPT with the parameters that the server offers (RFC 1870, 6152, 6531). */
export function envelopeCommands(
  { envelope, size, eightBit, smtputf8 }: Message,
  extensions: Extensions,
): EnvelopeCommands {
  let mail = `MAIL FROM:<${envelope.from}>`
  if (extensions.size) mail += ` SIZE=${size}`
  if (eightBit && extensions.eightBitMime) mail += ' BODY=8BITMIME'
  if (smtputf8) mail += ' SMTPUTF8'
  mail += '\r\n'
  const recipients = envelope.to.map((address) => `RCPT TO:<${address}>\r\n`)
  return { mail, recipients, length: mail.length + recipients.reduce((sum, command) => sum + command.length, 0) }
}

/** Why an envelope must not be said to any server. The composer lets none such through; this is the last fence. */
export function commandFault({ from, to }: Envelope): string | undefined {
  const unsafe = (address: string): boolean =>
    /[\u0000-\u001F\u007F]/.test(address) || (/[<>\s]/.test(address) && !/^".*"@[^<>\s]+$/.test(address))
  if (unsafe(from)) return 'the envelope sender is no address'
  if (to.length === 0) return 'there is no recipient'
  return to.some((address) => unsafe(address) || address === '') ? 'a recipient is no address' : undefined
}

const DOT = Buffer.from('.')

/**
 * Content as it goes over the wire (RFC 5321 section 4.5.2): a dot more before each line that begins with one, and every
 * line end CRLF, whatever was there: a bare CR or LF is how one message becomes two.
 */
export function dotStuffed(chunks: readonly Uint8Array[]): readonly Uint8Array[] {
  const out: Uint8Array[] = []
  let lineStart = true
  let lastCr = false
  for (const chunk of chunks) {
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let from = 0
    for (let at = 0; at < buffer.length; at++) {
      const octet = buffer[at]
      if (lastCr && octet !== 10) {
        // A CR alone: its line feed is put in.
        out.push(buffer.subarray(from, at), Buffer.from('\n'))
        from = at
        lineStart = true
      }
      if (octet === 10 && !lastCr) {
        out.push(buffer.subarray(from, at), Buffer.from('\r'))
        from = at
      }
      if (octet === 46 && lineStart) {
        out.push(buffer.subarray(from, at), DOT)
        from = at
      }
      lineStart = octet === 10
      lastCr = octet === 13
    }
    out.push(buffer.subarray(from))
  }
  if (lastCr) out.push(Buffer.from('\n'))
  else if (!lineStart) out.push(Buffer.from('\r\n'))
  return out.filter((chunk) => chunk.length > 0)
}
