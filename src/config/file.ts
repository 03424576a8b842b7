/** Finds and reads mailmerge.yaml and the `.env` beside it. Owns the errors that name file, line and key. */

import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument, visit } from 'yaml'
import { docsPage } from '../docs-page.ts'
import { ConfigError, InputError, type Problem } from '../errors.ts'
import { systemWords } from '../fs/system-errors.ts'
import { given } from '../given.ts'
import { decodeText, ENCODING_HINT } from '../text/decode-text.ts'
import { type WrongSetting, wrongSettings } from './explain-errors.ts'
import { type Config, configSchema } from './schema.ts'
import type { Environment } from './settings.ts'

const NAMES = ['mailmerge.yaml', 'mailmerge.yml']
/** More than any config needs, and little enough to be read at once. */
const MOST_BYTES = 1_000_000

/** The config of a project: `explicit`, or the first found in `cwd` and the folders above it. */
export function findConfig(cwd: string, explicit?: string): string | undefined {
  if (explicit !== undefined) {
    const path = resolve(cwd, explicit)
    if (isThere(path)) return path
    throw new InputError(`the config ${explicit} does not exist`, { hint: 'Check the path given with --config.' })
  }
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    const found = NAMES.map((name) => join(folder, name)).find((path) => existsSync(path))
    if (found !== undefined) return found
    if (dirname(folder) === folder) return undefined
  }
}

/** True also where it cannot be known: reading it then gives the reason. */
function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined
  } catch {
    return true
  }
}

/** @throws ConfigError with file, line, key and what it may hold; InputError when the file cannot be read. */
export function readConfig(path: string, cwd: string): Config {
  const shown = shortest(path, cwd)
  const lines = new LineCounter()
  const document = parseDocument(readText(path, shown), { lineCounter: lines, prettyErrors: false })
  const [mistake] = [...document.errors, ...document.warnings]
  if (mistake !== undefined) {
    const { line, col } = lines.linePos(mistake.pos[0])
    throw new ConfigError(`${shown}:${line}:${col}: ${mistake.message}`, {
      hint: 'Check the indentation, and put quotes around values with a colon or braces.',
    })
  }
  const lineOf = (keys: readonly PropertyKey[]): number | undefined => {
    const offset = offsetOf(document, keys)
    return offset === undefined ? undefined : lines.linePos(offset).line
  }
  refuseBraces(document, shown, lines)
  const data = plainData(document, shown)
  const result = configSchema.safeParse(data)
  if (result.success) return result.data
  throw configError(wrongSettings(result.error, data), shown, lineOf)
}

/** A path as it reads best: relative where that leads downwards. */
function shortest(path: string, cwd: string): string {
  const short = relative(cwd, path)
  return short === '' || short.startsWith('..') ? path : short
}

function readText(path: string, shown: string): string {
  try {
    const { size } = statSync(path)
    if (size > MOST_BYTES)
      throw new ConfigError(`${shown} is not a configuration file: it has ${size} bytes`, {
        hint: 'Check the path given with --config.',
      })
    return textOf(path, shown)
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause
    throw new InputError(`the config ${shown} cannot be read: ${systemWords(cause)}`, {
      cause,
      hint: 'Check that it is a file, and its permissions.',
    })
  }
}

/** @throws ConfigError for a file that is not UTF-8. */
function textOf(path: string, shown: string): string {
  const decoded = decodeText(readFileSync(path))
  if ('text' in decoded) return decoded.text
  throw new ConfigError(`${shown}:${decoded.line}: the file ${decoded.fault}`, { hint: ENCODING_HINT })
}

function plainData(document: Document.Parsed, shown: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 50 }) ?? {}
  } catch (cause) {
    throw new ConfigError(`${shown}: its aliases (*name) expand too far`, {
      cause,
      hint: 'Write the values out instead.',
    })
  }
}

/** `subject: {{name}}` without quotes is a map in YAML, which nobody means. */
function refuseBraces(document: Document.Parsed, shown: string, lines: LineCounter): void {
  visit(document, {
    Pair(_, pair) {
      if (!isMap(pair.key)) return
      const { line } = lines.linePos(pair.key.range?.[0] ?? 0)
      throw new ConfigError(`${shown}:${line}: a value that begins with {{ needs quotes around it`, {
        hint: 'Write subject: "{{name}}".',
      })
    },
  })
}

/** Where the key of a setting is in the text, or the nearest key around it. */
function offsetOf(document: Document.Parsed, keys: readonly PropertyKey[]): number | undefined {
  if (keys.length === 0) return undefined
  const around = keys.slice(0, -1)
  const group = document.getIn(around, true)
  const node = isMap(group)
    ? group.items.find(({ key }) => isScalar(key) && key.value === keys.at(-1))?.key
    : document.getIn(keys, true)
  return isNode(node) && node.range ? node.range[0] : offsetOf(document, around)
}

function configError(
  wrong: readonly WrongSetting[],
  shown: string,
  lineOf: (keys: readonly PropertyKey[]) => number | undefined,
): ConfigError {
  const problems = wrong.map(({ path, message, hint }): Problem => {
    return { severity: 'error', code: 'bad-setting', message, file: shown, ...given({ line: lineOf(path), hint }) }
  })
  const [first] = problems
  if (problems.length === 1 && first !== undefined) {
    return new ConfigError(`${shown}${first.line === undefined ? '' : `:${first.line}`}: ${first.message}`, {
      hint: first.hint ?? `${docsPage('configuration')} lists every setting.`,
    })
  }
  return new ConfigError(`${shown} has ${problems.length} wrong settings`, {
    problems,
    hint: `${docsPage('configuration')} lists every setting.`,
  })
}

/** Variables of the `.env` beside the config. @throws InputError when it is there and cannot be read. */
export function readDotEnv(folder: string): Environment {
  const path = join(folder, '.env')
  if (!existsSync(path)) return {}
  try {
    return parseEnv(textOf(path, path))
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause
    throw new InputError(`the file ${path} cannot be read: ${systemWords(cause)}`, {
      cause,
      hint: 'Check its permissions.',
    })
  }
}
