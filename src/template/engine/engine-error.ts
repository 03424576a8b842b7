/**
 * What Handlebars and helpers throw, as errors that people can act on. Owns the reading of their messages; every error
 * that leaves the engine has gone through here.
 */
import { docsPage } from '../../docs-page.ts'
import { DataError } from '../../errors.ts'
import { CellError } from '../../source/cells/cell.ts'
import { failure, offsetOf, type Place, placeOf, type Snippet } from '../files/place.ts'
import { ScriptLinkError } from '../links.ts'
import { mustacheAt, mustachesOf } from '../mustaches.ts'

/** Says of a helper's mistake where the helper stands, in the coordinates of the text that is being rendered. */
class HelperFailure extends Error {
  readonly helper: string
  readonly place: Place | undefined
  readonly hint: string | undefined

  constructor(helper: string, place: Place | undefined, cause: unknown, hint?: string) {
    super(cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause), { cause })
    this.helper = helper
    this.place = place
    this.hint = hint
  }
}

/** What a helper threw; what came from the block inside of it passes. */
export function helperError(helper: string, options: unknown, error: unknown): unknown {
  if (error instanceof DataError || error instanceof HelperFailure || isFromEngine(error) || isStackOverflow(error))
    return error
  const { loc, data } = (options ?? {}) as CallOptions
  const hint = error instanceof CellError ? error.hint?.replace('COLUMN', columnOf(error.cell, data?.root)) : undefined
  return new HelperFailure(helper, loc?.start, error, hint)
}

interface CallOptions {
  readonly loc?: { readonly start?: Place }
  readonly data?: { readonly root?: unknown }
}

/** The column that a value came from, where it is one of the row. */
function columnOf(cell: unknown, row: unknown): string {
  if (typeof row !== 'object' || row === null) return 'COLUMN'
  return Object.entries(row).find(([, value]) => value === cell)?.[0] ?? 'COLUMN'
}

/** Errors of strict names carry where they stand. */
function isFromEngine(error: unknown): error is Error & { readonly lineNumber: number; readonly column: number } {
  return error instanceof Error && 'lineNumber' in error && typeof error.lineNumber === 'number'
}

/** Asked where hardly any stack is left, which not even a regular expression may need. */
function isStackOverflow(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return error.message.includes('call stack') || error.message.includes('Stack overflow')
}

export function syntaxError(snippet: Snippet, error: unknown): DataError {
  if (error instanceof DataError) return error
  if (isStackOverflow(error)) return tooDeep(snippet)
  const text = error instanceof Error ? error.message : String(error)
  const mismatch = /^(\S+) doesn't match (\S+) - (\d+):(\d+)/.exec(text)
  if (mismatch !== null) {
    const [, open, close, line, column] = mismatch
    const place = { line: Number(line), column: Number(column) }
    const hint = 'Close each {{#block}} by its own {{/block}}.'
    return failure(snippet, 'template-syntax', `the block '${open}' is closed by '${close}'`, hint, place)
  }
  const open = openBlock(snippet.text)
  if (open !== undefined && /'EOF'/.test(text)) {
    const hint = `Write {{/${open.name}}} where it ends.`
    return failure(snippet, 'template-syntax', `the block {{#${open.name}}} is not closed`, hint, open.place)
  }
  const hint = 'Look for a brace that is missing, or a {{#block}} that is not closed.'
  return failure(snippet, 'template-syntax', 'this is not valid Handlebars', hint, syntaxPlace(snippet, error, text))
}

