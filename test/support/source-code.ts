/** The source as a parser sees it: its files, its texts, its comments. Owns the walk over the syntax tree; never runs the code. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { parseSync, visitorKeys } from 'oxc-parser'

export const ROOT = resolve(import.meta.dirname, '../..')

/** A text or a comment in a file, and the line where it begins. */
export interface SourceText {
  readonly text: string
  readonly line: number
}

interface SyntaxNode {
  readonly type: string
  readonly start: number
  readonly end: number
}

/** Each file with one of the endings below a folder of the project, as a path from the project's root, sorted. */
export function filesBelow(folder: string, endings: readonly string[], root = ROOT): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes('node_modules/') && !path.includes('.mailmerge/'))
    .sort()
}

export function read(path: string, root = ROOT): string {
  return readFileSync(join(root, path), 'utf8')
}

/** Every string and template literal of a module, `${...}` as `{}`, and strings joined by `+` as one text. */
export function stringsOf(path: string): SourceText[] {
  const source = read(path)
  const found: SourceText[] = []
  function visit(node: SyntaxNode): void {
    if (WITHOUT_TEXTS.has(node.type)) return
    const text = textOf(node)
    if (text !== undefined) found.push({ text: text.cooked, line: lineOf(source, node.start) })
    for (const child of text === undefined ? childrenOf(node) : text.holes) visit(child)
  }
  visit(parsed(path, source).program)
  return found
}

/** The titles of the tests and groups of tests in a module, as `stringsOf` reads them. */
export function titlesOf(path: string): SourceText[] {
  const source = read(path)
  const found: SourceText[] = []
  function visit(node: SyntaxNode): void {
    const { callee, arguments: [title] = [] } = node as SyntaxNode & {
      readonly callee?: SyntaxNode
      readonly arguments?: readonly SyntaxNode[]
    }
    const text = title === undefined ? undefined : textOf(title)
    if (callee !== undefined && TEST.test(source.slice(callee.start, callee.end)) && text !== undefined)
      found.push({ text: text.cooked, line: lineOf(source, node.start) })
    for (const child of childrenOf(node)) visit(child)
  }
  visit(parsed(path, source).program)
  return found
}

/** What is called to declare a test or a group of tests. */
const TEST = /^(test|it|describe)\b(?!\.(each|for)$)/

/** Every comment of a module; lines of `//` that follow each other as one text. */
export function commentsOf(path: string): SourceText[] {
  const source = read(path)
  const found: SourceText[] = []
  let end = -1
  for (const comment of parsed(path, source).comments) {
    const text = comment.value.replace(/^\s*\* ?/gm, '').trim()
    const last = found.at(-1)
    const goesOn = comment.type === 'Line' && last !== undefined && /^\n[ \t]*$/.test(source.slice(end, comment.start))
    if (goesOn) found[found.length - 1] = { text: `${last.text} ${text}`, line: last.line }
    else found.push({ text, line: lineOf(source, comment.start) })
    end = comment.end
  }
  return found
}

/** How often a module spreads an object or nothing: `...(x === undefined ? {} : { x })`. */
export function conditionalSpreads(path: string, root = ROOT): number {
  const source = read(path, root)
  function count(node: SyntaxNode): number {
    const mine =
      node.type === 'SpreadElement' && /\{\}\s*:|:\s*\{\}\s*\)?$/.test(source.slice(node.start, node.end)) ? 1 : 0
    return childrenOf(node).reduce((sum, child) => sum + count(child), mine)
  }
  return count(parsed(path, source).program)
}

