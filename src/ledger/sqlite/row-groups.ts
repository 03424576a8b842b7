/**
 * Rows of a list put together by their key: in a private SQLite file that is gone when it is closed, so that memory stays
 * flat and the list need not be sorted. Owns which rows share a key; never knows what becomes of them.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { OutputError } from '../../errors.ts'
import type { SkipReason } from '../records.ts'
import { numberOf, optionalNumber, optionalText, type SqlRow, textOf } from './store.ts'

/** One row as it is put in. */
export interface GroupedRow {
  readonly number: number
  readonly key: string
  /** Its own address, as far as its cells say it. */
  readonly address: string
  readonly line: number | undefined
  /** Cells as JSON. Empty for a row that is left out. */
  readonly data: string
  /** Problems as JSON, of a row that is bad. */
  readonly problems: string | undefined
  /** Why it is left out before rows are grouped: it belongs to no group then. */
  readonly skip: SkipReason | undefined
}

/** The rows of one key that are not left out. */
export interface RowGroup {
  readonly key: string
  /** Number of the first of them. */
  readonly first: number
  readonly rows: number
}

/** A row in its place in the list, without its cells. */
export interface PlacedRow extends Pick<GroupedRow, 'number' | 'key' | 'address'> {
  /** Why it is in no message, or its message is not sent. */
  readonly skip: SkipReason | undefined
  /** The first row of its group; undefined for a row that is in no group. */
  readonly first: number | undefined
  /** The row that begins its message: the first of the group unless that is left out. */
  readonly head: number | undefined
  /** Address of its message, where the cells do not say it. */
  readonly sentTo: string | undefined
  /** What was kept for it by `keep`. */
  readonly kept: string | undefined
}

const TABLES = `
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16000; PRAGMA locking_mode = EXCLUSIVE;
CREATE TABLE list_row (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL, address TEXT, line INTEGER, data TEXT NOT NULL, problems TEXT,
  skip_kind TEXT, skip TEXT) STRICT;
CREATE TABLE row_group (first INTEGER PRIMARY KEY, key TEXT NOT NULL, rows INTEGER NOT NULL) STRICT;
CREATE TABLE member (
  first INTEGER NOT NULL, id INTEGER NOT NULL, address TEXT, line INTEGER, data TEXT NOT NULL, problems TEXT,
  PRIMARY KEY (first, id)) STRICT, WITHOUT ROWID;
-- Only for groups and rows that are not like most.
CREATE TABLE message (first INTEGER PRIMARY KEY, head INTEGER NOT NULL, address TEXT NOT NULL) STRICT;
CREATE TABLE left_out (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
CREATE TABLE kept (id INTEGER PRIMARY KEY, value TEXT NOT NULL) STRICT;`

/** Sorted on the disk: groups are asked for in the order of their first rows, and then each finds its rows side by side. */
const GROUPS = `
INSERT INTO row_group SELECT min(id), key, count(*) FROM list_row WHERE skip_kind IS NULL GROUP BY key ORDER BY 1;
CREATE UNIQUE INDEX group_by_key ON row_group (key);
INSERT INTO member
SELECT g.first, r.id, r.address, r.line, r.data, r.problems FROM list_row AS r CROSS JOIN row_group AS g ON g.key = r.key
WHERE r.skip_kind IS NULL ORDER BY g.first, r.id`

const AT_ONCE = 32

export class RowGroups implements Disposable {
  readonly #database = new DatabaseSync('')
  readonly #statements = new Map<string, StatementSync>()
  #last = 0

  constructor() {
    explained(() => this.#database.exec(`${TABLES} BEGIN`))
  }

  add(rows: readonly GroupedRow[]): void {
    const many = rows.length - (rows.length % AT_ONCE)
    for (let at = 0; at < many; at += AT_ONCE) this.#insert(rows.slice(at, at + AT_ONCE))
    for (const row of rows.slice(many)) this.#insert([row])
    this.#last = rows.at(-1)?.number ?? this.#last
  }

  /** All rows are in: from now on there are groups. */
  end(): void {
    explained(() => this.#database.exec(`COMMIT; ${GROUPS}; BEGIN`))
  }

  /** Number of the last row; 0 where there is none. */
  get last(): number {
    return this.#last
  }

  /** Groups in the order of their first rows, after row `after` up to row `to`. */
  groupsIn(after: number, to: number): readonly RowGroup[] {
    const rows = this.#all(
      'SELECT first, key, rows FROM row_group WHERE first > ?1 AND first <= ?2 ORDER BY first',
      after,
      to,
    )
    return rows.map(groupOf)
  }

  /** The group that a row is in. */
  groupOf(number: number): RowGroup | undefined {
    const [found] = this.#all(
      `SELECT g.first, g.key, g.rows FROM list_row AS r JOIN row_group AS g ON g.key = r.key
       WHERE r.id = ?1 AND r.skip_kind IS NULL`,
      number,
    )
    return found === undefined ? undefined : groupOf(found)
  }

