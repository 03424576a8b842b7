/** The result of a database query as a source of rows. Owns that the database is only read; never builds a query itself. */
import { existsSync } from 'node:fs'
import { basename, extname, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { DataError, InputError, UnreachableError } from '../errors.ts'
import { MAX_COLUMNS } from './header.ts'
import { createRowMaker, type RowMaker } from './row-maker.ts'
import type { Row, Source } from './source.ts'

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

/** An open result; each batch comes as arrays in the order of the columns. */
interface Result {
  readonly name: string
  readonly stem: string
  readonly columns: readonly string[]
  next(count: number): Promise<readonly (readonly unknown[])[]>
  close(): Promise<void>
}

async function* readRows(result: Result): AsyncGenerator<readonly Row[]> {
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

/** Octets are shown as text in no useful way; all else keeps its type. */
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

function querySqlite(query: string, database: string, cwd: string): Result {
  const path = resolve(cwd, database)
  if (!existsSync(path)) {
    throw new InputError(`there is no database ${database}`, { hint: 'Check the path under data: sql: database.' })
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

async function queryPostgres(query: string, address: string): Promise<Result> {
  const { Client } = await import('pg').then((module) => module.default)
  const { default: Cursor } = await import('pg-cursor')
  const { host, database, shown } = describeServer(address)
  // Numbers, dates and times as the server writes them: exact, and in its own zone.
  const types = { getTypeParser: (oid: number) => POSTGRES_TYPES.get(oid) ?? asText }
  const client = new Client({
    connectionString: address,
    connectionTimeoutMillis: 30_000,
    application_name: 'mailmerge',
    types,
  })
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (error) {
    throw new UnreachableError(`the database server ${host} cannot be reached or refuses the login: ${textOf(error)}`, {
      hint: 'Check the address under data: sql: database, and that the server runs.',
      cause: error,
    })
  }
  try {
    await client.query('BEGIN TRANSACTION READ ONLY')
    const cursor = client.query(new Cursor(query, [], { rowMode: 'array' }))
    const read = (count: number) =>
      new Promise<{ readonly rows: readonly (readonly unknown[])[]; readonly columns: readonly string[] }>(
        (done, fail) => {
          cursor.read(count, (error, rows, result) => {
            if (error instanceof Error) fail(wrongQuery(shown, error))
            else done({ rows, columns: (result?.fields ?? []).map((field) => field.name) })
          })
        },
      )
    const first = await read(BATCH)
    let ahead: readonly (readonly unknown[])[] | undefined = first.rows
    return {
      name: shown,
      stem: database,
      columns: first.columns,
      async next(count) {
        const rows = ahead ?? (await read(count)).rows
        ahead = undefined
        return rows
      },
      close: () => client.end(),
    }
  } catch (error) {
    await client.end().catch(() => {})
    throw wrongQuery(shown, error)
  }
}

function asText(value: string): string {
  return value
}

/** Types of PostgreSQL that templates use by their shape: boolean, small integers, json. */
const POSTGRES_TYPES: ReadonlyMap<number, (value: string) => unknown> = new Map<number, (value: string) => unknown>([
  [16, (value) => value === 't'],
  [21, Number],
  [23, Number],
  [114, (value) => JSON.parse(value)],
  [3802, (value) => JSON.parse(value)],
])

/** The server's address without what is secret in it. */
function describeServer(address: string): { readonly host: string; readonly database: string; readonly shown: string } {
  try {
    const url = new URL(address)
    const database = decodeURIComponent(url.pathname.slice(1)) || 'postgres'
    return { host: url.host, database, shown: `postgres://${url.host}/${database}` }
  } catch {
    throw new InputError('the database address cannot be read', {
      hint: 'It looks like postgres://user@host/database.',
    })
  }
}

function wrongQuery(name: string, error: unknown): Error {
  if (error instanceof DataError || error instanceof InputError) return error
  return new DataError(`the query on ${name} failed: ${textOf(error)}`, {
    hint: 'Try the query in the database’s own shell; it may only read.',
    cause: error,
  })
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
