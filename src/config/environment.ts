/** Settings from the environment: every key of the config as `MAILMERGE_<KEY>`. Owns the names and how texts become values. */

import { parse } from 'yaml'
import { nearest } from '../did-you-mean.ts'
import { docsPage } from '../docs-page.ts'
import { ConfigError } from '../errors.ts'
import { wrongSettings } from './explain-errors.ts'
import { allKeys, type KeyPath } from './keys.ts'
import { type Config, configSchema } from './schema.ts'
import type { Environment } from './settings.ts'

/** `smtp.passwordCommand` is `MAILMERGE_SMTP_PASSWORD_COMMAND`; the name of an account is one word, whatever is in it. */
export function variableOf(path: readonly string[]): string {
  const words = path.map((key, at) =>
    at === 1 && path[0] === 'accounts' ? key.replaceAll('-', '_') : key.replace(/[A-Z]/g, (letter) => `_${letter}`),
  )
  return `MAILMERGE_${words.join('_')}`.toUpperCase()
}

/**
 * What the environment sets; an empty variable sets nothing. Lists and groups are written as in YAML: `[10/s, 500/day]`.
 * @param accounts Names of the accounts that the file has.
 * @throws ConfigError naming the variable.
 */
export function configFromEnvironment(
  env: Environment,
  accounts: readonly string[],
  note?: (text: string) => void,
): Config {
  const keys = allKeys(accounts)
  const found: Record<string, unknown> = {}
  for (const key of keys) {
    const text = env[variableOf(key.path)]
    if (text === undefined || text === '') continue
    put(found, key.path, fromText(key, text))
  }
  noteTypos(env, keys, note)
  const result = configSchema.safeParse(found)
  if (result.success) return result.data
  const [wrong] = wrongSettings(result.error, found)
  const path = (wrong?.path ?? []).map(String)
  throw new ConfigError(`the environment variable ${variableOf(path)}: ${wrong?.message ?? 'wrong'}`, {
    hint: wrong?.hint ?? `${docsPage('configuration')} lists every setting.`,
  })
}

/** The text itself where the setting takes a text, so that a password of digits stays one; else what YAML makes of it. */
function fromText({ schema }: KeyPath, text: string): unknown {
  if (schema.safeParse(text).success) return text
  try {
    return parse(text, { maxAliasCount: 0 })
  } catch {
    return text
  }
}

function put(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [key, ...rest] = path
  if (key === undefined) return
  if (rest.length === 0) {
    target[key] = value
    return
  }
  const inner = typeof target[key] === 'object' && target[key] !== null ? target[key] : {}
  target[key] = inner
  put(inner as Record<string, unknown>, rest, value)
}

/** A variable that is nearly a setting is worth a word; others are somebody else's. */
function noteTypos(env: Environment, keys: readonly KeyPath[], note?: (text: string) => void): void {
  if (note === undefined) return
  const known = new Set(keys.map(({ path }) => variableOf(path)))
  for (const name of Object.keys(env)) {
    if (!name.startsWith('MAILMERGE_') || known.has(name)) continue
    const guess = nearest(name, known)
    if (guess !== undefined) note(`the environment variable ${name} is not a setting: did you mean ${guess}?`)
  }
}
