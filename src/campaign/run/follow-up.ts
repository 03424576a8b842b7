/**
 * Follow-ups: a campaign for those who got an earlier one and have not answered, left or bounced since. Owns who is written
 * to again, when, and in which thread, and how earlier subjects are made again; asks the ledger each time, so that an answer
 * of the last minute counts.
 */

import type { Settings } from '../../config/settings.ts'
import { didYouMean } from '../../did-you-mean.ts'
import { UsageError } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { Campaign, DueRow, PriorMessage, RunRecord, SkipReason } from '../../ledger/records.ts'
import type { Earlier } from '../merge.ts'
import { restoreRow, type Thread } from '../plan/row-data.ts'
import { openRowTemplates, openTemplate, openVariants } from './content.ts'

/** What a row follows, or why nothing is to follow. */
export type Followed =
  | { readonly stop: SkipReason }
  | { readonly stop?: undefined; readonly notBefore?: Date; readonly thread: Thread }

export interface FollowUp {
  /** By recipient key; a key that is not in it was not in the earlier campaign. */
  find(keys: readonly string[]): Promise<ReadonlyMap<string, Followed>>
  /** Rows whose turn has come and that must not follow any more, by recipient, with the reason. */
  stopped(rows: readonly DueRow[]): Promise<ReadonlyMap<number, SkipReason>>
  /** Why a row that the earlier campaign did not have is skipped. */
  readonly absent: SkipReason
}

export interface FollowUpOptions {
  readonly ledger: Ledger
  /** Name of the earlier campaign. */
  readonly after: string
  /** Milliseconds from the earlier message to this one; undefined in a rehearsal, which waits for nothing. */
  readonly wait: number | undefined
  /** Subject of an earlier message that was not a follow-up itself. */
  readonly subjectOf: (prior: PriorMessage) => string
}

/** @throws UsageError for a campaign that was never sent. */
export async function openFollowUp({ ledger, after, wait, subjectOf }: FollowUpOptions): Promise<FollowUp> {
  const campaign = await ledger.campaigns.find(after)
  if (campaign === undefined) throw await unknownCampaign(ledger, after)
  const absent: SkipReason = { kind: 'follow-up', detail: `was not in ${after}` }
  const ask = (keys: readonly string[]): Promise<ReadonlyMap<string, PriorMessage>> =>
    ledger.results.deliveryHistory(campaign, keys)
  return {
    absent,
    async find(keys) {
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

/** The follow-up of a campaign that `ledger` knows. A rehearsal waits for nothing. */
export async function openFollowUpOf(
  settings: Settings,
  ledger: Ledger,
  { campaign: after, wait }: Earlier,
  { waits }: { readonly waits: boolean },
): Promise<FollowUp> {
  const subjectOf = await earlierSubjects(settings, await ledger.runs.find(undefined, after))
  return openFollowUp({ ledger, after, wait: waits ? wait : undefined, subjectOf })
}

/** The subjects of an earlier run, made again from its rows; none where its template is gone. */
async function earlierSubjects(
  settings: Settings,
  run: RunRecord | undefined,
): Promise<(prior: PriorMessage) => string> {
  if (run === undefined) return () => ''
  const name = run.options.template ?? run.template
  const { columns, options } = run
  const opened = await (options.templates === undefined
    ? Promise.all([openTemplate(name, settings), openVariants(name, settings, run.campaign.name)])
    : openRowTemplates(settings, { templateName: name, names: options.templates, columns }).then(
        (split) => [split.variants[0]?.template, split] as const,
      )
  ).catch(() => undefined)
  if (opened === undefined) return () => ''
  const [template, split] = opened
  return ({ row, data, variant, finishedAt }) => {
    const planned = (variant === undefined ? undefined : split?.named(variant)?.template) ?? template
    try {
      const { cells, others } = restoreRow(data)
      const rows = others && [cells, ...others.map(([, other]) => other)]
      const context = { row, campaign: run.campaign.name, now: finishedAt ?? run.startedAt, rows }
      return planned?.render(cells, context).subject ?? ''
    } catch {
      // The template changed since then and does not fit the row any more.
      return ''
    }
  }
}
