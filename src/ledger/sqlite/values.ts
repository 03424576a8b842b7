/** Between SQLite's values and ours. Owns how times and absent values are kept; never knows tables. */
import type { SQLOutputValue } from 'node:sqlite'
import { DefectError } from '../../errors.ts'

export type SqlRow = Record<string, SQLOutputValue>

export function numberOf(value: SQLOutputValue | undefined): number {
  if (typeof value === 'number') return value
  throw new DefectError(`the ledger holds ${typeof value} where a number belongs`)
}

export function textOf(value: SQLOutputValue | undefined): string {
  if (typeof value === 'string') return value
  throw new DefectError(`the ledger holds ${typeof value} where a text belongs`)
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
