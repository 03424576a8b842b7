/**
 * What the settings make of a list's columns: other names, types, computed columns. Owns that order; reads no file and
 * never knows messages.
 */
import type { SourceSettings } from '../../config/settings.ts'
import { didYouMean } from '../../did-you-mean.ts'
import { ConfigError, MailmergeError, type Problem } from '../../errors.ts'
import { cellText } from '../cells/cell.ts'
import type { Reading } from '../cells/compare.ts'
import { short } from '../header.ts'
import type { Row, RowData, Source } from '../source.ts'
import { createValueReader, type ValueReader } from './typed-values.ts'

type ColumnSettings = Pick<SourceSettings, 'rename' | 'types' | 'computed'>

/** A computed column's text, compiled. */
export interface Expression {
  /** Names of columns that it reads, as far as its text says. */
  readonly names: readonly string[]
  /** Throws for a row that it cannot be made of. */
  render(row: RowData): string
}

export interface ColumnOptions extends Reading {
  /** Compiles a computed column; throws DataError for a text that is wrong. */
  readonly compile: ((text: string) => Expression) | undefined
}

/** Changes one column of a row in place, or says what is wrong with it. */
interface Step {
  readonly column: string
  readonly run: (data: Record<string, unknown>) => Fault | undefined
}

type Fault = Pick<Problem, 'code' | 'message' | 'hint' | 'value'>

/**
 * The source with its columns renamed, then typed, then the computed ones added; each computed column may use those
 * before it. A cell that cannot be read as its type is a problem of its row.
 * @throws ConfigError for a column that is not there, a name that is taken, or an expression that is wrong.
 */
export function mapColumns(source: Source, settings: ColumnSettings, options: ColumnOptions): Source {
  const { rename = {}, types = {}, computed = {} } = settings
  if ([rename, types, computed].every((part) => Object.keys(part).length === 0)) return source
  const columns = renamed(source, rename)
  const typed = Object.entries(types).map(([column, type]): Step => {
    mustHave(columns, column, `types names the column '${column}'`, source.name)
    const read = createValueReader(column, type, options)
    return { column, run: (data) => readTyped(data, column, read) }
  })
  const used = new Set(Object.keys(types))
  const made = computedSteps(columns, computed, source.name, options.compile, used)
  const pairs = source.columns.map((column, i) => [column, columns[i] ?? column] as const)
  const map = (row: Row): Row => {
    const data: Record<string, unknown> = Object.create(null)
    for (const [before, after] of pairs) data[after] = row.data[before]
    // Records of JSON lists may hold more than the columns.
    for (const key of Object.keys(row.data)) if (!(key in data) && rename[key] === undefined) data[key] = row.data[key]
    const problems = [...(row.problems ?? [])]
    for (const { column, run } of [...typed, ...made]) {
      const fault = run(data)
      if (fault === undefined) continue
      const place = {
        file: source.name,
        row: row.number,
        column,
        line: row.line,
      }
      problems.push({ severity: 'error', ...place, ...fault })
    }
    const { problems: _, unreadable = [], ...rest } = row
    const unused: Problem[] = []
    for (const problem of unreadable) {
      const column = Object.hasOwn(rename, problem.column ?? '') ? rename[problem.column ?? ''] : problem.column
      const renamed = column === undefined ? problem : { ...problem, column }
      ;(used.has(column ?? '') ? problems : unused).push(renamed)
    }
    return {
      ...rest,
      data,
      problems: problems.length === 0 ? undefined : problems,
      unreadable: unused.length === 0 ? undefined : unused,
    }
  }
  return {
    name: source.name,
    stem: source.stem,
    columns: [...columns, ...made.map(({ column }) => column)],
    sample: (source.sample ?? []).map((row) =>
      Object.fromEntries(pairs.map(([before, after]) => [after, row[before]])),
    ),
    get notes() {
      return source.notes
    },
    async *rows() {
      for await (const batch of source.rows()) yield batch.map(map)
    },
  }
}

function readTyped(data: Record<string, unknown>, column: string, read: ValueReader): Fault | undefined {
  const value = data[column]
  if (value === null || value === undefined || (typeof value === 'string' && value.trim() === '')) return undefined
  const reading = read(value)
  if ('value' in reading) {
    data[column] = reading.value
    return undefined
  }
  const { fault, hint = 'Fix the cell, or the format under columns.types.' } = reading
  return { code: 'bad-value', message: `the cell ${fault}`, hint, value: short(cellText(value)) }
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
  throw new ConfigError(`${what}, which ${file} does not have`, {
    hint: didYouMean(column, columns, `Its columns are ${columns.slice(0, 20).join(', ')}.`),
  })
}

function computedSteps(
  columns: readonly string[],
  computed: Readonly<Record<string, string>>,
  file: string,
  compile: ColumnOptions['compile'],
  used: Set<string>,
): readonly Step[] {
  const known = [...columns]
  return Object.entries(computed).map(([column, text]) => {
    if (known.includes(column)) {
      throw new ConfigError(`computed makes the column '${column}', which ${file} has already`, {
        hint: 'Give the computed column another name, or rename the one in the list.',
      })
    }
    const { names, render } = compiled(column, text, compile)
    for (const name of names) {
      mustHave(known, name, `the computed column '${column}' uses '${name}'`, file)
      used.add(name)
    }
    known.push(column)
    return { column, run: (data) => compute(data, column, render) }
  })
}

function compiled(column: string, text: string, compile: ColumnOptions['compile']): Expression {
  if (compile === undefined) throw new TypeError('computed columns need a compiler')
  try {
    return compile(text)
  } catch (cause) {
    throw new ConfigError(`the computed column '${column}' cannot be read: ${faultOf(cause)}`, {
      hint: 'Computed columns are Handlebars texts: {{first}} {{last}}. Write names with spaces in brackets: {{[first name]}}.',
      cause,
    })
  }
}

function compute(data: Record<string, unknown>, column: string, render: Expression['render']): Fault | undefined {
  try {
    data[column] = render(data)
    return undefined
  } catch (error) {
    data[column] = ''
    const message = `the computed column cannot be made: ${faultOf(error)}`
    return { code: 'bad-computed-column', message, hint: 'Fix its expression under columns.computed, or the row.' }
  }
}

/** What an error says, without the place in a text of one line. */
function faultOf(error: unknown): string {
  if (error instanceof MailmergeError) return error.problems[0]?.message ?? error.message
  return error instanceof Error ? error.message : String(error)
}
