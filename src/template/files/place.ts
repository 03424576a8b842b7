/**
 * Where in the user's files something stands. Owns the way back from a text that was made of files (markup transformed,
 * YAML read) to the line and column that a person can fix, and the form of errors about templates.
 */
import { readFileSync } from 'node:fs'
import { DataError, InputError, type Problem } from '../../errors.ts'
import { systemWords } from '../../fs/system-errors.ts'
import { decodeText, ENCODING_HINT } from '../../text/decode-text.ts'
import { mustacheAt } from '../mustaches.ts'

/** Where a piece of template text came from, for errors. */
export interface Origin {
  readonly file: string
  /** Lines of the file before the text begins: front matter. */
  readonly lineOffset: number
}

export interface Snippet extends Origin {
  readonly text: string
  /**
   * The texts of files that this one was made of, where it is not a piece of its file as it stands. A place in it is looked up
   * there by the mustache around it; with none of them there is no line to name.
   */
  readonly madeOf?: readonly Source[]
}

export interface Source extends Origin {
  readonly text: string
  /** Where in the text to begin looking. */
  readonly from?: number
}

/** Line from 1, column from 0, as Handlebars counts. */
export interface Place {
  readonly line: number
  readonly column: number
}

/** A problem of a template at a place, as an error. */
export function failure(where: Origin | Snippet, code: string, message: string, hint?: string, at?: Place): DataError {
  const problem = problemAt(where, code, message, hint, at)
  return new DataError(`${placeText(problem)}: ${message}`, {
    problems: [problem],
    hint,
  })
}

export function problemAt(where: Origin | Snippet, code: string, message: string, hint?: string, at?: Place): Problem {
  const found =
    at === undefined ? undefined : 'text' in where && where.madeOf !== undefined ? traced(where, at) : here(where, at)
  return {
    severity: 'error',
    code,
    message,
    file: found?.file ?? where.file,
    ...(found === undefined ? {} : { line: found.line, column: String(found.column + 1) }),
    hint,
  }
}

/** `templates/invite/html.hbs:4:12`, as compilers say it. */
export function placeText({ file, line, column }: Problem): string {
  return [file, line, line === undefined ? undefined : column].filter((part) => part !== undefined).join(':')
}

/** A place in a file. */
export interface Found extends Place {
  readonly file: string
}

function here({ file, lineOffset }: Origin, at: Place): Found {
  return { file, line: at.line + lineOffset, column: at.column }
}

function traced({ text, madeOf = [] }: Snippet, at: Place): Found | undefined {
  const offset = offsetOf(text, at)
  const mustache = mustacheAt(text, offset)
  if (mustache === undefined) return undefined
  for (const source of madeOf) {
    const start = source.text.indexOf(mustache[0], source.from ?? 0)
    if (start >= 0) return here(source, placeOf(source.text, start + Math.max(0, offset - mustache.index)))
  }
  return undefined
}

/**
 * Where a piece of a text stands in the user's files. In a text that was made of others it is looked up by its line, or by
 * itself where the line was changed; undefined where it is in none of them.
 */
export function placeInFiles(snippet: Snippet, offset: number, length: number): Found | undefined {
  const { text, madeOf } = snippet
  if (madeOf === undefined) return here(snippet, placeOf(text, offset))
  const begin = text.lastIndexOf('\n', offset - 1) + 1
  const end = text.indexOf('\n', offset)
  const line = text.slice(begin, end < 0 ? text.length : end)
  const lead = line.length - line.trimStart().length
  for (const [piece, within] of [
    [line.trim(), offset - begin - lead],
    [text.slice(offset, offset + length), 0],
  ] as const) {
    if (piece === '' || within < 0) continue
    const before = positions(text.slice(0, offset - within), piece).length
    const all = madeOf.flatMap((source) => positions(source.text, piece, source.from).map((at) => ({ source, at })))
    const one = all[before] ?? all.at(-1)
    if (one !== undefined) return here(one.source, placeOf(one.source.text, one.at + within))
  }
  return undefined
}

function positions(text: string, piece: string, from = 0): readonly number[] {
  const found: number[] = []
  for (let at = text.indexOf(piece, from); at >= 0; at = text.indexOf(piece, at + piece.length)) found.push(at)
  return found
}

export function offsetOf(text: string, { line, column }: Place): number {
  let offset = 0
  for (let passed = 1; passed < line; passed++) {
    const end = text.indexOf('\n', offset)
    if (end < 0) return text.length
    offset = end + 1
  }
  return offset + column
}

export function placeOf(text: string, offset: number): Place {
  const before = text.slice(0, offset)
  return { line: before.split('\n').length, column: offset - (before.lastIndexOf('\n') + 1) }
}

/** Reads a text file as a snippet. @throws InputError when it cannot be read, DataError when it is not UTF-8. */
export function snippetOf(path: string, shown: string): Snippet {
  const decoded = decodeText(bytesOf(path, shown))
  if ('text' in decoded) return { file: shown, lineOffset: 0, text: decoded.text }
  const place = { line: decoded.line, column: 0 }
  throw failure({ file: shown, lineOffset: 0 }, 'encoding', `the file ${decoded.fault}`, ENCODING_HINT, place)
}

function bytesOf(path: string, shown: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw unreadable(shown, cause)
  }
}

/** A file or folder of a template that cannot be read. */
export function unreadable(shown: string, cause: unknown): InputError {
  return new InputError(`${shown} cannot be read: ${systemWords(cause)}`, {
    cause,
    hint: 'Fix its permissions, or name another template.',
  })
}
