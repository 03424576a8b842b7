/** A JSON array or NDJSON list as a source of rows. Owns what makes a record a good row; values keep their shape. */
import { DataError, type Problem } from '../../errors.ts'
import { MAX_COLUMNS, short } from '../header.ts'
import { LOST, type Text } from '../input/decode.ts'
import type { Input } from '../input/input.ts'
import { BATCH_ROWS, type Row, type RowData, type Source } from '../source.ts'
import { type JsonLayout, type JsonRecord, JsonSplitter } from './splitter.ts'

/** Rows of the beginning that say which columns there are. */
const COLUMN_ROWS = 1000
const MAX_DEPTH = 32

/** @throws DataError when the text is not a list of objects. */
export async function openJson(input: Input, text: Text, kind: 'json' | 'ndjson'): Promise<Source> {
  const layout = layoutOf(text.head, kind)
  const columns = findColumns(input, text.head, layout)
  return {
    name: input.name,
    stem: input.stem,
    columns,
    get notes() {
      return [...text.notes, ...input.notes]
    },
    rows: () => readRows(input.name, text, layout, columns),
  }
}

function layoutOf(head: Buffer, kind: 'json' | 'ndjson'): JsonLayout {
  const start = head.toString('utf8', 0, 1 << 16).trimStart()
  if (start.startsWith('[') && kind === 'json') return 'array'
  const [line = ''] = start.split('\n', 1)
  // One object over many lines, or several: pretty-printed.
  if (kind === 'json' && start.startsWith('{') && line.length < start.length && !isObject(line)) return 'objects'
  return kind === 'json' && !start.startsWith('{') ? 'array' : 'lines'
}

function isObject(text: string): boolean {
  try {
    return typeof JSON.parse(text) === 'object'
  } catch {
    return false
  }
}

function findColumns(input: Input, head: Buffer, layout: JsonLayout): readonly string[] {
  const { name } = input
  const cutter = new JsonSplitter(name, layout)
  const records = cutter.write(head)
  const last = input.complete ? cutter.end() : []
  const columns = new Set<string>()
  const rows = [...records, ...last].filter((record) => record.text.trim() !== '').slice(0, COLUMN_ROWS)
  const [first] = rows
  if (first === undefined) {
    throw new DataError(`${name} has no rows`, { hint: 'A list is an array of objects: [{"email": "..."}]' })
  }
  for (const record of rows) {
    const { value } = parseRecord(record)
    if (value !== undefined) for (const key of Object.keys(value)) columns.add(key)
    else if (record === first) throw firstIsBad(name, record)
  }
  if (rows.length === 1) refuseWrapper(name, first)
  if (columns.size === 0) {
    throw new DataError(`the first rows of ${name} have no columns`, {
      hint: 'Every row names its values: {"email": "..."}',
    })
  }
  if (columns.size > MAX_COLUMNS) {
    throw new DataError(`${name} has ${columns.size} columns; at most ${MAX_COLUMNS} can be read`, {
      hint: 'Give every row the same names, and keep what belongs together in an object of its own.',
    })
  }
  return [...columns]
}

function firstIsBad(name: string, record: JsonRecord): DataError {
  const { fault = 'is not an object' } = parseRecord(record)
  return new DataError(`${name}, line ${record.line}: the first row ${fault}`, {
    hint: 'Every row is an object: {"email": "..."}. NDJSON holds one a line.',
  })
}

/** A document that carries its list inside of one object is read as one row unless someone says so. */
function refuseWrapper(name: string, record: JsonRecord): void {
  const { value } = parseRecord(record)
  const inside = Object.entries(value ?? {}).find(([, list]) => Array.isArray(list) && typeof list[0] === 'object')
  const flat = Object.values(value ?? {}).some((cell) => typeof cell === 'string' && cell.includes('@'))
  if (inside === undefined || flat) return
  throw new DataError(`${name} holds one object with the list inside, under '${short(inside[0])}'`, {
    hint: `Give the list itself, for example: jq '.${inside[0]}' ${name} | mailmerge run --data -`,
  })
}

interface Parsed {
  readonly value?: RowData
  /** What is wrong, as the end of a sentence that begins with the row. */
  readonly fault?: string
}

function parseRecord({ text }: JsonRecord): Parsed {
  let value: unknown
  try {
    // Numbers beyond what a double holds keep their digits, as texts: they are numbers of customers, not amounts.
    value = /\d{16}/.test(text) ? JSON.parse(text, keepDigits) : JSON.parse(text)
  } catch (error) {
    return { fault: `is not JSON: ${error instanceof Error ? short(error.message) : 'it cannot be read'}` }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { fault: 'is not an object' }
  try {
    return { value: plain(value, 0) as RowData }
  } catch {
    return { fault: `is nested more than ${MAX_DEPTH} levels deep` }
  }
}

function keepDigits(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source
  return typeof value === 'number' && source !== undefined && /^-?\d{16,}$/.test(source) ? source : value
}

/** The same value with objects that have no prototype, so that no name in it reaches anything else. */
function plain(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (depth > MAX_DEPTH) throw new RangeError('too deep')
  if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1))
  const copy: Record<string, unknown> = Object.create(null)
  for (const [key, item] of Object.entries(value)) copy[key] = plain(item, depth + 1)
  return copy
}

async function* readRows(
  file: string,
  text: Text,
  layout: JsonLayout,
  columns: readonly string[],
): AsyncGenerator<readonly Row[]> {
  const cutter = new JsonSplitter(file, layout)
  let number = 0
  const batches = function* (records: readonly JsonRecord[]): Generator<readonly Row[]> {
    for (let from = 0; from < records.length; from += BATCH_ROWS) {
      const rows: Row[] = []
      for (const record of records.slice(from, from + BATCH_ROWS)) {
        if (record.text.trim() !== '') rows.push(toRow(record, ++number, file, columns))
      }
      if (rows.length > 0) yield rows
    }
  }
  for await (const chunk of text.chunks()) yield* batches(cutter.write(chunk))
  yield* batches(cutter.end())
}

function toRow(record: JsonRecord, number: number, file: string, columns: readonly string[]): Row {
  const { value, fault } = parseRecord(record)
  const { line } = record
  const place = { severity: 'error', file, row: number, line } as const
  const data: Record<string, unknown> = Object.create(null)
  for (const column of columns) data[column] = value?.[column] ?? ''
  if (value === undefined) {
    const hint = 'Every row is an object: {"email": "..."}'
    const problem: Problem = {
      ...place,
      code: 'bad-json',
      message: `the row ${fault}`,
      hint,
      value: short(record.text),
    }
    return { number, line, data, problems: [problem] }
  }
  for (const [key, item] of Object.entries(value)) data[key] = item ?? ''
  const problems: Problem[] = []
  if (record.text.includes(LOST)) {
    const hint = 'Write the list as UTF-8, or say with encoding: how it is written.'
    problems.push({ ...place, code: 'lost-text', message: 'the row holds characters that could not be read', hint })
  }
  if (record.text.includes('\\u0000')) {
    problems.push({ ...place, code: 'nul-character', message: 'the row holds a NUL character', hint: 'Remove it.' })
  }
  return problems.length === 0 ? { number, line, data } : { number, line, data, problems }
}
