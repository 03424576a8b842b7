/**
 * One connection to a ledger file: transactions, prepared statements, checkpoints, and its values as ours. Owns the rule that
 * after the first failure of the disk nothing is written any more; never knows tables.
 */
import { type Stats, statSync } from 'node:fs'
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { OutputError, UnfinishedError } from '../../errors.ts'
import { DAMAGE_HINT, explain, isBusy, isStorageFailure } from './storage-errors.ts'

/** Pages in the write-ahead log after which they are moved into the ledger: 8 MB. */
const CHECKPOINT_PAGES = 2000
/** Commits between two looks at the length of the log. */
const CHECKPOINT_COMMITS = 64
const LOCK_POLL_MS = 10

export interface StoreOptions {
  /** Milliseconds to wait for another process's lock. */
  readonly lockWait: number
  readonly readOnly: boolean
}

export class SqliteStore {
  readonly path: string
  readonly #database: DatabaseSync
  readonly #options: StoreOptions
  readonly #statements = new Map<string, StatementSync>()
  readonly #file: Stats
  /** The write-ahead log, once it was seen. */
  #log: Stats | undefined
  #rescue: () => void = () => {}
  #turn: Promise<unknown> = Promise.resolve()
  #failure: Error | undefined
  #commits = 0
  /** Called inside every transaction of `write`; throws when it must not go on. */
  #fence: (() => void) | undefined
  #holders: () => readonly string[] = () => []

  constructor(path: string, database: DatabaseSync, options: StoreOptions) {
    this.path = path
    this.#database = database
    this.#options = options
    this.#file = statSync(path)
  }

  fence(check: () => void): void {
    this.#fence = check
  }

  /** Called when the log was deleted and what it held is saved: the last that is ever written by this connection. */
  onRescue(rescue: () => void): void {
    this.#rescue = rescue
  }

  /** Names who may hold the lock, for the error's text. */
  nameHolders(holders: () => readonly string[]): void {
    this.#holders = holders
  }

  /**
   * Runs `work` in one transaction that is durable when this resolves. Transactions of one store follow each other.
   * @throws OutputError when the disk fails, then and ever after; UnfinishedError when another process keeps the lock.
   */
  write<T>(work: () => T): Promise<T> {
    return this.#inTurn(() => this.#transaction(work))
  }