/** The innermost block that is opened and never closed. */
function openBlock(text: string): { readonly name: string; readonly place: Place } | undefined {
  const open: { readonly name: string; readonly place: Place }[] = []
  for (const { 0: tag, index } of mustachesOf(text)) {
    const name = /^\{\{~?\s*#[*>]?\s*([^\s}~]+)/.exec(tag)?.[1]
    if (name !== undefined) open.push({ name, place: placeOf(text, index) })
    else if (/^\{\{~?\s*\//.test(tag)) open.pop()
  }
  return open.at(-1)
}

function syntaxPlace({ text }: Snippet, error: unknown, message: string): Place | undefined {
  if (isFromEngine(error)) return { line: error.lineNumber, column: Number(error.column) }
  const line = Number(/on line (\d+)/.exec(message)?.[1] ?? Number.NaN)
  if (Number.isNaN(line)) return undefined
  const [, shown = '', marker = ''] = message.split('\n')
  // The parser shows a few letters around the place; the line that ends in those before the mark is meant.
  const before = shown
    .replace(/^\.\.\./, '')
    .slice(0, Math.max(0, marker.indexOf('^') - (shown.startsWith('...') ? 3 : 0)))
  const lines = text.split('\n')
  const own = lines[line - 1] ?? ''
  const column = before === '' ? -1 : own.indexOf(before)
  return { line, column: column < 0 ? 0 : column + before.length }
}

/**
 * Any error of rendering as one that names its place. With `onlyOwn` an error that stands in no mustache of this text
 * passes as it is: the text around the partial is asked next.
 */
export function renderError(snippet: Snippet, error: unknown, onlyOwn = false): unknown {
  if (error instanceof DataError) return error
  if (error instanceof HelperFailure) return helperFailure(snippet, error, onlyOwn)
  if (isStackOverflow(error)) return onlyOwn ? error : tooDeep(snippet)
  const text = error instanceof Error ? error.message : String(error)
  const undefinedName = /^"([\s\S]+?)" not defined in/.exec(text)?.[1]
  if (undefinedName !== undefined && isFromEngine(error)) {
    const place = { line: error.lineNumber, column: Number(error.column) }
    if (onlyOwn && !standsHere(snippet, place, undefinedName)) return error
    return unknownName(snippet, undefinedName, place)
  }
  const field = /^Cannot use 'in' operator to search for '(.+)' in /s.exec(text)?.[1]
  if (field !== undefined) {
    const dotted = dottedPlace(snippet.text, field)
    if (dotted === undefined && onlyOwn) return error
    return noField(snippet, field, dotted)
  }
  if (onlyOwn) return error
  const unread = /^Cannot read propert.{0,80}\(reading '(.{1,200}?)'\)/.exec(text)?.[1]
  if (unread !== undefined) return unknownName(snippet, unread)
  if (/convert object to primitive/i.test(text)) return noText(snippet, '')
  if (/string length|is longer than/.test(text)) {
    return failure(snippet, 'too-long', text, 'Look for a loop, or a cell that is far too long.')
  }
  if (/steps for one row/.test(text))
    return failure(snippet, 'too-much', text, 'A text with that many parts is not a mail.')
  const partial = /[Tt]he partial (\S+) could not be found/.exec(text)?.[1]
  if (partial !== undefined) {
    const hint = 'Partials are files in templates/_partials.'
    return failure(snippet, 'missing-partial', `there is no partial '${partial}'`, hint)
  }
  const helper = /Missing helper: "(.+)"/.exec(text)?.[1]
  if (helper !== undefined) {
    const hint = `${docsPage('templates')} lists the helpers; your own go into templates/_helpers.`
    return failure(snippet, 'missing-helper', `there is no helper '${helper}'`, hint)
  }
  return failure(snippet, 'template-failed', text.split('\n')[0] ?? 'it cannot be rendered')
}

/** `person.name`, from where the word begins. */
const DOTTED = /(?<![^\s{}()#~=/|"'.])[^\s{}()#~=/|"'.]+(?:[./][^\s{}()#~=/|"'.]+)+/g

/** Where a text reads this field of something. */
function dottedPlace(text: string, field: string): { readonly owner: string; readonly place: Place } | undefined {
  for (const { 0: tag, index } of mustachesOf(text)) {
    for (const { 0: path, index: at } of tag.matchAll(DOTTED)) {
      const steps = path.split(/[./]/)
      const step = steps.findIndex((one, number) => number > 0 && one.replace(/^\[|\]$/g, '') === field)
      if (step > 0) return { owner: steps.slice(0, step).join('.'), place: placeOf(text, index + at) }
    }
  }
  return undefined
}

function noField(snippet: Snippet, field: string, dotted: ReturnType<typeof dottedPlace>): DataError {
  const owner = dotted === undefined ? 'the value' : `'${dotted.owner}'`
  const hint =
    'A dot reaches into the values of a JSON list. Name a column by itself, {{name}}, or in brackets: {{[first name]}}.'
  return failure(snippet, 'no-field', `${owner} is a plain value and has no '${field}'`, hint, dotted?.place)
}

function helperFailure(snippet: Snippet, error: HelperFailure, onlyOwn: boolean): unknown {
  const { helper, place, message, hint, cause } = error
  if (onlyOwn && (place === undefined || !standsHere(snippet, place, helper))) return error
  if (cause instanceof ScriptLinkError) return scriptLink(snippet, cause, place)
  return failure(snippet, 'helper-failed', `${helper}: ${message}`, hint, place)
}

/** The guard of a link is not of the user's making: its first value is named in its place. */
function scriptLink(snippet: Snippet, { scheme, address }: ScriptLinkError, guard: Place | undefined): DataError {
  const { text } = snippet
  const begin = guard === undefined ? undefined : mustacheAt(text, offsetOf(text, guard))
  const from = begin === undefined ? text.length : begin.index + begin[0].length
  const value = mustachesOf(text.slice(from))[0]?.[0]
  const at = value === undefined ? undefined : placeOf(text, text.indexOf(value, from))
  const what = value === undefined ? 'a value' : `the value ${value}`
  const [message, hint] =
    scheme === 'script'
      ? [`${what} would be part of a script`, 'Leave the attribute out: mail programs run no script.']
      : [
          `${what} makes a link that would run a script: ${address}`,
          'A link from a list begins with https://, mailto: or tel:. Correct the cell, or take the link out of the template.',
        ]
  return failure(snippet, 'script-link', message, hint, at)
}

function standsHere({ text }: Snippet, place: Place, word: string): boolean {
  return mustacheAt(text, offsetOf(text, place))?.[0].includes(word) ?? false
}

function unknownName(snippet: Snippet, name: string, place?: Place): DataError {
  const hint =
    name === 'unsubscribeUrl'
      ? 'Set unsubscribe: in mailmerge.yaml, so that there is an address for leaving the list.'
      : 'Check its spelling, or give it a value for rows that lack it: {{default name "friend"}}.'
  return failure(snippet, 'unknown-name', `there is no '${name}' here`, hint, place)
}

/** An object stands where a text is wanted. */
export function noText(snippet: Snippet, fields: string): DataError {
  const has = fields === '' ? '' : `: it has the fields ${fields}`
  const hint = 'Name a field of it, as in {{address.city}}, or go through it with {{#with}} or {{#each}}.'
  return failure(snippet, 'no-text', `a value used here is not text${has}`, hint)
}

export function tooDeep(snippet: Snippet, place?: Place): DataError {
  const message = 'the template goes too deep: a partial that calls itself, or too many blocks in each other'
  return failure(snippet, 'template-depth', message, 'Put parts of it into partials.', place)
}
