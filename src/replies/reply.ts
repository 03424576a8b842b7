/**
 * A server's reply as the rest of the program sees it: its text in a form that may be shown to people, why it refuses, and
 * whether it is about how much is sent at once. Owns that reading; decides nothing.
 */
import { blankInvisible } from '../text/visible.ts'
import { causeOf, type ReplyCause } from './cause.ts'
import { namedWait } from './named-wait.ts'

/** Where in the dialogue a reply came (RFC 5321 sections 3.3 and 4.1). */
export type Stage = 'connect' | 'tls' | 'auth' | 'mail' | 'rcpt' | 'data' | 'end-of-data'

/** A server's reply: code, enhanced code (RFC 3463) where it gave one of the right class, and its text in one line. */
export interface Reply {
  readonly code: number
  readonly enhanced?: string | undefined
  readonly text: string
  /** Of a service that speaks no SMTP: `code` is then the class that its answer falls into, and shown to nobody. */
  readonly service?: ServiceAnswer | undefined
}

/** What a service says by values of its own, and not in words. */
export interface ServiceAnswer {
  readonly cause?: ReplyCause | undefined
  /** Milliseconds to wait, where it names them. */
  readonly wait?: number | undefined
}

/** What was answered, for people: `550 no such user`. */
export function answerWords({ code, text, service }: Reply): string {
  return service === undefined ? `${code} ${text}` : text
}

/** Milliseconds that an answer asks to wait; undefined where it names no time. */
export function askedWait({ text, service }: Reply): number | undefined {
  return service === undefined ? namedWait(text) : service.wait
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

/** The words of its cause; where neither code nor sentence says one, what was refused. */
export function reasonOf(reply: Reply, stage: Stage): string {
  return causeOf(reply)?.words ?? rejectedAt(reply.code, stage)
}

function rejectedAt(code: number, stage: Stage): string {
  if (code === 552) return 'message too large or mailbox full'
  if (code === 530) return 'login needed'
  switch (stage) {
    case 'mail':
      return 'sender refused'
    case 'rcpt':
      return 'recipient refused'
    case 'data':
    case 'end-of-data':
      return 'message refused'
    default:
      return 'refused'
  }
}

/** Asks for fewer messages in a time, by whatever code, and not only for fewer connections. */
export function speaksOfRate(reply: Reply): boolean {
  return reply.code >= 400 && causeOf(reply)?.cause === 'rate'
}

/**
 * About us and not about the recipient: it pauses the lanes, not the row. 421 is the server hanging up (RFC 5321 section 3.8),
 * 4.5.3 a limit of the connection.
 */
export function isThrottling(reply: Reply): boolean {
  if (reply.code < 400) return false
  const cause = causeOf(reply)?.cause
  if (cause === 'rate') return true
  if (reply.code >= 500) return false
  if (reply.enhanced === '4.5.3') return !/recipient/i.test(reply.text)
  return reply.code === 421 || cause === 'connection-limit' || cause === 'session-limit'
}

/** The server accepts no more messages on this connection: the next goes over a new one. */
export function endsSession(reply: Reply): boolean {
  if (reply.code >= 500) return false
  if (reply.enhanced === '4.5.3' || causeOf(reply)?.cause === 'session-limit') return true
  return /too many (messages|mails?|transactions)(?![^.;]{0,40}\b(second|minute|hour|day)\b)/i.test(reply.text)
}

/** Asks this client for fewer or slower messages: 4.3.2 and the policy codes of RFC 3463. */
export function asksForLess({ code, enhanced = '' }: Reply): boolean {
  return code < 500 && /^4\.(3\.2|7\.\d+)$/.test(enhanced)
}

/** A 421 that only reports a time without commands; it does not ask for less. */
export function hungUpOnIdle({ enhanced, text }: Reply): boolean {
  return enhanced === '4.4.2' || /time[d -]*out|\bidle\b/i.test(text)
}
