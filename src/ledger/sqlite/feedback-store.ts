/** What came back to us, in the SQLite ledger. Owns that a report is recorded once and shows in the results; suppresses nobody. */
import type { Feedback, FeedbackKind, MessageFeedback, SentMessage } from '../feedback.ts'
import * as sql from './queries.ts'
import { headOf } from './run-store.ts'
import { numberOf, type SqliteStore, textOf } from './store.ts'

/** The results show the kind of highest weight; those of weight 0 are not shown. */
const WEIGHT: Readonly<Record<FeedbackKind, number>> = {
  reply: 0,
  delivered: 0,
  auto_reply: 0,
  soft: 1,
  unsubscribe: 2,
  hard: 3,
  complaint: 4,
}

export class FeedbackStore implements Feedback {
  readonly #store: SqliteStore

  constructor(store: SqliteStore) {
    this.#store = store
  }

  findMessages(tokens: readonly string[]): Promise<ReadonlyMap<string, SentMessage>> {
    const found = new Map<string, SentMessage>()
    if (tokens.length === 0) return Promise.resolve(found)
    return this.#store.read(() => {
      for (const row of this.#store.all(sql.messagesByToken, JSON.stringify(tokens))) {
        found.set(textOf(row['token']), {
          recipient: numberOf(row['recipient']),
          messageId: textOf(row['message_id']),
          address: textOf(row['address']),
          campaign: textOf(row['campaign']),
          data: textOf(row['data']),
        })
      }
      return found
    })
  }

  add(feedback: readonly MessageFeedback[]): Promise<ReadonlySet<string>> {
    return this.#store.write(() => {
      const added = new Set<string>()
      for (const one of feedback) {
        const { fingerprint, recipient, person, kind, at, reason } = one
        const fresh = this.#store.run(sql.insertFeedback, fingerprint, recipient, person, kind, at.getTime(), reason)
        if (fresh === 0) continue
        added.add(fingerprint)
        this.#show(one)
      }
      return added
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

  mailboxPosition(mailbox: string): Promise<string | undefined> {
    return this.#store.read(() => {
      const row = this.#store.get(sql.getMeta, `mailbox ${mailbox}`)
      return row === undefined ? undefined : textOf(row['value'])
    })
  }

  async setMailboxPosition(mailbox: string, position: string): Promise<void> {
    await this.#store.write(() => this.#store.run(sql.setMeta, `mailbox ${mailbox}`, position))
  }

  /** A row shows the worst that came of it. */
  #show({ recipient, kind, reason }: MessageFeedback): void {
    if (WEIGHT[kind] === 0) return
    const shown = this.#store.get(sql.shownFeedback, recipient)?.['bounce_kind']
    const before = typeof shown === 'string' ? WEIGHT[shown as FeedbackKind] : 0
    if (WEIGHT[kind] >= before) this.#store.run(sql.showFeedback, recipient, kind, reason)
  }
}
