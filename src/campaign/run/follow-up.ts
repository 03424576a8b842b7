/**
 * Follow-ups: a campaign for those who got an earlier one and have not answered, left or bounced since. Owns who is written
 * to again, when, and in which thread; asks the ledger each time, so that an answer of the last minute counts.
 */

import { didYouMean } from '../../did-you-mean.ts'
import { UsageError } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { Campaign, DueRow, PriorMessage, SkipReason } from '../../ledger/records.ts'
import { type MarkedText, ownText } from '../../template/marked-text.ts'
import type { Rendered } from '../../template/template.ts'
import { restoreRow } from '../plan/row-data.ts'

/** What a message goes on with (RFC 5322 section 3.6.4). */
export interface Thread {
  /** Message-IDs, the first message of the thread first. */
  readonly references: readonly string[]
  /** Subject of the first message; empty where it cannot be told any more. */
  readonly subject: string
}

/** What a row follows, or why nothing is to follow. */
export type Followed =
  | { readonly stop: SkipReason }
  | { readonly stop?: undefined; readonly notBefore?: Date; readonly thread: Thread }

export interface FollowUp {
  /** By recipient key; a key that is not in it was not in the earlier campaign. */
  look(keys: readonly string[]): Promise<ReadonlyMap<string, Followed>>
  /** Rows whose turn has come and that must not follow any more, by recipient, with the reason. */
  stopped(rows: readonly DueRow[]): Promise<ReadonlyMap<number, SkipReason>>
  /** Why a row that the earlier campaign did not have is skipped. */
  readonly absent: SkipReason
  close(): Promise<void>
}

export interface FollowUpOptions {
  readonly ledger: Ledger
  /** Name of the earlier campaign. */
  readonly after: string
  /** Milliseconds from the earlier message to this one; without it nothing is waited for, as in a rehearsal. */
  readonly wait?: number
  /** Subject of an earlier message that was no follow-up itself. */
  readonly subjectOf: (prior: PriorMessage) => string
  readonly close: () => Promise<void>
}

/** @throws UsageError for a campaign that was never sent. */
export async function openFollowUp({ ledger, after, wait, subjectOf, close }: FollowUpOptions): Promise<FollowUp> {
  const campaign = await ledger.campaigns.find(after)
  if (campaign === undefined) throw await unknownCampaign(ledger, after)
  const absent: SkipReason = { kind: 'follow-up', detail: `was not in ${after}` }
  const ask = (keys: readonly string[]): Promise<ReadonlyMap<string, PriorMessage>> =>
    ledger.results.deliveryHistory(campaign, keys)
  return {
    absent,
    close,
    async look(keys) {
      const followed = new Map<string, Followed>()
      for (const [key, prior] of await ask(keys)) {
        const stop = stopOf(prior, campaign)
        if (stop !== undefined) followed.set(key, { stop })
        else if (prior.messageId !== undefined && prior.finishedAt !== undefined) {
          const notBefore = wait === undefined ? {} : { notBefore: new Date(prior.finishedAt.getTime() + wait) }
          followed.set(key, { ...notBefore, thread: threadOf(prior, prior.messageId, subjectOf) })
        }
      }
      return followed
    },
    async stopped(rows) {
      const messages = await ask(rows.map(({ key }) => key))
      const stopped = new Map<number, SkipReason>()
      for (const { recipient, key } of rows) {
        const prior = messages.get(key)
        const stop = prior === undefined ? absent : stopOf(prior, campaign)
        if (stop !== undefined) stopped.set(recipient, stop)
      }
      return stopped
    },
  }
}

/** Why nobody writes again; suppressions, which hold for every campaign, are asked elsewhere. */
function stopOf(prior: PriorMessage, { name }: Campaign): SkipReason | undefined {
  const detail = stopWords(prior, name)
  return detail === undefined ? undefined : { kind: 'follow-up', detail }
}

function stopWords({ status, bounce, answered }: PriorMessage, campaign: string): string | undefined {
  if (status === 'in_doubt') return `in doubt in ${campaign}`
  if (status !== 'sent') return `not sent in ${campaign}`
  if (answered) return `answered ${campaign}`
  switch (bounce) {
    case 'hard':
      return `bounced in ${campaign}`
    case 'soft':
      return `bounced for now in ${campaign}`
    case 'complaint':
      return `complained about ${campaign}`
    case 'unsubscribe':
      return `unsubscribed from ${campaign}`
    default:
      return undefined
  }
}

/** A follow-up of a follow-up goes on with the thread of the first message. */
function threadOf(prior: PriorMessage, messageId: string, subjectOf: FollowUpOptions['subjectOf']): Thread {
  const { thread } = restoreRow(prior.data)
  if (thread !== undefined) return { references: [...thread.references, messageId], subject: thread.subject }
  return { references: [messageId], subject: subjectOf(prior) }
}

/** The message in its thread; what the template says of thread and subject itself has the say. */
export function threaded(rendered: Rendered, { references, subject }: Thread): Rendered {
  const named = new Set(rendered.headers.map(([name]) => name.toLowerCase()))
  const headers: (readonly [string, MarkedText])[] = [...rendered.headers]
  if (!named.has('in-reply-to')) headers.push(['In-Reply-To', ownText(references.at(-1) ?? '')])
  if (!named.has('references')) headers.push(['References', ownText(references.join(' '))])
  if (rendered.subject.trim() !== '' || subject === '') return { ...rendered, headers }
  return { ...rendered, headers, subject: /^re:/i.test(subject) ? subject : `Re: ${subject}` }
}

async function unknownCampaign(ledger: Ledger, name: string): Promise<UsageError> {
  const names = [...new Set((await ledger.runs.list()).map(({ campaign }) => campaign.name))]
  return new UsageError(`there is no campaign '${name}' to follow`, {
    hint: didYouMean(
      name,
      names,
      names.length === 0 ? 'Nothing was sent from this project yet.' : 'mailmerge status lists the campaigns.',
    ),
  })
}
