/** The head of a message as a list of messages shows it. Owns reading it from the first bytes of a file, however broken they are. */
import { addressParser } from 'postal-mime'
import { decodeWords } from '../../message/encoded-words.ts'
import { readMessage, viewOf } from '../message/read.ts'
import { folded } from './search.ts'

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
  /** Sender, recipients and subject as they are compared. */
  readonly words: { readonly from: string; readonly to: string; readonly subject: string }
  readonly hasAttachment: boolean
}

export function headOf(bytes: Uint8Array): MessageHead {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const end = endOfHead(buffer)
  const fields = buffer.toString('utf8', 0, end).replace(/\r?\n[ \t]+/g, ' ')
  const field = (name: keyof typeof FIELDS): string => kept(decodeWords(FIELDS[name].exec(fields)?.[1]?.trim() ?? ''))
  const [from, to, subject] = [field('from'), field('to'), field('subject')]
  return {
    ...{ from, to, subject },
    who: kept(whoIn(to)),
    messageId: field('id'),
    hasAttachment: hasAttachment(field('type'), () => buffer.toString('latin1', end)),
    words: { from: folded(from), to: folded(to), subject: folded(subject) },
  }
}

const FIELDS = {
  from: /^from:[ \t]*(.*)$/im,
  to: /^to:[ \t]*(.*)$/im,
  subject: /^subject:[ \t]*(.*)$/im,
  id: /^message-id:[ \t]*(.*)$/im,
  type: /^content-type:[ \t]*(.*)$/im,
} as const

/** What is kept of a field: a message to a thousand people is found by the first of them, or by its envelope. */
const LONGEST_FIELD = 1_000

/** Without the rest of the text that it was cut out of, which the engine would keep as long as the piece. */
function kept(text: string): string {
  return text === '' ? '' : Buffer.from(text.slice(0, LONGEST_FIELD)).toString('utf8')
}

function endOfHead(bytes: Buffer): number {
  const ends = [bytes.indexOf('\r\n\r\n'), bytes.indexOf('\n\n')].filter((at) => at >= 0)
  return ends.length === 0 ? bytes.length : Math.min(...ends)
}

function whoIn(to: string): string {
  const [first] = addressParser(to.slice(0, 2000))
  return first === undefined ? to : first.name || first.address || to
}

/** A part says so itself, or the message is a file and nothing else. */
function hasAttachment(type: string, body: () => string): boolean {
  if (/^multipart\//i.test(type) && /^content-disposition:\s*attachment/im.test(body())) return true
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
