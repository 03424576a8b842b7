/** What came back to us, in SQLite. Owns that a report is taken once and shows in the results; suppresses nobody. */
import type { Feedback, FeedbackKind, FeedbackLedger, MessageFate, SentMessage } from '../feedback.ts'
import type { Campaign, RowStatus } from '../ledger.ts'
import * as sql from './queries.ts'
import { headOf } from './run-store.ts'
import type { SqliteStore } from './store.ts'
import { numberOf, optionalDate, optionalText, type SqlRow, textOf } from './values.ts'

/** What the results say of a row, the worst last; answers are no matter of the results. */
const WEIGHT: Readonly<Record<FeedbackKind, number>> = {
  reply: 0,
  delivered: 0,
  auto_reply: 0,
  soft: 1,
  unsubscribe: 2,
  hard: 3,
  complaint: 4,
}

export class FeedbackStore implements FeedbackLedger {
  readonly #store: SqliteStore

  constructor(store: SqliteStore) {
    this.#store = store
  }

  find(tokens: readonly string[]): Promise<ReadonlyMap<string, SentMessage>> {
    const found = new Map<string, SentMessage>()
    if (tokens.length === 0) return Promise.resolve(found)
    return this.#store.read(() => {
      for (const row of this.#store.all(sql.messagesByToken, JSON.stringify(tokens))) {
        found.set(textOf(row['token']), {
          recipient: numberOf(row['recipient']),
          messageId: textOf(row['message_id']),
          address: textOf(row['address']),
          campaign: textOf(row['campaign']),
        })
      }
      return found
    })
  }

  take(feedback: readonly Feedback[]): Promise<ReadonlySet<string>> {
    return this.#store.write(() => {
      const taken = new Set<string>()
      for (const one of feedback) {
        const { fingerprint, recipient, person, kind, at, reason } = one
        const fresh = this.#store.run(sql.insertFeedback, fingerprint, recipient, person, kind, at.getTime(), reason)
        if (fresh === 0) continue
        taken.add(fingerprint)
        this.#show(one)
      }
      return taken
    })
  }

  fates(campaign: Campaign, keys: readonly string[]): Promise<ReadonlyMap<string, MessageFate>> {
    return this.#store.read(() => {
      const rows = this.#store.all(sql.fatesOfKeys, campaign.id, JSON.stringify(keys))
      return new Map(rows.map((row) => [textOf(row['key']), fateOf(row)]))
    })
  }

  counts(runId: string): Promise<ReadonlyMap<FeedbackKind, number>> {
    return this.#store.read(() => {
      const { first, last, campaign } = headOf(this.#store, runId)
      const rows = this.#store.all(sql.countFeedback, first, last, campaign)
      return new Map(rows.map(({ kind, rows }) => [textOf(kind) as FeedbackKind, numberOf(rows)]))
    })
  }

  softBounces(person: string, since: Date): Promise<number> {
    return this.#store.read(() =>
      numberOf(this.#store.get(sql.countSoftBounces, person, since.getTime())?.['messages']),
    )
  }

  mailboxMark(mailbox: string): Promise<string | undefined> {
    return this.#store.read(() => {
      const row = this.#store.get(sql.getMeta, `mailbox ${mailbox}`)
      return row === undefined ? undefined : textOf(row['value'])
    })
  }

  async setMailboxMark(mailbox: string, mark: string): Promise<void> {
    await this.#store.write(() => this.#store.run(sql.setMeta, `mailbox ${mailbox}`, mark))
  }

  /** A row shows the worst that came of it. */
  #show({ recipient, kind, reason }: Feedback): void {
    if (WEIGHT[kind] === 0) return
    const shown = this.#store.get(sql.shownFeedback, recipient)?.['bounce']
    const before = typeof shown === 'string' ? WEIGHT[shown.split(':')[0] as FeedbackKind] : 0
    if (WEIGHT[kind] >= before) this.#store.run(sql.showFeedback, recipient, `${kind}: ${reason}`)
  }
}

function fateOf(row: SqlRow): MessageFate {
  return {
    status: textOf(row['status']) as RowStatus,
    row: numberOf(row['row']),
    data: textOf(row['data']),
    ...optionalText('variant', row['variant']),
    ...optionalText('messageId', row['message_id']),
    ...optionalDate('finishedAt', row['finished_at']),
    ...optionalText('bounce', row['bounce']),
    answered: numberOf(row['answered']) === 1,
  }
}
