/** The result of a database query as a source of rows. Owns that the database is only read; never builds a query itself. */
import { DataError } from '../../errors.ts'
import { MAX_COLUMNS } from '../header.ts'
import { createRowMaker, type Row, type RowMaker, type Source } from '../source.ts'
import { queryPostgres } from './postgres.ts'
import type { QueryResult } from './result.ts'
import { querySqlite } from './sqlite.ts'

const BATCH = 500

export interface Query {
  readonly query: string
  /** Path of an SQLite file, or a `postgres://` address. */
  readonly database: string
}

/** @throws InputError when the database is missing, UnreachableError when its server is, DataError for a wrong query. */
export async function openSql({ query, database }: Query, cwd: string): Promise<Source> {
  const server = /^postgres(ql)?:/.test(database)
  const result = server ? await queryPostgres(query, database) : querySqlite(query, database, cwd)
  const { name, stem, columns } = result
  try {
    checkColumns(name, columns)
  } catch (error) {
    await result.close()
    throw error
  }
  return { name, stem, columns, notes: [], rows: () => readRows(result) }
}

async function* readRows(result: QueryResult): AsyncGenerator<readonly Row[]> {
  const make: RowMaker = createRowMaker(result.columns)
  let number = 0
  try {
    for (;;) {
      const records = await result.next(BATCH)
      if (records.length === 0) return
      yield records.map((cells) => ({ number: ++number, data: make(cells.map(cellOf)) }))
    }
  } finally {
    await result.close()
  }
}

/** Bytes are shown as text in no useful way; all else keeps its type. */
function cellOf(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  return typeof value === 'bigint' ? `${value}` : value
}

function checkColumns(name: string, columns: readonly string[]): void {
  const twice = columns.find((column, i) => columns.indexOf(column) !== i)
  if (twice !== undefined) {
    throw new DataError(`the query of ${name} gives the column '${twice}' twice`, {
      hint: `Give one of them another name: SELECT ... AS ${twice}2`,
    })
  }
  if (columns.length === 0 || columns.length > MAX_COLUMNS) {
    throw new DataError(`the query of ${name} gives ${columns.length} columns`, {
      hint: `A list comes from a SELECT with 1 to ${MAX_COLUMNS} columns.`,
    })
  }
}
