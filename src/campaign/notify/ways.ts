/** The two ways of a notice: a signed POST, and a mail. Owns one try of each, and whether another could help. */
import { createHmac, hash } from 'node:crypto'
import type { NotifySettings, Settings } from '../../config/settings.ts'
import { MailmergeError, TurnedAwayError, UnreachableError } from '../../errors.ts'
import { systemWords, underlyingError } from '../../fs/system-errors.ts'
import { createAttachmentStore } from '../../message/attachment/attachment.ts'
import { createComposer } from '../../message/compose.ts'
import { answerWords } from '../../replies/reply.ts'
import { type NoticeFacts, noticeMail } from '../../report/notice.ts'
import { ownText } from '../../template/marked-text.ts'
import { makesDrafts, openTransport } from '../../transport/open.ts'
import { createSmtpTransport } from '../../transport/smtp/smtp-transport.ts'
import type { Outcome } from '../../transport/transport.ts'
import { sendingSettings } from '../accounts/accounts.ts'

/** A notice with the id that a receiver can tell a repetition by. */
export interface Notice {
  readonly id: string
  readonly facts: NoticeFacts
}

export type Try =
  | { readonly kind: 'given' }
  /** `again`: the reason may pass. */
  | { readonly kind: 'again' | 'refused'; readonly why: string }

/**
 * Posts the notice. The signature is the HMAC-SHA256, in hexadecimal, of the time in seconds, a full stop and the body.
 * A redirect is not followed: the body is for this server alone.
 */
export async function post(
  { url, secret }: NonNullable<NotifySettings['webhook']>,
  { id, facts }: Notice,
  now: Date,
  signal: AbortSignal,
): Promise<Try> {
  const body = JSON.stringify({ id, ...facts })
  const time = `${Math.floor(now.getTime() / 1000)}`
  const signature = createHmac('sha256', secret.reveal()).update(`${time}.${body}`).digest('hex')
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'mailmerge',
    'mailmerge-timestamp': time,
    'mailmerge-signature': `v1=${signature}`,
  }
  try {
    const response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal })
    const { status } = response
    await response.body?.cancel()
    if (status >= 200 && status < 300) return { kind: 'given' }
    if (status >= 300 && status < 400)
      return { kind: 'refused', why: `it answers ${status}, and redirects are not followed` }
    const passes = status >= 500 || status === 408 || status === 429
    return { kind: passes ? 'again' : 'refused', why: `it answers ${status}` }
  } catch (error) {
    return { kind: 'again', why: signal.aborted ? 'it does not answer in time' : reasonOf(error) }
  }
}

function reasonOf(error: unknown): string {
  const cause = underlyingError(error)
  return cause instanceof Error ? systemWords(cause) : 'it cannot be reached'
}

/** Mails the notice. One that may have arrived is not sent again. */
export async function mail(
  settings: Settings,
  { to, from, smtp }: NonNullable<NotifySettings['mail']>,
  { id, facts }: Notice,
  now: Date,
  signal: AbortSignal,
): Promise<Try> {
  try {
    const { subject, text } = noticeMail(facts)
    const message = await createComposer({
      attachments: createAttachmentStore({ root: settings.root }),
      boundarySeed: 'notice',
      root: settings.root,
    }).compose(
      {
        from: ownText(`mailmerge <${from}>`),
        to: ownText(to.join(', ')),
        subject,
        // RFC 3834: nothing answers it.
        headers: [['Auto-Submitted', ownText('auto-generated')]],
        text,
        attachments: [],
        inline: [],
      },
      {
        messageId: `<notice-${hash('sha256', id).slice(0, 32)}@${from.slice(from.lastIndexOf('@') + 1)}>`,
        date: now,
        recipient: to[0] ?? from,
      },
    )
    // Among drafts a notice would wait for a person.
    const server = smtp ?? (makesDrafts(settings) ? settings.smtp : undefined)
    const transport =
      server === undefined ? await openTransport(sendingSettings(settings)) : createSmtpTransport(server)
    try {
      const lane = await transport.open(signal)
      const cut = (): void => lane.abort()
      signal.addEventListener('abort', cut, { once: true })
      let left: { readonly message: typeof message } | undefined = { message }
      let outcome: Outcome | undefined
      const end = await lane.run({
        next() {
          const job = left
          left = undefined
          return job
        },
        begin: () => Promise.resolve(),
        end: (_, result) => {
          outcome = result
        },
      })
      signal.removeEventListener('abort', cut)
      return tryOf(outcome ?? { kind: 'unsent', reason: 'reason' in end ? end.reason : 'the connection ended' })
    } finally {
      await transport.close()
    }
  } catch (error) {
    if (!(error instanceof MailmergeError)) throw error
    const passes = error instanceof TurnedAwayError || error instanceof UnreachableError
    return {
      kind: passes ? 'again' : 'refused',
      why: signal.aborted ? 'the server does not answer in time' : error.message,
    }
  }
}

function tryOf(outcome: Outcome): Try {
  switch (outcome.kind) {
    case 'accepted':
      return { kind: 'given' }
    case 'in_doubt':
      return { kind: 'refused', why: `it may have arrived: ${outcome.reason}` }
    case 'unsent':
      return { kind: 'again', why: outcome.reason }
    case 'rejected':
    case 'deferred':
      return {
        kind: outcome.kind === 'rejected' ? 'refused' : 'again',
        why: answerWords(outcome.reply),
      }
  }
}
