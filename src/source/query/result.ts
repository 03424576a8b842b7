/** What the two databases give for a query. Owns that shape and the wording of a failed query. */
import { DataError, InputError } from '../../errors.ts'
import { systemWords } from '../../fs/system-errors.ts'

/** An open result; each batch comes as arrays in the order of the columns. */
export interface QueryResult {
  readonly name: string
  readonly stem: string
  readonly columns: readonly string[]
  next(count: number): Promise<readonly (readonly unknown[])[]>
  close(): Promise<void>
}

export function wrongQuery(name: string, error: unknown): Error {
  if (error instanceof DataError || error instanceof InputError) return error
  return new DataError(`the query on ${name} failed: ${systemWords(error)}`, {
    hint: 'Try the query in the database’s own shell; it may only read.',
    cause: error,
  })
}
