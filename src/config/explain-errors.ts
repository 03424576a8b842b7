/** What is wrong with a setting, in words. Owns the sentences; never shows a value that may be a secret. */
import type { z } from 'zod'
import { nearest } from '../did-you-mean.ts'
import { keysAt } from './keys.ts'

export interface WrongSetting {
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly hint: string | undefined
}

/** Words of other tools, and where the same thing is here. */
const OTHER_WORDS: Readonly<Record<string, string>> = {
  'smtp.auth': 'smtp.user, and MAILMERGE_SMTP_PASSWORD or smtp.passwordCommand',
  'smtp.pass': 'smtp.password',
  'smtp.username': 'smtp.user',
  'smtp.secure': 'smtp.security: tls',
  'smtp.ssl': 'smtp.security: tls',
  'smtp.tls': 'smtp.security: tls, or starttls',
  'smtp.requireTLS': 'smtp.security: starttls',
  'smtp.server': 'smtp.host',
  'smtp.ignoreTLS': 'smtp.security: none',
  'smtp.rejectUnauthorized': 'smtp.verifyCertificate',
  list: 'csv or data',
  source: 'data',
  from: "message.from, or the template's own from",
  subject: "message.subject, or the template's own subject",
  rates: 'rate',
  retry: 'retryFor',
}

const SECRET = /password|secret|token|oauth|url|proxy|database|ledger/i

const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a group of settings',
  record: 'a group of names and values',
}

/** Each thing that a schema found wrong with `data`. */
export function wrongSettings(error: z.ZodError, data: unknown): readonly WrongSetting[] {
  return error.issues.flatMap((issue) => explain(issue, data))
}

function explain(issue: z.core.$ZodIssue, data: unknown): readonly WrongSetting[] {
  const { path } = issue
  const name = path.join('.') || 'the config'
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey([...path, key]))
    case 'invalid_type':
      return [{ path, message: `${name} must be ${typeWords(issue.expected)}${found(path, data)}`, hint: undefined }]
    case 'invalid_value': {
      const allowed = issue.values.map(String)
      const guess = nearest(String(valueAt(path, data)), allowed)
      const group = typeof valueAt(path, data) === 'object' ? OTHER_WORDS[name] : undefined
      const near = guess === undefined ? undefined : `Did you mean ${guess}?`
      const hint = group === undefined ? near : `Here it is ${group}.`
      return [{ path, message: `${name} must be ${orList(allowed)}${found(path, data)}`, hint }]
    }
    case 'too_small':
    case 'too_big':
      return [{ path, message: `${name} must be ${boundWords(issue)}${found(path, data)}`, hint: undefined }]
    case 'invalid_key':
      // The name of the entry is wrong, whatever is in it.
      return issue.issues.map(({ message }) => ({ path, message: `${name}: the name ${message}`, hint: undefined }))
    case 'invalid_union':
      return explainUnion(issue, data)
    default: {
      // A sentence of the schema, and behind it what to write instead.
      const [, what = issue.message, hint] = /^(.*?)\. (.*)$/s.exec(issue.message) ?? []
      return [{ path, message: `${name} ${what}${found(path, data)}`, hint }]
    }
  }
}

/** The branch that comes nearest speaks: one that understood the type, else all their types together. */
function explainUnion(issue: z.core.$ZodIssueInvalidUnion, data: unknown): readonly WrongSetting[] {
  const { path } = issue
  const branches = issue.errors.map((issues) => issues.map((inner) => ({ ...inner, path: [...path, ...inner.path] })))
  const understood = branches.find(
    (issues) => !issues.some((inner) => inner.code === 'invalid_type' && inner.path.length === path.length),
  )
  const literal = branches.every((issues) => issues.every((inner) => inner.code === 'invalid_value'))
  if (understood !== undefined && !literal) return understood.flatMap((inner) => explain(inner, data))
  const words = branches.flat().flatMap((inner) => {
    if (inner.code === 'invalid_type') return [typeWords(inner.expected)]
    return inner.code === 'invalid_value' ? inner.values.map(String) : []
  })
  const message = `${path.join('.')} must be ${orList([...new Set(words)])}${found(path, data)}`
  return [{ path, message, hint: undefined }]
}

function unknownKey(path: readonly PropertyKey[]): WrongSetting {
  const name = path.join('.')
  const key = String(path.at(-1))
  const known = keysAt(path.slice(0, -1))
  const instead = Object.hasOwn(OTHER_WORDS, name) ? OTHER_WORDS[name] : undefined
  const guess = nearest(key, known)
  return {
    path,
    message: `there is no setting '${name}'`,
    hint:
      instead !== undefined
        ? `Here it is ${instead}.`
        : guess !== undefined
          ? `Did you mean '${guess}'?`
          : `There are ${known.filter((word) => word !== '$schema').join(', ')}.`,
  }
}

function typeWords(expected: string): string {
  return TYPES[expected] ?? expected
}

function boundWords(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): string {
  if (issue.origin === 'string') return issue.code === 'too_small' ? 'a text that is not empty' : 'shorter'
  if (issue.inclusive === false)
    return `${issue.code === 'too_small' ? 'more' : 'less'} than ${issue.code === 'too_small' ? issue.minimum : issue.maximum}`
  return issue.code === 'too_small' ? `${issue.minimum} or more` : `${issue.maximum} or less`
}

function orList(words: readonly string[]): string {
  const last = words.at(-1) ?? ''
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} or ${last}`
}

function valueAt(path: readonly PropertyKey[], data: unknown): unknown {
  let value: unknown = data
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Readonly<Record<PropertyKey, unknown>>)[step]
  }
  return value
}

/** `, and is 'abc'`, unless the value may be a secret. */
function found(path: readonly PropertyKey[], data: unknown): string {
  const value = valueAt(path, data)
  if (value === undefined) return ', and is missing'
  if (value === null) return ', and is empty'
  if (path.some((step) => SECRET.test(String(step)))) return ''
  if (Array.isArray(value)) return ', and is a list'
  if (typeof value === 'object') return ', and is a group of settings'
  const shown = String(value)
  return `, and is ${typeof value === 'string' ? `'${shown.slice(0, 60)}${shown.length > 60 ? '…' : ''}'` : shown}`
}
