/** Between SQLite's values and ours. Owns how times and absent values are kept; knows no table. */
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

/** `{ [name]: value }`, or nothing for null. */
export function optionalNumber<Name extends string>(name: Name, value: SQLOutputValue | undefined) {
  return (typeof value === 'number' ? { [name]: value } : {}) as { readonly [K in Name]?: number }
}

export function optionalText<Name extends string>(name: Name, value: SQLOutputValue | undefined) {
  return (typeof value === 'string' ? { [name]: value } : {}) as { readonly [K in Name]?: string }
}

export function optionalDate<Name extends string>(name: Name, value: SQLOutputValue | undefined) {
  return (typeof value === 'number' ? { [name]: new Date(value) } : {}) as { readonly [K in Name]?: Date }
}
