/**
 * Finds names that no column has, before any row is rendered. Owns the walk over a template's tree and the partials that it
 * uses; what only a row can tell (inside `{{#each}}` of a cell and `{{#with}}`) is left to rendering.
 */

import { nearest } from '../did-you-mean.ts'
import { docsPage } from '../docs-page.ts'
import { DataError, type Problem } from '../errors.ts'
import { pathOf } from './engine/tree.ts'
import { failure, type Place, placeText, problemAt, type Snippet } from './files/place.ts'
import { type NameUse, ROWS } from './template.ts'

export interface Parsed {
  readonly snippet: Snippet
  readonly program: hbs.AST.Program
}

export interface Known {
  readonly helpers: ReadonlySet<string>
  readonly partials: ReadonlyMap<string, Parsed>
  /** Partials that a template defines for itself: `{{#*inline "name"}}`. */
  readonly inline: ReadonlySet<string>
}

interface Scope {
  /** False inside a block that changes what names mean. */
  readonly isRow: boolean
  readonly locals: ReadonlySet<string>
  /** Names are those of each row of a message, where rows are grouped. */
  readonly ofRows?: boolean
  readonly outer?: Scope
}

/** Names of columns that a text reads. @throws DataError for a helper or partial that there is not. */
export function namesIn({ program, snippet }: Parsed, known: Known): readonly NameUse[] {
  const uses: NameUse[] = []
  walk(program, { isRow: true, locals: new Set() }, { snippet, known, uses, walked: new Set() })
  return uses
}

/** What a row has. */
export interface RowNames {
  readonly columns: readonly string[]
  /** Rows are grouped, and those of a message are there as `rows`. */
  readonly isGrouped: boolean
}

/** @throws DataError for the names that are not columns, each with the nearest one. */
export function checkNames(
  uses: readonly NameUse[],
  { columns, isGrouped }: RowNames,
  helpers: ReadonlySet<string>,
): void {
  const all = new Set(isGrouped ? [...columns, ROWS] : columns)
  const problems = new Map<string, Problem>()
  for (const { name, snippet, line, column, isCall, ofRows } of uses) {
    // Without groups the list that is gone through is a cell, and its items are not rows.
    if (ofRows && !isGrouped) continue
    if (isCall) {
      const meant = columns.find((one) => one.normalize('NFC').toLowerCase() === name.normalize('NFC').toLowerCase())
      if (meant === undefined) continue
      const message = `'${name}' reads as a call of '${name.split(' ')[0]}', and it is a column of the list`
      const problem = problemAt(snippet, 'column-of-words', message, `Write {{[${meant}]}}.`, { line, column })
      problems.set(`${placeText(problem)} ${name}`, problem)
      continue
    }
    if (all.has(name)) continue
    const guess = nearest(name, columns)
    const hint =
      name === ROWS
        ? 'The rows of a message are there where rows are grouped: --group-by COLUMN, or groupBy in mailmerge.yaml.'
        : guess !== undefined
          ? `Did you mean '${guess}'?`
          : helpers.has(name)
            ? `The helper of that name needs a value: {{${name} column}}. The columns are ${listed(columns)}.`
            : `The list has the columns ${listed(columns)}.`
    const problem = problemAt(snippet, 'unknown-column', `the list has no column '${name}'`, hint, { line, column })
    problems.set(`${placeText(problem)} ${name}`, problem)
  }
  const [first] = problems.values()
  if (first === undefined) return
  const more = problems.size === 1 ? {} : { problems: [...problems.values()] }
  throw problems.size === 1
    ? new DataError(`${placeText(first)}: ${first.message}`, {
        problems: [first],
        hint: first.hint,
      })
    : new DataError(`the template uses ${problems.size} names that are not columns of the list`, more)
}

function listed(columns: readonly string[]): string {
  const shown = columns.slice(0, 20).join(', ')
  return columns.length > 20 ? `${shown} and ${columns.length - 20} more` : shown
}

interface Walk {
  readonly snippet: Snippet
  readonly known: Known
  readonly uses: NameUse[]
  /** Partials walked, with what their names meant then. */
  readonly walked: Set<string>
}

