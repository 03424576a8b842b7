/** Between SQLite's values and ours. Owns how times and absent values are kept; never knows tables. */
import type { SQLOutputValue } from 'node:sqlite'
import { OutputError } from '../../errors.ts'

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

export const DAMAGE_HINT =
  'It was left as it is. Put a copy from a backup in its place, or move it away; without it nobody knows who was written to.'

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
