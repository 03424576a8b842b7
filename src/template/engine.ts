/**
 * Handlebars made safe: strict names, no prototypes, no output to the terminal, bounded results. Owns compiling and the
 * words of its errors; compiles texts of files only, never a value of a row.
 */
import { readFileSync } from 'node:fs'
import Handlebars from 'handlebars'
import { DataError, type Problem } from '../errors.ts'

/** Where a piece of template text came from, for errors. */
export interface Origin {
  readonly file: string
  /** Lines of the file before the text begins: front matter. */
  readonly lineOffset: number
}

export interface Snippet extends Origin {
  readonly text: string
}

export type Compiled = (row: unknown, data: Readonly<Record<string, unknown>>) => string

export type Helper = (this: unknown, ...args: unknown[]) => unknown

/** A rendered text longer than this is a mistake: a loop without end, or a cell that is no cell. */
const MAX_RENDERED = 20_000_000

export interface CompileOptions {
  readonly escape: boolean
  /** Every value that is put out goes through this helper. */
  readonly through?: string
}

/** One Handlebars of its own for each template, with its own helpers and partials. */
export class Engine {
  readonly #handlebars = Handlebars.create()

  constructor(helpers: Readonly<Record<string, Helper>>) {
    // The built-in log writes to stdout, where only results belong.
    this.#handlebars.registerHelper('log', () => '')
    for (const [name, helper] of Object.entries(helpers)) this.#handlebars.registerHelper(name, helper)
  }

