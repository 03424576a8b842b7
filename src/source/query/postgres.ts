/** Queries on a PostgreSQL server, read through a cursor in a transaction that only reads. */
import { InputError, UnreachableError } from '../../errors.ts'
import { systemWords } from '../../fs/system-errors.ts'
import { type QueryResult, wrongQuery } from './result.ts'

/** Rows fetched with the first answer, which brings the columns. */
const FIRST = 500

export async function queryPostgres(query: string, address: string): Promise<QueryResult> {
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
    throw new UnreachableError(
      `the database server ${host} cannot be reached or refuses the login: ${systemWords(error)}`,
      {
        hint: 'Check the address under data: sql: database, and that the server runs.',
        cause: error,
      },
    )
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
    const first = await read(FIRST)
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
