/**
 * Handlebars made safe: strict names, no prototypes, no output to the terminal, bounded work and results. Owns compiling;
 * compiles texts of files only, never a value of a row.
 */
import Handlebars from 'handlebars'
import type { DataError } from '../../errors.ts'
import { cellText, hasOwnText, storedValue } from '../../source/cells/cell.ts'
import type { RowData } from '../../source/source.ts'
import { failure, placeOf, type Snippet } from '../files/place.ts'
import { isHarmlessLink } from '../links.ts'
import { plainOf } from '../markup.ts'
import { mustachesOf } from '../mustaches.ts'
import { BRANCH, type BranchTrace } from './branches.ts'
import { fieldsPutOut, marksMade } from './cells.ts'
import { helperError, noText, renderError, syntaxError, tooDeep } from './engine-error.ts'
import { type PlainCells, plainCells, type RewriteOptions, rewrite } from './tree.ts'

export interface Compiled {
  (row: unknown, data: Readonly<Record<string, unknown>>): string
  /**
   * True where it is known without writing the text that it cannot fail for this row: it only puts out cells that are there.
   */
  readonly isSure: (row: RowData) => boolean
  /** The text of the template itself that is put out for each row, whatever the row holds. */
  readonly fixed: string
}

export type Helper = (this: unknown, ...args: unknown[]) => unknown

/** A rendered text longer than this is a mistake: a loop without end, or a cell that is not one. */
const MAX_RENDERED = 20_000_000
/** Blocks, or helpers, in each other. */
const MAX_DEPTH = 100
/** Turns of loops and uses of partials for one text of one row. */
const MAX_STEPS = 500_000
/** A cell up to here is short. */
const SHORT_CELL = 10_000
/** Characters that one takes at most in HTML. */
const ESCAPED_LENGTH = 6

export interface EngineOptions {
  /** Names of what each may call; those of ours that do nothing without a value come second to columns. */
  readonly helpers: Readonly<Record<string, Helper>>
  readonly needValue: ReadonlySet<string>
  /** Helpers that refuse a name that is not there. */
  readonly strict: ReadonlySet<string>
  /** Write values so that HTML shows them as they are. */
  readonly escape: boolean
  /** Every value that is put out goes through this helper. */
  readonly through?: string
  /** Values put out unescaped go through this one. */
  readonly throughRaw?: string
  /** Sees which branches are taken. */
  readonly branches?: BranchTrace | undefined
}

/** One Handlebars of its own for each template and way of writing values, with its own helpers and partials. */
export class Engine {
  readonly #handlebars = Handlebars.create()
  readonly #options: EngineOptions
  readonly #rewriting: RewriteOptions
  #steps = 0