const CHANGES_SCOPE = new Set(['each', 'with'])
/** Helpers that read a column of all rows: `{{sum rows "amount"}}`. */
const READS_FIELD = new Set(['sum', 'count', 'average', 'min', 'max'])
/** Helpers to which a cell is true when anything stands in it. */
const ASKS_IF_FILLED = new Set(['if', 'unless', 'and', 'or', 'not'])

function walk(program: hbs.AST.Program | undefined, scope: Scope, state: Walk): void {
  for (const statement of program?.body ?? []) visit(statement, scope, state)
}

function visit(node: hbs.AST.Statement, scope: Scope, state: Walk): void {
  switch (node.type) {
    case 'MustacheStatement':
      call(node as hbs.AST.MustacheStatement, scope, state, false)
      return
    case 'BlockStatement':
      block(node as hbs.AST.BlockStatement, scope, state)
      return
    case 'PartialStatement':
    case 'PartialBlockStatement':
      partial(node as hbs.AST.PartialStatement | hbs.AST.PartialBlockStatement, scope, state)
      return
    case 'DecoratorBlock':
    case 'Decorator':
      decorator(node as hbs.AST.DecoratorBlock | hbs.AST.Decorator, scope, state)
      return
    default:
  }
}

function block(node: hbs.AST.BlockStatement, scope: Scope, state: Walk): void {
  call(node, scope, state, true)
  const name = pathOf(node.path)?.original ?? ''
  const locals = new Set([...scope.locals, ...(node.program?.blockParams ?? [])])
  const isPlain = !CHANGES_SCOPE.has(name) && state.known.helpers.has(name)
  if (name === 'each' && isRows(node.params[0], scope)) {
    walk(node.program, { isRow: true, ofRows: true, locals, outer: scope }, state)
    walk(node.inverse, scope, state)
    return
  }
  // `{{#each}}` with names of its own for the turn leaves nothing to guess about those names.
  walk(node.program, isPlain ? { ...scope, locals } : { isRow: false, locals, outer: scope }, state)
  walk(node.inverse, scope, state)
}

/** Whether an expression is the rows of the message. */
function isRows(expression: hbs.AST.Expression | undefined, scope: Scope): boolean {
  const path = expression === undefined ? undefined : pathOf(expression)
  if (path === undefined || path.parts.length !== (path.data ? 2 : 1)) return false
  const { name, where } = meant(path, scope)
  return name === ROWS && where?.isRow === true && where.ofRows !== true && !isLocal(path, scope)
}

function partial(node: hbs.AST.PartialStatement | hbs.AST.PartialBlockStatement, scope: Scope, state: Walk): void {
  const name = partialName(node.name)
  if (name === undefined) {
    const message = 'a partial must be named in the template itself'
    throw failure(state.snippet, 'dynamic-partial', message, 'Write {{> name}}.', start(node))
  }
  const parsed = state.known.partials.get(name)
  if (parsed === undefined && !state.known.inline.has(name) && name !== '@partial-block') {
    const guess = nearest(name, [...state.known.partials.keys(), ...state.known.inline])
    const hint = guess === undefined ? 'Partials are files in templates/_partials.' : `Did you mean '${guess}'?`
    throw failure(state.snippet, 'missing-partial', `there is no partial '${name}'`, hint, start(node))
  }
  for (const expression of node.params ?? []) value(expression, scope, state)
  for (const pair of node.hash?.pairs ?? []) value(pair.value, scope, state)
  const isRow = scope.isRow && node.params.length === 0
  const locals = new Set([...scope.locals, ...(node.hash?.pairs ?? []).map(({ key }) => key)])
  const inside: Scope = isRow ? { isRow, locals } : { isRow, locals, outer: scope }
  if (node.type === 'PartialBlockStatement') {
    walk(node.program, inside, state)
  }
  const key = `${name}\n${isRow}\n${[...locals].join('\n')}`
  if (parsed === undefined || state.walked.has(key)) return
  state.walked.add(key)
  walk(parsed.program, inside, { ...state, snippet: parsed.snippet })
}

