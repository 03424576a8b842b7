/**
 * Finds names that no column has, before any row is rendered. Owns the walk over a template's tree; what only a row can
 * tell (inside `{{#each}}` and `{{#with}}`) is left to rendering.
 */
import { nearest } from '../nearest.ts'
import { failure, type Snippet } from './engine.ts'

export interface Known {
  readonly helpers: ReadonlySet<string>
  readonly partials: ReadonlySet<string>
}

/** A name that a template reads from its row. */
export interface NameUse {
  readonly name: string
  readonly snippet: Snippet
  readonly line: number
  readonly column: number
}

interface Scope {
  /** False inside a block that changes what names mean. */
  readonly isRow: boolean
  readonly locals: ReadonlySet<string>
  readonly outer?: Scope
}

/** Names of columns that a text reads. @throws DataError for a helper or partial that there is not. */
export function namesIn(program: hbs.AST.Program, snippet: Snippet, known: Known): readonly NameUse[] {
  const uses: NameUse[] = []
  walk(program, { isRow: true, locals: new Set() }, { snippet, known, uses })
  return uses
}

/** @throws DataError for the first use of a name that is no column, naming the nearest one. */
export function checkNames(uses: readonly NameUse[], columns: readonly string[]): void {
  const all = new Set(columns)
  for (const { name, snippet, line, column } of uses) {
    if (all.has(name)) continue
    const guess = nearest(name, columns)
    const hint = guess === undefined ? `The list has the columns ${columns.join(', ')}.` : `Did you mean '${guess}'?`
    throw failure(snippet, 'unknown-column', `the list has no column '${name}'`, hint, { line, column })
  }
}

interface Walk {
  readonly snippet: Snippet
  readonly known: Known
  readonly uses: NameUse[]
}

const CHANGES_SCOPE = new Set(['each', 'with'])

function walk(program: hbs.AST.Program | undefined, scope: Scope, state: Walk): void {
  for (const statement of program?.body ?? []) visit(statement, scope, state)
}

function visit(node: hbs.AST.Statement, scope: Scope, state: Walk): void {
  switch (node.type) {
    case 'MustacheStatement':
      call(node as hbs.AST.MustacheStatement, scope, state, false)
      return
    case 'BlockStatement': {
      const block = node as hbs.AST.BlockStatement
      call(block, scope, state, true)
      const name = pathOf(block.path)?.original ?? ''
      const locals = new Set([...scope.locals, ...(block.program?.blockParams ?? [])])
      const plain = !CHANGES_SCOPE.has(name) && state.known.helpers.has(name)
      walk(block.program, plain ? { ...scope, locals } : { isRow: false, locals, outer: scope }, state)
      walk(block.inverse, plain ? scope : { ...scope, outer: scope }, state)
      return
    }
    case 'PartialStatement':
    case 'PartialBlockStatement': {
      const partial = node as hbs.AST.PartialStatement
      const path = pathOf(partial.name as hbs.AST.Expression)
      if (path === undefined) {
        throw failure(
          state.snippet,
          'dynamic-partial',
          'a partial must be named in the template itself',
          'Write {{> name}}.',
          start(node),
        )
      }
      if (!state.known.partials.has(path.original) && path.original !== '@partial-block') {
        const guess = nearest(path.original, state.known.partials)
        const hint = guess === undefined ? 'Partials are files in templates/_partials.' : `Did you mean '${guess}'?`
        throw failure(state.snippet, 'missing-partial', `there is no partial '${path.original}'`, hint, start(node))
      }
      for (const expression of partial.params ?? []) value(expression, scope, state)
      for (const pair of partial.hash?.pairs ?? []) value(pair.value, scope, state)
      if (node.type === 'PartialBlockStatement')
        walk((node as hbs.AST.PartialBlockStatement).program, { ...scope, isRow: false }, state)
      return
    }
    case 'DecoratorBlock':
    case 'Decorator':
      throw failure(
        state.snippet,
        'decorator',
        'decorators are not part of templates here',
        'Put the text into a partial.',
        start(node),
      )
    default:
  }
}

function call(
  node: hbs.AST.MustacheStatement | hbs.AST.BlockStatement | hbs.AST.SubExpression,
  scope: Scope,
  state: Walk,
  isBlock: boolean,
): void {
  const path = pathOf(node.path as hbs.AST.Expression)
  const hasArguments = node.params.length > 0 || (node.hash?.pairs.length ?? 0) > 0 || node.type === 'SubExpression'
  const isHelper =
    path !== undefined &&
    !path.data &&
    path.depth === 0 &&
    path.parts.length === 1 &&
    state.known.helpers.has(path.original)
  if (hasArguments && !isHelper && path !== undefined) {
    const guess = nearest(path.original, state.known.helpers)
    const hint = guess === undefined ? 'docs/templates.md lists the helpers.' : `Did you mean '${guess}'?`
    throw failure(state.snippet, 'missing-helper', `there is no helper '${path.original}'`, hint, start(node))
  }
  // A column may have a helper's name: without arguments and outside of blocks the row has the say nowhere, the helper does.
  if (!isHelper && (!isBlock || !hasArguments)) value(node.path as hbs.AST.Expression, scope, state)
  for (const expression of node.params) value(expression, scope, state)
  for (const pair of node.hash?.pairs ?? []) value(pair.value, scope, state)
}

function value(expression: hbs.AST.Expression, scope: Scope, state: Walk): void {
  if (expression.type === 'SubExpression') {
    call(expression as hbs.AST.SubExpression, scope, state, false)
    return
  }
  const path = pathOf(expression)
  if (path === undefined) return
  let name = path.parts[0]
  let where: Scope | undefined = scope
  if (path.data) {
    if (name !== 'root') return
    name = path.parts[1]
    while (where.outer !== undefined) where = where.outer
  } else {
    for (let depth = path.depth; depth > 0 && where !== undefined; depth--) where = where.outer
  }
  if (typeof name !== 'string' || /^(this|\.)$/.test(path.original) || path.original.startsWith('this.')) return
  if (where === undefined || !where.isRow || (path.depth === 0 && !path.data && scope.locals.has(name))) return
  state.uses.push({ name, snippet: state.snippet, ...start(path) })
}

function pathOf(expression: hbs.AST.Expression | undefined): hbs.AST.PathExpression | undefined {
  return expression?.type === 'PathExpression' ? (expression as hbs.AST.PathExpression) : undefined
}

function start(node: hbs.AST.Node): { line: number; column: number } {
  return { line: node.loc?.start.line ?? 1, column: node.loc?.start.column ?? 0 }
}
