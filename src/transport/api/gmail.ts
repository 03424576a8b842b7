/**
 * The Gmail API (developers.google.com/workspace/gmail/api/reference/rest/v1/users.messages/send). Owns its request and what its errors
 * mean, by their reasons (developers.google.com/workspace/gmail/api/guides/handle-errors).
 */
import type { ReplyCause } from '../../replies/cause.ts'
import { type Answer, errorOf, type MailApi, type Verdict, verdictByStatus, waitOf, wordsOf } from './api-transport.ts'

/** The largest upload that the reference page of the method names. */
const LARGEST = 36_700_160

/** Reasons that speak of the account, of its pace, or of how the program is registered. */
const LIMITS: Readonly<Record<string, ReplyCause>> = {
  dailyLimitExceeded: 'account-limit',
  quotaExceeded: 'account-limit',
  rateLimitExceeded: 'rate',
  userRateLimitExceeded: 'rate',
  RATE_LIMIT_EXCEEDED: 'rate',
}
const STOPS: Readonly<Record<string, string>> = {
  insufficientPermissions: 'Sign in again with a scope that may send: mailmerge login google',
  ACCESS_TOKEN_SCOPE_INSUFFICIENT: 'Sign in again with a scope that may send: mailmerge login google',
  accessNotConfigured: 'Enable the Gmail API in the Google Cloud project of the client id.',
  SERVICE_DISABLED: 'Enable the Gmail API in the Google Cloud project of the client id.',
  domainPolicy: 'Ask the administrator of the domain to allow the app.',
  failedPrecondition: 'Is Gmail on for this account?',
}
/** A wait longer than this is a limit of a day, and not of the pace. */
const LONG_MS = 3_600_000

export const gmail: MailApi = {
  largest: LARGEST,
  // The upload takes the message as it is, and more of it than the JSON form.
  send: { path: '/upload/gmail/v1/users/me/messages/send?uploadType=media', type: 'message/rfc822' },
  body: (message) => message,
  ask: '/gmail/v1/users/me/profile',
  verdict(answer): Verdict {
    const { status } = answer
    if (status >= 200 && status < 300) return accepted(answer)
    const words = wordsOf(answer)
    const reasons = reasonsOf(answer.body)
    const wait = waitOf(answer.retryAfter) ?? namedMoment(answer.body)
    if (status === 401) return verdictByStatus(answer, wait)
    const stop = reasons.map((reason) => STOPS[reason]).find((hint) => hint !== undefined)
    if (stop !== undefined && status < 500) return { kind: 'stop', said: words, hint: stop }
    const limit = reasons.map((reason) => LIMITS[reason]).find((cause) => cause !== undefined)
    if (limit === undefined && status !== 429) return verdictByStatus(answer, wait)
    const cause = wait !== undefined && wait > LONG_MS ? 'account-limit' : (limit ?? 'rate')
    return { kind: 'deferred', reply: { code: 450, text: words, service: { cause, wait } } }
  },
}

function accepted({ body }: Answer): Verdict {
  const id = idOf(body)
  const text = id === undefined ? 'accepted' : `accepted, id ${id}`
  return { kind: 'accepted', reply: { code: 250, text, service: {} } }
}

function idOf(body: string): string | undefined {
  try {
    const { id } = (JSON.parse(body) ?? {}) as { id?: unknown }
    return typeof id === 'string' && /^[\w-]{1,64}$/.test(id) ? id : undefined
  } catch {
    return undefined
  }
}

/** Reasons of the error, in the form of each version of the answer. */
function reasonsOf(body: string): readonly string[] {
  const { errors, details } = errorOf(body)
  return [errors, details]
    .flatMap((list) => (Array.isArray(list) ? (list as readonly { reason?: unknown }[]) : []))
    .map((one) => one?.reason)
    .filter((reason): reason is string => typeof reason === 'string')
}

/** Gmail names the end of a limit as a moment within its message: `Retry after 2026-11-28T12:00:00.000Z`. */
function namedMoment(body: string): number | undefined {
  const { message } = errorOf(body)
  const [moment] =
    /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z/.exec(typeof message === 'string' ? message.slice(0, 2000) : '') ??
    []
  return waitOf(moment)
}