/** The names of the members that types of a module declare, and the names of the members that its code reads. */
export function membersOf(path: string): { readonly declared: readonly string[]; readonly read: readonly string[] } {
  const declared: string[] = []
  const readNames: string[] = []
  function visit(node: SyntaxNode, parent?: SyntaxNode): void {
    const { key, property, computed, value, left, operator } = node as SyntaxNode & {
      readonly [field in 'key' | 'property' | 'left']?: SyntaxNode & {
        readonly name?: string
        readonly value?: unknown
      }
    } & { readonly computed?: boolean; readonly value?: unknown; readonly operator?: string }
    const name = String(key?.name ?? key?.value ?? property?.name)
    if (node.type === 'TSPropertySignature' || node.type === 'TSMethodSignature') declared.push(name)
    else if (node.type === 'Property' && parent?.type === 'ObjectPattern') readNames.push(name)
    else if (node.type === 'MemberExpression' && computed !== true) readNames.push(name)
    else if (node.type === 'Literal' && typeof value === 'string') readNames.push(value)
    const written = node.type === 'AssignmentExpression' && operator === '=' && left?.type === 'MemberExpression'
    for (const child of childrenOf(node)) {
      const below = written && child === left ? childrenOf(child).slice(0, 1) : [child]
      for (const one of below) visit(one, node)
    }
  }
  visit(parsed(path, read(path)).program)
  return { declared, read: readNames }
}

function parsed(path: string, source: string) {
  const result = parseSync(path, source)
  if (result.errors.length > 0) throw new Error(`${path}: ${result.errors[0]?.message}`)
  return result
}

/** Imports and types hold no texts that anybody reads. */
const WITHOUT_TEXTS = new Set([
  'ImportDeclaration',
  'ImportExpression',
  'TSInterfaceDeclaration',
  'TSTypeAliasDeclaration',
  'TSTypeAnnotation',
  'TSTypeParameterInstantiation',
  'TSLiteralType',
])

function childrenOf(node: SyntaxNode): SyntaxNode[] {
  const fields = node as unknown as Record<string, unknown>
  return (visitorKeys[node.type] ?? []).flatMap((key) => fields[key]).filter(isNode)
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'type' in value
}

/** The text that a literal, or a sum with one, makes, and the expressions in its holes; undefined for any other node. */
function textOf(node: SyntaxNode): { readonly cooked: string; readonly holes: readonly SyntaxNode[] } | undefined {
  const { value, quasis, expressions, operator, left, right } = node as SyntaxNode & {
    readonly value?: unknown
    readonly quasis?: readonly { readonly value: { readonly cooked: string } }[]
    readonly expressions?: readonly SyntaxNode[]
    readonly operator?: string
    readonly left?: SyntaxNode
    readonly right?: SyntaxNode
  }
  if (node.type === 'Literal') return typeof value === 'string' ? { cooked: value, holes: [] } : undefined
  if (node.type === 'TemplateLiteral')
    return { cooked: (quasis ?? []).map((quasi) => quasi.value.cooked).join('{}'), holes: expressions ?? [] }
  if (node.type !== 'BinaryExpression' || operator !== '+' || left === undefined || right === undefined)
    return undefined
  const [before, after] = [textOf(left), textOf(right)]
  if (before === undefined && after === undefined) return undefined
  const hole = (of: SyntaxNode) => ({ cooked: '{}', holes: [of] })
  const [first, second] = [before ?? hole(left), after ?? hole(right)]
  return { cooked: first.cooked + second.cooked, holes: [...first.holes, ...second.holes] }
}

function lineOf(source: string, offset: number): number {
  let line = 1
  for (let at = source.indexOf('\n'); at !== -1 && at < offset; at = source.indexOf('\n', at + 1)) line += 1
  return line
}

/** A regular expression in a module, and the line where it begins. */
export interface SourceRegexp {
  readonly source: string
  readonly flags: string
  readonly line: number
}

/** Every regular expression that a module writes as such. */
export function regexpsOf(path: string): SourceRegexp[] {
  const source = read(path)
  const found: SourceRegexp[] = []
  function visit(node: SyntaxNode): void {
    const { regex } = node as SyntaxNode & { readonly regex?: { readonly pattern: string; readonly flags: string } }
    if (regex !== undefined) found.push({ source: regex.pattern, flags: regex.flags, line: lineOf(source, node.start) })
    for (const child of childrenOf(node)) visit(child)
  }
  visit(parsed(path, source).program)
  return found
}