  get helpers(): ReadonlySet<string> {
    return new Set(Object.keys(this.#handlebars.helpers))
  }

  get partials(): ReadonlySet<string> {
    return new Set(Object.keys(this.#handlebars.partials))
  }

  partial(name: string, snippet: Snippet, options: CompileOptions): void {
    const ast = this.#parse(snippet, options)
    this.#handlebars.registerPartial(name, this.#handlebars.compile(ast, this.#options(options)))
  }

  /** @throws DataError with file and line when the text is no Handlebars. */
  compile(snippet: Snippet, options: CompileOptions): Compiled {
    if (!snippet.text.includes('{{')) {
      const { text } = snippet
      return () => text
    }
    const template = this.#handlebars.compile(this.#parse(snippet, options), this.#options(options))
    return (row, data) => {
      let text: string
      try {
        text = template(row, { data, allowProtoMethodsByDefault: false, allowProtoPropertiesByDefault: false })
      } catch (error) {
        throw renderError(snippet, error)
      }
      if (text.length > MAX_RENDERED) {
        throw failure(
          snippet,
          'too-long',
          `the result has ${text.length} characters, more than ${MAX_RENDERED}`,
          'Look for a loop, or a cell that is far too long.',
        )
      }
      return text
    }
  }

  /** The tree of a text, for looking at. */
  parse(snippet: Snippet): hbs.AST.Program {
    try {
      return this.#handlebars.parse(snippet.text)
    } catch (error) {
      throw syntaxError(snippet, error)
    }
  }

  #options(how: CompileOptions): CompileOptions_ {
    return { strict: true, noEscape: !how.escape, knownHelpersOnly: false, preventIndent: true }
  }

  #parse(snippet: Snippet, { through }: CompileOptions): hbs.AST.Program {
    const program = this.parse(snippet)
    if (through !== undefined) passThrough(program, through)
    return program
  }
}

type CompileOptions_ = NonNullable<Parameters<typeof Handlebars.compile>[1]>

/** Rewrites `{{x}}` to `{{helper x}}` and `{{f x}}` to `{{helper (f x)}}`, also inside blocks. */
function passThrough(program: hbs.AST.Program | undefined, helper: string): void {
  for (const statement of program?.body ?? []) {
    if (statement.type === 'BlockStatement') {
      const block = statement as hbs.AST.BlockStatement
      passThrough(block.program, helper)
      passThrough(block.inverse, helper)
    }
    if (statement.type !== 'MustacheStatement') continue
    const mustache = statement as hbs.AST.MustacheStatement
    const { path, params, hash, loc } = mustache
    const call = params.length > 0 || (hash?.pairs.length ?? 0) > 0
    const value = call ? { type: 'SubExpression', path, params, hash, loc } : path
    mustache.path = {
      type: 'PathExpression',
      data: false,
      depth: 0,
      parts: [helper],
      original: helper,
      loc,
    } as unknown as hbs.AST.PathExpression
    mustache.params = [value as hbs.AST.Expression]
    mustache.hash = undefined as unknown as hbs.AST.Hash
    mustache.escaped = false
  }
}

/** A problem of a template at a place, as an error. */
export function failure(
  origin: Origin,
  code: string,
  message: string,
  hint?: string,
  at?: { line: number; column: number },
): DataError {
  const line = at === undefined ? undefined : at.line + origin.lineOffset
  const place = at === undefined ? origin.file : `${origin.file}:${line}:${at.column + 1}`
  const problem: Problem = {
    severity: 'error',
    code,
    message,
    file: origin.file,
    ...(line === undefined ? {} : { line }),
    ...(at === undefined ? {} : { column: String(at.column + 1) }),
    ...(hint === undefined ? {} : { hint }),
  }
  return new DataError(`${place}: ${message}`, { problems: [problem], ...(hint === undefined ? {} : { hint }) })
}

function syntaxError(origin: Origin, error: unknown): DataError {
  const text = error instanceof Error ? error.message : String(error)
  const line = Number(/on line (\d+)/.exec(text)?.[1] ?? Number.NaN)
  const marker = text.split('\n')[2]?.indexOf('^') ?? -1
  const mismatch = /^(\S+) doesn't match (\S+) - (\d+):(\d+)/.exec(text)
  if (mismatch !== null) {
    const [, open, close, at, column] = mismatch
    return failure(
      origin,
      'template-syntax',
      `the block '${open}' is closed by '${close}'`,
      'Close each {{#block}} by its own {{/block}}.',
      {
        line: Number(at),
        column: Number(column),
      },
    )
  }
  const place = Number.isNaN(line) ? undefined : { line, column: Math.max(0, marker) }
  return failure(
    origin,
    'template-syntax',
    'this is no right Handlebars',
    'Look for a brace that is missing, or a {{#block}} that is not closed.',
    place,
  )
}

function renderError(origin: Origin, error: unknown): DataError {
  if (error instanceof DataError) return error
  if (error instanceof RangeError)
    return failure(
      origin,
      'template-depth',
      'the template goes too deep: a partial that calls itself, or too many blocks in each other',
    )
  const text = error instanceof Error ? error.message : String(error)
  const undefinedName = /^"(.+)" not defined in/.exec(text)
  if (undefinedName !== null)
    return failure(
      origin,
      'unknown-name',
      `there is no '${undefinedName[1]}' here`,
      'Check its spelling, or give it a value with {{default ...}}.',
    )
  if (/convert object to primitive/.test(text)) {
    return failure(
      origin,
      'unknown-name',
      'a name here has no value, or is not a text',
      'Check the spelling of names inside {{#each}} and {{#with}}.',
    )
  }
  const missing = /[Tt]he partial (\S+) could not be found/.exec(text)
  if (missing !== null)
    return failure(
      origin,
      'missing-partial',
      `there is no partial '${missing[1]}'`,
      'Partials are files in templates/_partials.',
    )
  const helper = /Missing helper: "(.+)"/.exec(text)
  if (helper !== null)
    return failure(
      origin,
      'missing-helper',
      `there is no helper '${helper[1]}'`,
      'docs/templates.md lists the helpers; your own go into templates/_helpers.',
    )
  return failure(origin, 'template-failed', text.split('\n')[0] ?? 'it cannot be rendered')
}

/** Reads a text file as a snippet. */
export function snippetOf(path: string, shown: string): Snippet {
  return { file: shown, lineOffset: 0, text: readFileSync(path, 'utf8').replace(/^\uFEFF/, '') }
}