  /**
   * The same for what may be lost in a power cut as long as nothing after it is kept: the disk is not waited for. The
   * next durable transaction carries it, since both are in one log.
   */
  draft<T>(work: () => T): Promise<T> {
    return this.#inTurn(async () => {
      this.#database.exec('PRAGMA synchronous = NORMAL')
      try {
        return await this.#transaction(work)
      } finally {
        if (this.#database.isOpen) this.#database.exec('PRAGMA synchronous = FULL')
      }
    })
  }

  /** Within a transaction: undoes what `work` wrote when it gives nothing. */
  attempt<T>(work: () => T | undefined): T | undefined {
    this.#database.exec('SAVEPOINT attempt')
    const result = work()
    this.#database.exec(result === undefined ? 'ROLLBACK TO attempt; RELEASE attempt' : 'RELEASE attempt')
    return result
  }

  /** Runs `work` outside of a transaction of ours: it may read only. */
  async read<T>(work: () => T): Promise<T> {
    const end = performance.now() + this.#options.lockWait
    for (;;) {
      this.#refuseWhenBroken()
      try {
        return work()
      } catch (error) {
        // A reader waits only while another process recovers the log after a crash.
        if (!isBusy(error) || performance.now() > end) throw this.#broken(error)
        await sleep(LOCK_POLL_MS)
      }
    }
  }

  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepared(sql).run(...values).changes)
  }

  get(sql: string, ...values: SQLInputValue[]): SqlRow | undefined {
    return this.#prepared(sql).get(...values)
  }

  all(sql: string, ...values: SQLInputValue[]): readonly SqlRow[] {
    return this.#prepared(sql).all(...values)
  }

  /** Moves the whole write-ahead log into the ledger and empties it, unless somebody reads. */
  truncateLog(): Promise<void> {
    return this.read(() => {
      this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    })
  }

  /** Runs statements that cannot be prepared or stand outside of a transaction. */
  exec(sql: string): void {
    this.#database.exec(sql)
  }

  close(): void {
    this.#failure ??= new OutputError(`the ledger ${this.path} is closed`)
    this.#statements.clear()
    if (this.#database.isOpen) this.#database.close()
  }

  #inTurn<T>(transaction: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(transaction)
    this.#turn = result.catch(() => {})
    return result
  }

  async #transaction<T>(work: () => T): Promise<T> {
    this.#refuseWhenBroken()
    if (this.#options.readOnly) throw new OutputError(`the ledger ${this.path} was opened for reading only`)
    try {
      this.#refuseWhenReplaced()
      this.#refuseWhenLogIsGone()
      await this.#begin()
      this.#fence?.()
      const result = work()
      this.run('COMMIT')
      this.#commits += 1
      if (this.#commits % CHECKPOINT_COMMITS === 0) this.#checkpoint()
      return result
    } catch (error) {
      this.#rollback()
      throw this.#broken(error)
    }
  }

  /** Takes the write lock. Waits in small steps, so that the event loop goes on meanwhile. */
  async #begin(): Promise<void> {
    const end = performance.now() + this.#options.lockWait
    for (;;) {
      try {
        this.run('BEGIN IMMEDIATE')
        return
      } catch (error) {
        if (!isBusy(error) || performance.now() > end) throw error
        await sleep(LOCK_POLL_MS)
        this.#refuseWhenBroken()
      }
    }
  }

  #rollback(): void {
    if (!this.#database.isOpen || !this.#database.isTransaction) return
    try {
      this.#database.exec('ROLLBACK')
    } catch (error) {
      // A disk that fails here leaves a transaction that cannot be trusted to be gone.
      this.#broken(error)
    }
  }

  /**
   * SQLite's own checkpoints hide a failing disk (they are tried again, when the kernel may have dropped the pages), so
   * it makes none and ours speak up.
   */
  #checkpoint(): void {
    const state = this.#database.prepare('PRAGMA wal_checkpoint(NOOP)').get()
    if (numberOf(state?.['log']) - numberOf(state?.['checkpointed']) < CHECKPOINT_PAGES) return
    this.#database.exec('PRAGMA wal_checkpoint(PASSIVE)')
  }

  /** The file under the name is no longer the one that was opened: what is written to it would be lost. */
  #refuseWhenReplaced(): void {
    const now = statSync(this.path, { throwIfNoEntry: false })
    if (now !== undefined && now.ino === this.#file.ino && now.dev === this.#file.dev) return
    throw new OutputError(`the ledger ${this.path} was ${now === undefined ? 'deleted' : 'replaced'} while in use`, {
      hint: 'Put the file back where it was, if there is a copy, before the next run: it records who was written to.',
    })
  }

  /**
   * Nobody finds commits in a log without a name. This connection still has it open, so that it can bring them into the
   * ledger, unless another log has taken its place.
   */
  #refuseWhenLogIsGone(): void {
    const now = statSync(`${this.path}-wal`, { throwIfNoEntry: false })
    this.#log ??= now
    if (this.#log === undefined || (now?.ino === this.#log.ino && now.dev === this.#log.dev)) return
    if (now === undefined) {
      this.#rescue()
      this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    }
    const saved = now === undefined ? '; what was recorded in it until now is saved' : ''
    throw new OutputError(`the log ${this.path}-wal of the ledger was deleted while in use${saved}`, {
      hint: 'Leave the files beside the ledger alone while mailmerge runs. The same command goes on; what was in flight is in doubt.',
    })
  }

  #refuseWhenBroken(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** The error to throw; a failure of the disk is kept and thrown ever after. */
  #broken(error: unknown): Error {
    const explained = explain(error, this.path)
    if (isStorageFailure(error) || explained instanceof OutputError) this.#failure ??= explained
    if (!isBusy(error)) return explained
    const holders = this.#holders().join(', ')
    return holders === ''
      ? explained
      : new UnfinishedError(`${explained.message}: ${holders}`, { hint: explained.hint ?? '', cause: error })
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

export type SqlRow = Record<string, SQLOutputValue>

export function numberOf(value: SQLOutputValue | undefined): number {
  if (typeof value === 'number') return value
  throw damaged('a number', value)
}

export function textOf(value: SQLOutputValue | undefined): string {
  if (typeof value === 'string') return value
  throw damaged('a text', value)
}

/** Every column of ours holds what was put there: anything else was put there by a failing disk. */
function damaged(expected: string, value: SQLOutputValue | undefined): OutputError {
  const found = value === null || value === undefined ? 'nothing' : typeof value
  return new OutputError(`the ledger is damaged: it holds ${found} where ${expected} belongs`, { hint: DAMAGE_HINT })
}

/** Milliseconds since 1970, or null. */
export function timeOf(date: Date | undefined): number | null {
  return date === undefined ? null : date.getTime()
}

/** Undefined for null. */
export function optionalNumber(value: SQLOutputValue | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined
}

export function optionalText(value: SQLOutputValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

export function optionalDate(value: SQLOutputValue | undefined): Date | undefined {
  return typeof value === 'number' ? new Date(value) : undefined
}
