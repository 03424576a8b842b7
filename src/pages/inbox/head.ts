/** The head of a message as a list of messages shows it. Owns reading it from the first bytes of a file, however broken they are. */
import { addressParser } from 'postal-mime'
import { decodeWords } from '../../message/encoded-words.ts'
import { readMessage, viewOf } from '../message/read.ts'

/** Bytes of a file that are read for it. */
export const HEAD_BYTES = 65_536

export interface MessageHead {
  /** As it is written: `Ada <ada@example.com>`. */
  readonly from: string
  readonly to: string
  /** Name of the first person it is for, or the address. */
  readonly who: string
  readonly subject: string
  /** With brackets; empty where there is none. */
  readonly messageId: string
  readonly hasAttachment: boolean
}

export function headOf(bytes: Uint8Array): MessageHead {
  const text = Buffer.from(bytes).toString('utf8')
  const end = /\r?\n\r?\n/.exec(text)?.index ?? text.length
  const fields = text.slice(0, end).replace(/\r?\n[ \t]+/g, ' ')
  const field = (name: string): string =>
    decodeWords(new RegExp(`^${name}:[ \\t]*(.*)$`, 'im').exec(fields)?.[1]?.trim() ?? '')
  const to = field('to')
  return {
    from: field('from'),
    to,
    who: whoIn(to),
    subject: field('subject'),
    messageId: field('message-id'),
    hasAttachment: hasAttachment(field('content-type'), text.slice(end)),
  }
}

function whoIn(to: string): string {
  const [first] = addressParser(to.slice(0, 2000))
  return first === undefined ? to : first.name || first.address || to
}

/** A part says so itself, or the message is a file and nothing else. */
function hasAttachment(type: string, body: string): boolean {
  if (/^content-disposition:\s*attachment/im.test(body)) return true
  return type !== '' && !/^(?:text\/|multipart\/)/i.test(type)
}

/** What an inbox shows after the subject, from the first bytes. */
export async function preheaderIn(bytes: Uint8Array): Promise<string> {
  try {
    return viewOf(await readMessage(bytes)).preheader
  } catch {
    return ''
  }
}
