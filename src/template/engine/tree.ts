/**
 * Rewrites the tree of a template before it is compiled: columns before helpers of their name, values through a helper of
 * ours, misspelt names found. Owns these rewritings; compiles nothing.
 */

import { LINK } from '../links.ts'

/** Helpers of Handlebars itself whose block form without a value is a mistake to be reported as one. */
const BLOCKS = new Set(['if', 'unless', 'each', 'with'])

export interface RewriteOptions {
  /** Helpers that do nothing without a value: `{{date}}` alone means a column of that name. */
  readonly needValue: ReadonlySet<string>
  /** Helpers whose values must be there, as those of `{{name}}` must. */
  readonly strict: ReadonlySet<string>
  /** Helpers that may stand alone: the project's own. */
  readonly alone: ReadonlySet<string>
  /** Every value that is put out goes through this helper. */
  readonly through?: string | undefined
  /** Values put out as they are, `{{{name}}}`, go through this one. */
  readonly throughRaw?: string | undefined
  /** Values are escaped, so that each is a text. */
  readonly escape?: boolean
  /** Makes a text of a value. */
  readonly asText: string
}

export function rewrite(program: hbs.AST.Program | undefined, options: RewriteOptions): void {
  for (const statement of program?.body ?? []) rewriteStatement(statement, options)
  textFirst(program?.body ?? [], options)
}

/** Handlebars joins by `+`: of two numbers side by side at the very beginning it would make their sum. */
function textFirst(
  body: readonly hbs.AST.Statement[],
  { alone, asText, escape: escaped, through }: RewriteOptions,
): void {
  const first = body.find(
    (statement) =>
      statement.type !== 'CommentStatement' &&
      !(statement.type === 'ContentStatement' && (statement as hbs.AST.ContentStatement).value === ''),
  )
  if (first?.type !== 'MustacheStatement' || through !== undefined) return
  const mustache = first as hbs.AST.MustacheStatement
  if (!(escaped && mustache.escaped)) passThrough(mustache, asText, alone)
}

function rewriteStatement(statement: hbs.AST.Statement, options: RewriteOptions): void {
  switch (statement.type) {
    case 'MustacheStatement': {
      const mustache = statement as hbs.AST.MustacheStatement
      columnFirst(mustache, options.needValue)
      strictValues(mustache, options.strict)
      const helper = options.through ?? (mustache.escaped ? undefined : options.throughRaw)
      if (helper !== undefined) passThrough(mustache, helper, options.alone)
      return
    }
    case 'BlockStatement':
    case 'DecoratorBlock':
    case 'PartialBlockStatement': {
      const block = statement as hbs.AST.BlockStatement
      if (statement.type === 'BlockStatement') {
        if (!BLOCKS.has(pathOf(block.path)?.original ?? '')) columnFirst(block, options.needValue)
        strictValues(block, options.strict)
      }
      rewrite(block.program, options)
      rewrite(block.inverse, options)
      return
    }
    default:
  }
}

/** What a text that does nothing else puts out. */
export interface PlainCells {
  /** Names of its cells. */
  readonly names: ReadonlySet<string>
  /** Its links that hold cells. */
  readonly links: readonly PlainLink[]
}

interface PlainLink {
  readonly kind: string
  /** The template's own text, and cells. */
  readonly parts: readonly (string | { readonly cell: string })[]
}

