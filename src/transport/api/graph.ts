/**
 * Microsoft Graph (learn.microsoft.com/graph/api/user-sendmail, the MIME form). Owns its request and what its errors mean, by their codes
 * (learn.microsoft.com/graph/errors and learn.microsoft.com/graph/throttling).
 */
import type { MailApiSettings } from '../../config/mail-api.ts'
import type { ReplyCause } from '../../replies/cause.ts'
import { errorOf, type MailApi, rejected, type Verdict, verdictByStatus, waitOf, wordsOf } from './api-transport.ts'

/** A request of 4 MB (learn.microsoft.com/graph/outlook-things-to-know-about-send-mail), of which base64 leaves three quarters. */
const LARGEST = 3 * 1024 * 1024

/** Of the message or its recipients. */
const OF_MESSAGE: Readonly<Record<string, ReplyCause | undefined>> = {
  ErrorInvalidRecipients: 'mailbox-unknown',
  ErrorMessageSizeExceeded: 'message-too-large',
  RequestEntityTooLarge: 'message-too-large',
  ErrorMimeContentInvalid: undefined,
  ErrorMimeContentInvalidBase64String: undefined,
}
const OF_SENDER: Readonly<Record<string, ReplyCause>> = {
  ErrorSendAsDenied: 'sender-not-allowed',
  ErrorExceededMessageLimit: 'account-limit',
  ErrorQuotaExceeded: 'account-limit',
  ErrorMessageSubmissionBlocked: 'account-blocked',
  ErrorAccountSuspend: 'account-blocked',
  ApplicationThrottled: 'rate',
  TooManyRequests: 'rate',
  ErrorServerBusy: 'rate',
  ErrorTooManyRequests: 'rate',
}
const STOPS: Readonly<Record<string, string>> = {
  ErrorAccessDenied: 'Give the app the permission Mail.Send, and sign in again: mailmerge login graph',
  Authorization_RequestDenied: 'Give the app the permission Mail.Send, and sign in again: mailmerge login graph',
  MailboxNotEnabledForRESTAPI: 'Has the account a mailbox in Exchange Online?',
  MailboxNotSupportedForRESTAPI: 'Has the account a mailbox in Exchange Online?',
  ErrorNonExistentMailbox: 'Check the address under transport.',
  ErrorInvalidUser: 'Check the address under transport.',
}

/** Only a signed-in person is `me`; a program with a token of its own names the mailbox. */
export function graphFor({ user, token }: MailApiSettings): MailApi {
  const mailbox = 'signIn' in token ? '/me' : `/users/${encodeURIComponent(user)}`
  return { ...GRAPH, send: { path: `${mailbox}/sendMail`, type: 'text/plain' }, ask: mailbox }
}

const GRAPH: Omit<MailApi, 'send' | 'ask'> = {
  largest: LARGEST,
  body: (message) => Buffer.from(message.toString('base64'), 'latin1'),
  verdict(answer): Verdict {
    const { status } = answer
    // 202 alone is its yes; it gives no id.
    if (status >= 200 && status < 300)
      return { kind: 'accepted', reply: { code: 250, text: `accepted (HTTP ${status})`, service: {} } }
    const words = wordsOf(answer)
    const wait = waitOf(answer.retryAfter)
    const code = codeOf(answer.body)
    if (status === 401) return verdictByStatus(answer, wait)
    const hint = STOPS[code]
    if (hint !== undefined) return { kind: 'stop', said: words, hint }
    const cause = OF_SENDER[code]
    if (cause === 'sender-not-allowed')
      return { kind: 'rejected', reply: { code: 550, text: words, service: { cause, wait } } }
    if (cause !== undefined) return { kind: 'deferred', reply: { code: 450, text: words, service: { cause, wait } } }
    if (Object.hasOwn(OF_MESSAGE, code) && status !== 413 && status !== 429) return rejected(words, OF_MESSAGE[code])
    return verdictByStatus(answer, wait)
  },
}

function codeOf(body: string): string {
  const { code } = errorOf(body)
  return typeof code === 'string' ? code : ''
}
