/**
 * What the settings make of a list's columns: other names, types, computed columns. Owns that order; reads no file and
 * knows no message.
 */
import Handlebars from 'handlebars'
import type { SourceSettings } from '../../config/settings.ts'
import { nearest } from '../../did-you-mean.ts'
import { ConfigError, type Problem } from '../../errors.ts'
import { short } from '../header.ts'
import type { Row, RowData, Source } from '../source.ts'
import { createValueReader, type Region, type ValueReader } from './typed-values.ts'

type ColumnSettings = Pick<SourceSettings, 'rename' | 'types' | 'computed'>

/** Handlebars as computed columns use it: with more helpers than its own where the caller brings some. */
export type HandlebarsEnvironment = ReturnType<typeof Handlebars.create>

export interface ColumnOptions extends Region {
  readonly handlebars?: HandlebarsEnvironment
}

/**
 * The source with its columns renamed, then typed, then the computed ones added; each computed column may use those
 * before it. A cell that cannot be read as its type is a problem of its row.
 * @throws ConfigError for a column that is not there, a name that is taken, or an expression that is wrong.
 */
export function mapColumns(source: Source, settings: ColumnSettings, options: ColumnOptions): Source {
  const { rename = {}, types = {}, computed = {} } = settings
  if ([rename, types, computed].every((part) => Object.keys(part).length === 0)) return source
  const columns = renamed(source, rename)
  const readers = Object.entries(types).map(([column, type]): readonly [string, ValueReader] => {
    mustHave(columns, column, `types names the column '${column}'`, source.name)
    return [column, createValueReader(column, type, options)]
  })
  const expressions = compileComputed(columns, computed, source.name, options.handlebars ?? ownHandlebars())
  const pairs = source.columns.map((column, i) => [column, columns[i] ?? column] as const)
  const map = (row: Row): Row => {
    const data: Record<string, unknown> = Object.create(null)
    for (const [before, after] of pairs) data[after] = row.data[before]
    // Records of JSON lists may hold more than the columns.
    for (const key of Object.keys(row.data)) if (!(key in data) && rename[key] === undefined) data[key] = row.data[key]
    const problems = [...(row.problems ?? [])]
    const add = (code: string, column: string, message: string, hint: string, value?: string) => {
      const line = row.line === undefined ? {} : { line: row.line }
      const shown = value === undefined ? {} : { value: short(value) }
      const problem: Problem = { severity: 'error', code, message, hint, file: source.name, row: row.number, column }
      problems.push({ ...problem, ...line, ...shown })
    }
    for (const [column, read] of readers) readTyped(data, column, read, add)
    for (const { column, render } of expressions) {
      try {
        data[column] = render(data)
      } catch (error) {
        const message = `the computed column cannot be made: ${error instanceof Error ? error.message : String(error)}`
        add('bad-computed-column', column, message, 'Mend its expression under computed:, or the row.')
        data[column] = ''
      }
    }
    const { problems: _, ...rest } = row
    return problems.length === 0 ? { ...rest, data } : { ...rest, data, problems }
  }
  return {
    name: source.name,
    stem: source.stem,
    columns: [...columns, ...expressions.map(({ column }) => column)],
    get notes() {
      return source.notes
    },
    async *rows() {
      for await (const batch of source.rows()) yield batch.map(map)
    },
  }
}

function readTyped(
  data: Record<string, unknown>,
  column: string,
  read: ValueReader,
  add: (code: string, column: string, message: string, hint: string, value?: string) => void,
): void {
  const value = data[column]
  if (typeof value !== 'string' || value.trim() === '') return
  const reading = read(value)
  if ('value' in reading) data[column] = reading.value
  else add('bad-value', column, `the cell ${reading.fault}`, 'Mend the cell, or the format under types:.', value)
}

function renamed(source: Source, rename: Readonly<Record<string, string>>): readonly string[] {
  for (const before of Object.keys(rename)) {
    mustHave(source.columns, before, `rename names the column '${before}'`, source.name)
  }
  const columns = source.columns.map((column) => (Object.hasOwn(rename, column) ? (rename[column] ?? column) : column))
  const twice = columns.find((column, i) => columns.indexOf(column) !== i)
  if (twice === undefined) return columns
  throw new ConfigError(`rename gives two columns of ${source.name} the name '${twice}'`, {
    hint: 'Give each a name of its own.',
  })
}

function mustHave(columns: readonly string[], column: string, what: string, file: string): void {
  if (columns.includes(column)) return
  const guess = nearest(column, columns)
  throw new ConfigError(`${what}, which ${file} does not have`, {
    hint: guess === undefined ? `Its columns are ${columns.slice(0, 20).join(', ')}.` : `Did you mean '${guess}'?`,
  })
}

interface Expression {
  readonly column: string
  readonly render: (data: RowData) => string
}

function compileComputed(
  columns: readonly string[],
  computed: Readonly<Record<string, string>>,
  file: string,
  handlebars: HandlebarsEnvironment,
): readonly Expression[] {
  const known = [...columns]
  return Object.entries(computed).map(([column, text]) => {
    if (known.includes(column)) {
      throw new ConfigError(`computed makes the column '${column}', which ${file} has already`, {
        hint: 'Give the computed column another name, or rename the one in the list.',
      })
    }
    for (const name of namesIn(handlebars, column, text)) {
      if (!Object.hasOwn(handlebars.helpers, name))
        mustHave(known, name, `the computed column '${column}' uses '${name}'`, file)
    }
    known.push(column)
    const template = handlebars.compile(text, { strict: true, noEscape: true })
    return { column, render: (data) => template(data) }
  })
}

/** Names of the row that an expression uses outside of blocks that look elsewhere. @throws ConfigError for bad syntax. */
function namesIn(handlebars: HandlebarsEnvironment, column: string, text: string): readonly string[] {
  const names: string[] = []
  const take = (expression: hbs.AST.Expression) => {
    if (expression.type === 'SubExpression') takeCall(expression as hbs.AST.SubExpression)
    if (expression.type !== 'PathExpression') return
    const { data, depth, parts } = expression as hbs.AST.PathExpression
    const [first] = parts
    if (!data && depth === 0 && typeof first === 'string') names.push(first)
  }
  const takeCall = ({ path, params, hash }: hbs.AST.MustacheStatement | hbs.AST.SubExpression) => {
    take(path as hbs.AST.Expression)
    for (const param of params) take(param)
    for (const pair of hash?.pairs ?? []) take(pair.value)
  }
  try {
    for (const statement of handlebars.parse(text).body) {
      if (statement.type === 'MustacheStatement') takeCall(statement as hbs.AST.MustacheStatement)
    }
  } catch (cause) {
    const message = cause instanceof Error ? cause.message.replace(/\s+/g, ' ') : String(cause)
    throw new ConfigError(`the computed column '${column}' cannot be read: ${message}`, {
      hint: 'Computed columns are Handlebars texts: {{first}} {{last}}. Names with spaces stand in [brackets].',
      cause,
    })
  }
  return names
}

/** The plain language: nothing in it writes to the console or leaves the row. */
function ownHandlebars(): HandlebarsEnvironment {
  const handlebars = Handlebars.create()
  handlebars.unregisterHelper('log')
  return handlebars
}
