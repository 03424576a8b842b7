/** A message as mailboxes on a disk keep it: Unix line ends, with the lines that a final delivery adds (RFC 5321 section 4.4). */
import type { Message } from '../message/message.ts'

/**
 * The bytes with LF for each CRLF. The message must be pure: no CR but in a CRLF.
 * @returns pieces in order; what many messages share is not copied twice at once.
 */
export function* unixLines(chunks: readonly Uint8Array[]): Generator<Buffer> {
  for (const chunk of chunks) {
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    if (buffer.includes(13)) yield Buffer.from(buffer.toString('latin1').replaceAll('\r', ''), 'latin1')
    else yield buffer
  }
}

/** `Return-Path` and `Delivered-To`, one for each recipient: without them nobody could tell whom it went to. */
export function deliveryLines({ envelope }: Message): string {
  return [`Return-Path: <${envelope.from}>`, ...envelope.to.map((address) => `Delivered-To: ${address}`), ''].join('\n')
}
