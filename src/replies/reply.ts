/**
 * A server's reply as the rest of the program sees it, and its text in a form that may be shown to people. Owns the length of
 * that text and the removal of control characters.
 */
import { blankInvisible } from '../text/visible.ts'

/** Where in the dialogue a reply came (RFC 5321 sections 3.3 and 4.1). */
export type Stage = 'connect' | 'tls' | 'auth' | 'mail' | 'rcpt' | 'data' | 'end-of-data'

/** A server's reply: code, enhanced code (RFC 3463) where it gave one of the right class, and its text in one line. */
export interface Reply {
  readonly code: number
  readonly enhanced?: string | undefined
  readonly text: string
}

const MAX_TEXT = 500
const PLAIN = /^[\u0020-\u007E]*$/

/** A server's text for people: UTF-8 where it is, no control characters, not too long. */
export function readable(text: string): string {
  if (text.length <= MAX_TEXT && PLAIN.test(text)) return text
  let decoded = text
  if (/[\u0080-\u00FF]/.test(text) && !/[^\u0000-\u00FF]/.test(text)) {
    const utf8 = Buffer.from(text, 'latin1').toString('utf8')
    decoded = utf8.includes('\uFFFD') ? text : utf8
  }
  const safe = blankInvisible(decoded)
  return safe.length > MAX_TEXT ? `${safe.slice(0, MAX_TEXT - 3)}...` : safe
}
