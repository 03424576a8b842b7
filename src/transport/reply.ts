/**
 * The text of a server's reply as it may be shown to people. Owns its length and the removal of control characters.
 */

import { blankInvisible } from '../text/visible.ts'

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