  constructor(options: EngineOptions) {
    this.#options = options
    const { helpers, needValue, strict, through, throughRaw } = options
    // The built-in log writes to stdout, where only results belong.
    this.#handlebars.registerHelper('log', () => '')
    this.#emptySections()
    this.#storedConditions()
    this.#boundEach()
    this.#boundPartials()
    this.#setUpOnce()
    for (const [name, helper] of Object.entries(helpers))
      this.#handlebars.registerHelper(name, located(name, helper, options.escape))
    this.#handlebars.registerHelper(AS_TEXT, (value: unknown) =>
      value === undefined || value === null ? '' : String(value),
    )
    this.#handlebars.registerHelper(BRANCH, (number: unknown) => {
      options.branches?.pass(Number(number))
      return ''
    })
    this.#rewriting = {
      asText: AS_TEXT,
      escape: options.escape,
      needValue: new Set([...needValue, ...BUILT_IN]),
      strict,
      alone: new Set(Object.keys(helpers).filter((name) => !needValue.has(name))),
      through,
      throughRaw,
    }
  }

  /** What a text may call, Handlebars' own included. */
  get helpers(): ReadonlySet<string> {
    const names = Object.keys(this.#handlebars.helpers)
    return new Set(names.filter((name) => !/^(?:blockH|h)elperMissing$/.test(name)))
  }

  partial(name: string, snippet: Snippet): void {
    const program = this.#parse(snippet, this.#rewriting)
    this.#options.branches?.markIn(program, snippet)
    const template = this.#template(program)
    const partial: Handlebars.TemplateDelegate = (context, options) => {
      try {
        return template(context, options)
      } catch (error) {
        // What another file is to blame for is reported for that file.
        throw renderError(snippet, error, true)
      }
    }
    this.#handlebars.registerPartial(name, partial)
  }

  /** @throws DataError with file and line when the text is not valid Handlebars. */
  compile(snippet: Snippet): Compiled {
    if (!snippet.text.includes('{{')) {
      const { text } = snippet
      return Object.assign(() => text, { isSure: () => true, fixed: text })
    }
    const program = this.#parse(snippet, this.#rewriting)
    const isSure = sureFor(snippet, plainCells(program, this.#rewriting, this.helpers))
    const fixed = program.body
      .map((statement) => (statement.type === 'ContentStatement' ? (statement as hbs.AST.ContentStatement).value : ''))
      .join('')
    this.#options.branches?.markIn(program, snippet)
    const template = this.#template(program)
    const compiled = (row: unknown, data: Readonly<Record<string, unknown>>): string => {
      this.#steps = 0
      const marks = marksMade()
      let text: string
      try {
        text = template(row, { data, allowProtoMethodsByDefault: false, allowProtoPropertiesByDefault: false })
      } catch (error) {
        throw renderError(snippet, error)
      }
      if (text.length > MAX_RENDERED) throw tooLong(snippet)
      if (marksMade() !== marks) {
        const fields = fieldsPutOut(text)
        if (fields !== undefined) throw noText(snippet, fields)
      }
      return text
    }
    return Object.assign(compiled, { isSure, fixed })
  }

  /** The tree of a text as it is compiled, for looking at. */
  parse(snippet: Snippet): hbs.AST.Program {
    const { needValue, strict, alone, asText } = this.#rewriting
    return this.#parse(snippet, { needValue, strict, alone, asText, escape: true })
  }

  #template(program: hbs.AST.Program): Handlebars.TemplateDelegate {
    return this.#handlebars.compile(program, {
      strict: true,
      noEscape: !this.#options.escape,
      knownHelpersOnly: false,
      preventIndent: true,
    })
  }

  #parse(snippet: Snippet, rewriting: RewriteOptions): hbs.AST.Program {
    boundDepth(snippet)
    try {
      const program = this.#handlebars.parse(snippet.text.normalize('NFC'))
      rewrite(program, rewriting)
      return program
    } catch (error) {
      throw syntaxError(snippet, error)
    }
  }

  #step(): void {
    if (++this.#steps <= MAX_STEPS) return
    throw new Error(`it does more than ${MAX_STEPS.toLocaleString('en-US')} steps for one row: look at its loops`)
  }

  /** `{{#discount}}` of an empty cell is nothing, as an empty cell is to `{{#if discount}}`. */
  #emptySections(): void {
    const { blockHelperMissing } = this.#handlebars.helpers
    this.#handlebars.registerHelper('blockHelperMissing', function (this: unknown, ...args: unknown[]) {
      const value = storedValue(args[0])
      return blockHelperMissing?.call(this, value === '' ? null : value, args.at(-1))
    })
  }

  /** `{{#if paid}}` asks what a cell holds, not what it shows: FALSE is no. */
  #storedConditions(): void {
    for (const name of ['if', 'unless']) {
      const condition = this.#handlebars.helpers[name]
      this.#handlebars.registerHelper(name, function (this: unknown, ...args: unknown[]) {
        return condition?.call(this, storedValue(args[0]), args.at(-1))
      })
    }
  }

  /** The loop of Handlebars, with its turns and what they write counted. */
  #boundEach(): void {
    const { each } = this.#handlebars.helpers
    const engine = this
    this.#handlebars.registerHelper('each', function (this: unknown, ...args: unknown[]) {
      const options = args.at(-1) as Handlebars.HelperOptions
      const { fn } = options
      if (args.length !== 2 || typeof fn !== 'function') throw new Error('#each needs one list: {{#each items}}')
      let written = 0
      const counted: Handlebars.TemplateDelegate = (context, frame) => {
        engine.#step()
        const text = fn(context, frame)
        written += text.length
        if (written > MAX_RENDERED) throw new Error(TOO_LONG)
        return text
      }
      return each?.call(this, args[0], { ...options, fn: counted })
    })
  }

  /**
   * Handlebars gathers and wraps all helpers again for each text that it renders, which costs more than the rendering. Ours
   * are the same for every row, so that each template is set up at its first. A partial takes the set-up of its caller.
   */
  #setUpOnce(): void {
    const runtime = this.#handlebars as unknown as { template(spec: unknown): SetUp }
    const { template } = runtime
    runtime.template = (spec) => {
      const made = template.call(runtime, spec)
      const setUp = made._setup
      let done = false
      made._setup = (options) => {
        if (done && !options.partial) return
        setUp(options)
        done = !options.partial
      }
      return made
    }
  }

  /** Partials that use partials that use partials cost without a loop. */
  #boundPartials(): void {
    const engine = this
    const runtime = this.#handlebars as unknown as { VM: { invokePartial(...args: unknown[]): unknown } }
    const { invokePartial } = runtime.VM
    runtime.VM = {
      ...runtime.VM,
      invokePartial(this: unknown, ...args: unknown[]) {
        engine.#step()
        return invokePartial.apply(this, args)
      },
    }
  }
}

