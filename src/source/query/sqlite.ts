/** Queries on an SQLite file, opened for reading only. */
import { closeSync, existsSync, openSync, statSync } from 'node:fs'
import { basename, extname, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { InputError } from '../../errors.ts'
import { isSystemError, systemWords } from '../../fs/system-errors.ts'
import { type QueryResult, wrongQuery } from './result.ts'

export function querySqlite(query: string, database: string, cwd: string): QueryResult {
  const path = resolve(cwd, database)
  const hint = 'Check the path under data: sql: database.'
  if (!existsSync(path)) throw new InputError(`there is no database ${database}`, { hint })
  try {
    closeSync(openSync(path, 'r'))
    if (statSync(path).isDirectory()) throw new InputError(`${database} is a folder, not a database`, { hint })
  } catch (cause) {
    if (!isSystemError(cause)) throw cause
    throw new InputError(`the database ${database} cannot be read: ${systemWords(cause)}`, { hint, cause })
  }
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(path, { readOnly: true })
    const statement = db.prepare(query, { returnArrays: true, readBigInts: true })
    const columns = statement.columns().map((column) => column.name)
    // A big integer keeps its digits as text; the others are numbers again.
    const rows = statement.iterate() as Iterator<unknown> as Iterator<readonly unknown[]>
    const open = db
    return {
      name: database,
      stem: stemOf(database),
      columns,
      async next(count) {
        const batch: (readonly unknown[])[] = []
        try {
          while (batch.length < count) {
            const { done, value } = rows.next()
            if (done === true) break
            batch.push(value.map(smallNumber))
          }
        } catch (error) {
          throw wrongQuery(database, error)
        }
        return batch
      },
      async close() {
        if (open.isOpen) open.close()
      },
    }
  } catch (error) {
    if (db?.isOpen === true) db.close()
    throw wrongQuery(database, error)
  }
}

function smallNumber(value: unknown): unknown {
  return typeof value === 'bigint' && value === BigInt(Number(value)) && Number.isSafeInteger(Number(value))
    ? Number(value)
    : value
}

function stemOf(path: string): string {
  const base = basename(path)
  return base.slice(0, base.length - extname(base).length)
}
