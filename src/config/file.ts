/** Finds and reads mailmerge.yaml and the `.env` beside it. Owns the errors that name file, line and key. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { LineCounter, parseDocument } from 'yaml'
import type { z } from 'zod'
import { ConfigError, InputError } from '../errors.ts'
import { nearest } from '../nearest.ts'
import { type Config, configSchema } from './schema.ts'

export interface ConfigFile {
  readonly path: string
  readonly config: Config
}

const NAMES = ['mailmerge.yaml', 'mailmerge.yml']

/** The config of a project: `explicit`, or the first found in `cwd` and the folders above it. */
export function findConfig(cwd: string, explicit?: string): string | undefined {
  if (explicit !== undefined) {
    const path = resolve(cwd, explicit)
    if (!existsSync(path))
      throw new InputError(`the config ${explicit} does not exist`, { hint: 'Check the path given with --config.' })
    return path
  }
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    const found = NAMES.map((name) => join(folder, name)).find((path) => existsSync(path))
    if (found !== undefined) return found
    if (dirname(folder) === folder) return undefined
  }
}

/** @throws ConfigError with file, line, key and what it may hold. */
export function readConfig(path: string, cwd: string): Config {
  const shown = relative(cwd, path) || path
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new InputError(`the config ${shown} cannot be read`, { cause, hint: 'Check its permissions.' })
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const [problem] = document.errors
  if (problem !== undefined) {
    const { line, col } = lines.linePos(problem.pos[0])
    throw new ConfigError(`${shown}:${line}:${col}: ${problem.message}`, {
      hint: 'Check the indentation, and put quotes around values with a colon or braces.',
    })
  }
  let data: unknown
  try {
    data = document.toJS({ maxAliasCount: 50 }) ?? {}
  } catch (cause) {
    throw new ConfigError(`${shown}: ${cause instanceof Error ? cause.message : 'wrong YAML'}`, {
      cause,
      hint: 'Too many aliases of one another: write the values out.',
    })
  }
  const result = configSchema.safeParse(data)
  if (result.success) return result.data
  throw wrongConfig(result.error, shown, (keys) => {
    const pair = document.getIn(keys, true) as { range?: readonly number[] } | undefined
    return pair?.range?.[0] === undefined ? undefined : lines.linePos(pair.range[0]).line
  })
}

function wrongConfig(
  error: z.ZodError,
  shown: string,
  lineOf: (keys: readonly (string | number)[]) => number | undefined,
): ConfigError {
  const [issue] = error.issues
  const path = (issue?.path ?? []).filter((step) => typeof step !== 'symbol')
  if (issue?.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? ''
    const guess = nearest(key, keysAt(path))
    const line = lineOf([...path, key])
    return new ConfigError(
      `${shown}${line === undefined ? '' : `:${line}`}: there is no setting '${[...path, key].join('.')}'`,
      {
        hint: guess === undefined ? `There are ${keysAt(path).join(', ')}.` : `Did you mean '${guess}'?`,
      },
    )
  }
  const line = path.length === 0 ? undefined : lineOf(path)
  const inner =
    issue?.code === 'invalid_union' ? issue.errors.flat().map(({ message }) => message) : [issue?.message ?? 'wrong']
  return new ConfigError(
    `${shown}${line === undefined ? '' : `:${line}`}: ${path.join('.') || 'the config'}: ${[...new Set(inner)].join(', or ')}`,
    {
      hint: 'docs/configuration.md lists every setting.',
    },
  )
}

function keysAt(path: readonly (string | number)[]): readonly string[] {
  let shape: unknown = configSchema
  for (const step of path)
    shape = (shape as { shape?: Record<string, { unwrap?: () => unknown }> }).shape?.[step]?.unwrap?.()
  return Object.keys((shape as { shape?: object } | undefined)?.shape ?? {})
}

/** Variables of the `.env` beside the config. */
export function readDotEnv(folder: string): NodeJS.Dict<string> {
  const path = join(folder, '.env')
  if (!existsSync(path)) return {}
  try {
    return parseEnv(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new InputError(`the file ${path} cannot be read`, { cause, hint: 'Check its permissions.' })
  }
}
