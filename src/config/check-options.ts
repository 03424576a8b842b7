/** Checks the options that a program hands in, so that a misspelt word is an error and never ignored. Owns the sentences. */
import { z } from 'zod'
import { didYouMean } from '../did-you-mean.ts'
import { UsageError } from '../errors.ts'

/** A schema for every key of a type, so that none is forgotten. */
export type SchemaOf<T> = Readonly<Record<keyof T, z.ZodType>>

/** A function of the caller's own. */
export const callback = z.custom<unknown>((value) => typeof value === 'function').optional()

const EXPECTED: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  date: 'a Date',
}

/**
 * @param what Who takes the options, for the sentence: `runMerge`.
 * @throws UsageError that names the option that does not exist or does not fit, and what it may be.
 */
export function checkOptions<T extends object>(what: string, shape: SchemaOf<T>, value: T): void {
  const read = z.strictObject(shape).safeParse(value)
  const [issue] = read.error?.issues ?? []
  if (issue !== undefined) throw wrong(what, issue, Object.keys(shape), value)
}

function wrong(what: string, issue: z.core.$ZodIssue, keys: readonly string[], value: unknown): UsageError {
  const name = issue.path.join('.')
  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys
    const unknown = [...issue.path, key].join('.')
    const hint = issue.path.length > 0 ? undefined : didYouMean(key, keys, `It takes ${keys.join(', ')}.`)
    return new UsageError(`${what} has no option '${unknown}'`, hint === undefined ? {} : { hint })
  }
  if (issue.code === 'invalid_value') {
    const allowed = issue.values.map(String)
    const given = valueAt(issue.path, value)
    const choices = `It is one of ${allowed.join(', ')}.`
    if (given === undefined) return new UsageError(`${what} needs the option '${name}'`, { hint: choices })
    const hint = `${typeof given === 'string' ? `${didYouMean(given, allowed, '')} ` : ''}${choices}`.trimStart()
    return new UsageError(`'${String(given)}' is not a valid ${name} for ${what}`, { hint })
  }
  const where = name === '' ? 'the options' : `the option '${name}'`
  if (issue.code === 'invalid_type') {
    return new UsageError(`${where} of ${what} must be ${EXPECTED[issue.expected] ?? issue.expected}`)
  }
  return new UsageError(`${where} of ${what} is not valid`)
}

function valueAt(path: readonly PropertyKey[], value: unknown): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], value)
}