/** What Handlebars makes of a compiled text; `_setup` is where its helpers are gathered. */
interface SetUp {
  _setup(options: { readonly partial?: boolean }): void
}

const AS_TEXT = '__text'

/** The parser's time grows with the square of the depth: 30,000 blocks in each other would take it minutes. */
function boundDepth(snippet: Snippet): void {
  let depth = 0
  for (const { 0: tag, index } of mustachesOf(snippet.text)) {
    if (/^\{\{~?[#^]/.test(tag)) depth++
    else if (/^\{\{~?\//.test(tag)) depth--
    if (depth > MAX_DEPTH || tag.split('(').length > MAX_DEPTH) throw tooDeep(snippet, placeOf(snippet.text, index))
  }
}

/** Without a value these are columns too. */
const BUILT_IN = ['log', 'lookup', 'if', 'unless', 'each', 'with', 'helperMissing', 'blockHelperMissing']

const TOO_LONG = `the result is longer than ${MAX_RENDERED.toLocaleString('en-US')} characters`

function tooLong(snippet: Snippet): DataError {
  return failure(snippet, 'too-long', TOO_LONG, 'Look for a loop, or a cell that is far too long.')
}

/** A helper whose mistakes say where in the template it was used. */
function located(name: string, helper: Helper, markup: boolean): Helper {
  return function (this: unknown, ...args) {
    try {
      const result = helper.apply(this, args)
      if (result instanceof Promise) {
        result.catch(() => {})
        throw new Error('it gives a promise, and a helper must give its value at once')
      }
      return markup ? result : withoutMarkup(result)
    } catch (error) {
      throw helperError(name, args.at(-1), error)
    }
  }
}

/** Markup that a helper gives (an object with `toHTML`, as Handlebars wants it) as the words that a text shows. */
function withoutMarkup(result: unknown): unknown {
  if (typeof result !== 'object' || result === null || !('toHTML' in result) || typeof result.toHTML !== 'function')
    return result
  const html = String(result.toHTML())
  const said = String(result)
  return said === html || said === '[object Object]' ? plainOf(html) : said
}

/** A text that only puts out `cells` is whole when each is there, is not an object, and is short enough for the whole to be so. */
function sureFor({ text }: Snippet, cells: PlainCells | undefined): Compiled['isSure'] {
  const holes = text.split('{{').length - 1
  if (cells === undefined || text.length + holes * SHORT_CELL * ESCAPED_LENGTH > MAX_RENDERED) return () => false
  const { links } = cells
  const names = [...cells.names]
  return (row) =>
    names.every((name) => {
      const cell = row[name]
      if (typeof cell === 'string') return cell.length <= SHORT_CELL
      return typeof cell === 'number' || typeof cell === 'boolean' || hasOwnText(cell)
    }) &&
    links.every(({ kind, parts }) => {
      const written = parts.map((part) => (typeof part === 'string' ? part : escaped(row[part.cell])))
      return isHarmlessLink(written.join(''), kind)
    })
}

/** A cell as HTML shows it. */
function escaped(cell: unknown): string {
  return Handlebars.escapeExpression(cellText(cell))
}