/** Also `{{> "footer"}}` and `{{> 1}}` name one; what is reckoned for each row does not. */
function partialName(name: hbs.AST.Expression): string | undefined {
  if (name.type === 'StringLiteral') return (name as hbs.AST.StringLiteral).value
  return pathOf(name)?.original
}

function decorator(node: hbs.AST.DecoratorBlock | hbs.AST.Decorator, scope: Scope, state: Walk): void {
  const isInline = pathOf(node.path)?.original === 'inline' && node.params[0]?.type === 'StringLiteral'
  if (!isInline || !('program' in node)) {
    const hint = 'There is {{#*inline "name"}} for a partial within a template.'
    throw failure(state.snippet, 'decorator', 'decorators are not part of templates here', hint, start(node))
  }
  // Where it is used, and with which names, is not known here.
  walk(node.program, { isRow: false, locals: new Set(), outer: scope }, state)
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
  const words = node.type === 'MustacheStatement' ? wordsOf(node) : undefined
  if (words !== undefined) state.uses.push({ name: words, snippet: state.snippet, isCall: true, ...start(node) })
  if (hasArguments && !isHelper && path !== undefined) {
    const guess = nearest(path.original, state.known.helpers)
    const column = words === undefined ? '' : ` If '${words}' is a column, write {{[${words}]}}.`
    const hint =
      (guess === undefined ? `${docsPage('templates')} lists the helpers.` : `Did you mean '${guess}'?`) + column
    throw failure(state.snippet, 'missing-helper', `there is no helper '${path.original}'`, hint, start(node))
  }
  if (!isHelper && (!isBlock || !hasArguments))
    value(node.path as hbs.AST.Expression, scope, state, isBlock ? 'condition' : 'output')
  const [list, field] = node.params
  if (isHelper && READS_FIELD.has(path.original) && field?.type === 'StringLiteral' && isRows(list, scope)) {
    const { value } = field as hbs.AST.StringLiteral
    state.uses.push({ name: value, snippet: state.snippet, ofRows: true, ...start(field) })
  }
  const how = isHelper && ASKS_IF_FILLED.has(path.original) ? 'condition' : undefined
  for (const expression of node.params) value(expression, scope, state, how)
  for (const pair of node.hash?.pairs ?? []) value(pair.value, scope, state)
}

/** `{{first name}}` in plain words, where it is nothing else than words. */
function wordsOf({ path, params, hash }: hbs.AST.MustacheStatement): string | undefined {
  if (params.length === 0 || (hash?.pairs.length ?? 0) > 0) return undefined
  const parts = [path, ...params].map((part) => pathOf(part as hbs.AST.Expression))
  if (!parts.every((part) => part !== undefined && !part.data && part.depth === 0 && part.parts.length === 1))
    return undefined
  return parts.map((part) => part?.original).join(' ')
}

function value(expression: hbs.AST.Expression, scope: Scope, state: Walk, how?: NameUse['how']): void {
  if (expression.type === 'SubExpression') {
    call(expression as hbs.AST.SubExpression, scope, state, false)
    return
  }
  const path = pathOf(expression)
  if (path === undefined) return
  const { name, where } = meant(path, scope)
  if (typeof name !== 'string' || where === undefined || !where.isRow || isLocal(path, scope)) return
  state.uses.push({ name, snippet: state.snippet, how, ofRows: where.ofRows, ...start(path) })
}

/** The name that a path begins with, and the scope that it is a name of. */
function meant(
  path: hbs.AST.PathExpression,
  scope: Scope,
): { readonly name: unknown; readonly where: Scope | undefined } {
  let where: Scope | undefined = scope
  if (path.data) {
    if (path.parts[0] !== 'root') return { name: undefined, where: undefined }
    while (where.outer !== undefined) where = where.outer
    return { name: path.parts[1], where }
  }
  for (let depth = path.depth; depth > 0 && where !== undefined; depth--) where = where.outer
  return { name: path.parts[0], where }
}

function isLocal(path: hbs.AST.PathExpression, { locals }: Scope): boolean {
  return path.depth === 0 && !path.data && locals.has(String(path.parts[0]))
}

function start(node: hbs.AST.Node): Place {
  return { line: node.loc?.start.line ?? 1, column: node.loc?.start.column ?? 0 }
}