/** The cells of a rewritten text; undefined where it does more. `helpers`: what a name alone may call. */
export function plainCells(
  program: hbs.AST.Program,
  { asText }: RewriteOptions,
  helpers: ReadonlySet<string>,
): PlainCells | undefined {
  const names = new Set<string>()
  const links: PlainLink[] = []
  const partsOf = (body: readonly hbs.AST.Statement[]): PlainLink['parts'] | undefined => {
    const parts: (string | { readonly cell: string })[] = []
    for (const statement of body) {
      if (statement.type === 'CommentStatement') continue
      if (statement.type === 'ContentStatement') parts.push((statement as hbs.AST.ContentStatement).value)
      else {
        const cell = statement.type === 'MustacheStatement' ? cellOf(statement, asText, helpers) : undefined
        if (cell === undefined) return undefined
        parts.push({ cell })
        names.add(cell)
      }
    }
    return parts
  }
  for (const statement of program.body) {
    if (statement.type !== 'BlockStatement') {
      if (partsOf([statement]) === undefined) return undefined
      continue
    }
    const { path, params, program: inner, inverse } = statement as hbs.AST.BlockStatement
    const [kind] = params
    if (pathOf(path)?.original !== LINK || kind?.type !== 'StringLiteral' || inverse != null) return undefined
    const parts = partsOf(inner.body)
    if (parts === undefined) return undefined
    links.push({ kind: (kind as hbs.AST.StringLiteral).value, parts })
  }
  return { names, links }
}

/** The cell that a mustache puts out, where it does nothing else. */
function cellOf(statement: hbs.AST.Statement, asText: string, helpers: ReadonlySet<string>): string | undefined {
  const { path, params, hash } = statement as hbs.AST.MustacheStatement
  if ((hash?.pairs.length ?? 0) > 0) return undefined
  const written = pathOf(path)
  const isText = written?.original === asText && params.length === 1
  const value = isText ? pathOf(params[0]) : params.length === 0 ? written : undefined
  const [name] = value?.parts ?? []
  if (value === undefined || value.data || value.depth > 0 || value.parts.length !== 1) return undefined
  return !isText && helpers.has(value.original) ? undefined : name
}

interface Call {
  path: hbs.AST.Expression
  params: hbs.AST.Expression[]
  hash: hbs.AST.Hash
}

function columnFirst(call: Call, needValue: ReadonlySet<string>): void {
  const path = pathOf(call.path)
  if (path === undefined || call.params.length > 0 || (call.hash?.pairs.length ?? 0) > 0) return
  if (path.data || path.depth > 0 || path.parts.length !== 1 || !needValue.has(path.original)) return
  // As if written {{./name}}: Handlebars looks for no helper then.
  path.original = `./${path.original}`
}

/** Handlebars lets a helper have a name that is not there as `undefined`; a misspelt price would be an empty one. */
function strictValues(call: Call, strict: ReadonlySet<string>): void {
  const isStrict = strict.has(pathOf(call.path)?.original ?? '')
  for (const value of call.params) {
    if (value.type === 'SubExpression') strictValues(value as hbs.AST.SubExpression, strict)
    else if (isStrict) markStrict(value)
  }
}

function markStrict(value: hbs.AST.Expression): void {
  const path = pathOf(value) as (hbs.AST.PathExpression & { strict?: boolean }) | undefined
  if (path !== undefined) path.strict = true
}

/** `{{x}}` to `{{helper x}}`, and `{{f x}}` to `{{helper (f x)}}`. */
function passThrough(mustache: hbs.AST.MustacheStatement, helper: string, alone: ReadonlySet<string>): void {
  const { path, params, hash, loc } = mustache
  const isCall = params.length > 0 || (hash?.pairs.length ?? 0) > 0 || alone.has(pathOf(path)?.original ?? '')
  if (!isCall) markStrict(path)
  const value = isCall ? { type: 'SubExpression', path, params, hash, loc } : path
  const name = { type: 'PathExpression', data: false, depth: 0, parts: [helper], original: helper, loc }
  mustache.path = name as unknown as hbs.AST.PathExpression
  mustache.params = [value as hbs.AST.Expression]
  mustache.hash = undefined as unknown as hbs.AST.Hash
  mustache.escaped = false
}

export function pathOf(expression: hbs.AST.Expression | undefined): hbs.AST.PathExpression | undefined {
  return expression?.type === 'PathExpression' ? (expression as hbs.AST.PathExpression) : undefined
}