  /** The rows of a group, in their order. */
  rowsOf({ first, key }: RowGroup): readonly GroupedRow[] {
    return this.#all('SELECT id, address, line, data, problems FROM member WHERE first = ?1 ORDER BY id', first).map(
      (row) => ({
        number: numberOf(row['id']),
        key,
        address: optionalText(row['address']) ?? key,
        line: optionalNumber(row['line']),
        data: textOf(row['data']),
        problems: optionalText(row['problems']),
        skip: undefined,
      }),
    )
  }

  /** The rows after row `after` up to row `to`, in the order of the list. */
  rowsIn(after: number, to: number): readonly PlacedRow[] {
    return this.#all(
      `SELECT r.id, r.key, r.address, coalesce(r.skip_kind, o.kind) AS skip_kind, coalesce(r.skip, o.detail) AS skip,
         g.first, coalesce(m.head, g.first) AS head, m.address AS sent_to, k.value AS kept
       FROM list_row AS r
         LEFT JOIN row_group AS g ON g.key = r.key AND r.skip_kind IS NULL
         LEFT JOIN left_out AS o ON o.id = r.id LEFT JOIN message AS m ON m.first = g.first LEFT JOIN kept AS k ON k.id = r.id
       WHERE r.id > ?1 AND r.id <= ?2
       ORDER BY r.id`,
      after,
      to,
    ).map((row) => {
      const kind = optionalText(row['skip_kind']) as SkipReason['kind'] | undefined
      const key = textOf(row['key'])
      return {
        number: numberOf(row['id']),
        key,
        address: optionalText(row['address']) ?? key,
        skip: kind === undefined ? undefined : { kind, detail: textOf(row['skip']) },
        first: optionalNumber(row['first']),
        head: optionalNumber(row['head']),
        sentTo: optionalText(row['sent_to']),
        kept: optionalText(row['kept']),
      }
    })
  }

  /** Says why rows are left out. */
  leaveOut(numbers: Iterable<number>, { kind, detail }: SkipReason): void {
    for (const number of numbers) this.#run('INSERT OR REPLACE INTO left_out VALUES (?1, ?2, ?3)', number, kind, detail)
  }

  /** The same of all rows of a group. */
  leaveOutGroup(first: number, { kind, detail }: SkipReason): void {
    this.#run('INSERT OR REPLACE INTO left_out SELECT id, ?2, ?3 FROM member WHERE first = ?1', first, kind, detail)
  }

  /** The same of those that are not left out already: of those that are its message. */
  leaveOutMessage(first: number, { kind, detail }: SkipReason): void {
    this.#run('INSERT OR IGNORE INTO left_out SELECT id, ?2, ?3 FROM member WHERE first = ?1', first, kind, detail)
  }

  /** Says which row begins the message of a group, and where that goes. */
  begin(first: number, head: number, address: string): void {
    this.#run('INSERT OR REPLACE INTO message VALUES (?1, ?2, ?3)', first, head, address)
  }

  /** Keeps a value for the turn of a row. */
  keep(number: number, value: string): void {
    this.#run('INSERT OR REPLACE INTO kept VALUES (?1, ?2)', number, value)
  }

  [Symbol.dispose](): void {
    this.#statements.clear()
    if (this.#database.isOpen) this.#database.close()
  }

  #insert(rows: readonly GroupedRow[]): void {
    const values: SQLInputValue[] = []
    for (const { number, key, address, line, data, problems, skip } of rows) {
      values.push(number, key, address === key ? null : address, line ?? null)
      values.push(data, problems ?? null, skip?.kind ?? null, skip?.detail ?? null)
    }
    this.#run(`INSERT INTO list_row VALUES ${Array.from(rows, () => '(?, ?, ?, ?, ?, ?, ?, ?)').join(', ')}`, ...values)
  }

  #run(sql: string, ...values: SQLInputValue[]): void {
    explained(() => this.#prepared(sql).run(...values))
  }

  #all(sql: string, ...values: SQLInputValue[]): readonly SqlRow[] {
    return explained(() => this.#prepared(sql).all(...values))
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#database.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }
}

/** Nothing is in this file but what was put there: what goes wrong with it is the disk. */
function explained<T>(work: () => T): T {
  try {
    return work()
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause)
    throw new OutputError(`the rows cannot be grouped: the temporary file for them cannot be used: ${said}`, {
      cause,
      hint: 'Free some space, or name another folder for temporary files in the environment: SQLITE_TMPDIR=/path.',
    })
  }
}

function groupOf(row: SqlRow): RowGroup {
  return { key: textOf(row['key']), first: numberOf(row['first']), rows: numberOf(row['rows']) }
}
