/** Notices in the SQLite ledger. Owns their table. */
import type { Notices } from '../ledger.ts'
import type { NewNotice, NoticeWay, TakenNotice } from '../records.ts'
import * as sql from './queries.ts'
import { numberOf, type SqliteStore, textOf } from './store.ts'

export class NoticeStore implements Notices {
  readonly #store: SqliteStore

  constructor(store: SqliteStore) {
    this.#store = store
  }

  async expect(subject: string): Promise<void> {
    await this.#store.write(() => this.#store.run(sql.expectNotice, subject))
  }

  owed(): Promise<readonly string[]> {
    return this.#store.read(() => this.#store.all(sql.owedNotices).map((row) => textOf(row['subject'])))
  }

  async record(subject: string, notice: NewNotice | undefined): Promise<void> {
    await this.#store.write(() => {
      if (notice !== undefined) this.#store.run(sql.recordNotice, subject, notice.about, notice.facts)
      this.#store.run(sql.noNoticeOwed, subject)
    })
  }

  take(now: Date, until: Date, limit: number): Promise<readonly TakenNotice[]> {
    return this.#store.write(() =>
      this.#store.all(sql.takeNotices, now.getTime(), until.getTime(), limit).map((row) => ({
        subject: textOf(row['subject']),
        number: numberOf(row['number']),
        facts: textOf(row['facts']),
        given: [
          ...(row['mailed'] === 1 ? (['mail'] as const) : []),
          ...(row['posted'] === 1 ? (['webhook'] as const) : []),
        ],
      })),
    )
  }

  async given({ subject, number }: TakenNotice, way: NoticeWay): Promise<void> {
    const statement = way === 'mail' ? sql.noticeMailed : sql.noticePosted
    await this.#store.write(() => this.#store.run(statement, subject, number))
  }

  async close({ subject, number }: TakenNotice): Promise<void> {
    await this.#store.write(() => this.#store.run(sql.closeNotice, subject, number))
  }
}
