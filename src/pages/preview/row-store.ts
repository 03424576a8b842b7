/**
 * The rows of a list as a preview shows them: by number, by position, by search. Owns two files in a temporary folder;
 * in memory it keeps only a few bytes for each row, so a million rows need some megabytes.
 */
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { restoreRow, storeRow } from '../../campaign/plan/row-data.ts'
import { cellText } from '../../source/cells/cell.ts'
import type { Row } from '../../source/source.ts'
import type { RowFilter, RowMark, RowView } from '../wire.ts'

/** What the list shows of a row. */
export interface Label {
  readonly name: string
  readonly address: string
}

const BITS: Readonly<Record<RowMark, number>> = {
  problem: 1,
  suppressed: 2,
  sent: 4,
  hidden: 8,
  duplicate: 16,
  unselected: 32,
  warning: 64,
}
const MARKS = Object.keys(BITS) as readonly RowMark[]
const FILTER_BITS: Readonly<Record<RowFilter, number>> = {
  all: 0,
  problems: BITS.problem,
  suppressed: BITS.suppressed,
  sent: BITS.sent,
  hidden: BITS.hidden,
  duplicates: BITS.duplicate,
}

/** Bytes of the list that are searched at a time. */
const CHUNK = 4_000_000

interface Kept extends Label, Pick<Row, 'line' | 'hidden' | 'problems' | 'unreadable'> {
  readonly data: string
}

interface Found {
  readonly question: string
  readonly rows: number
  readonly marks: number
  readonly positions: Uint32Array
}

export class RowStore {
  readonly #folder = mkdtempSync(join(tmpdir(), 'mailmerge-preview-'))
  readonly #rows = new Lines(join(this.#folder, 'rows'))
  readonly #words = new Lines(join(this.#folder, 'words'))
  readonly #numbers = new Numbers(() => new Uint32Array(1024))
  #marks = new Uint8Array(1024)
  readonly #counts: Record<RowFilter, number> = {
    ...{ all: 0, problems: 0, suppressed: 0, sent: 0, hidden: 0, duplicates: 0 },
  }
  readonly #firsts = new Map<number, number>()
  /** Which message a row is part of, where rows are grouped; set when the list is read. */
  messageOf: ((row: number) => RowView['sentWith']) | undefined
  /** Moves with every mark. */
  #marked = 0
  #found: Found | undefined

  get size(): number {
    return this.#numbers.length
  }

  get counts(): Readonly<Record<RowFilter, number>> {
    return { ...this.#counts, all: this.size }
  }

  /** Adds rows in the order of the list. */
  add(rows: readonly Row[], labelOf: (row: Row) => Label): void {
    const kept: string[] = []
    const words: string[] = []
    for (const row of rows) {
      const { data, line, hidden, problems, unreadable } = row
      const one: Kept = { ...labelOf(row), data: storeRow(data, []), line, hidden, problems, unreadable }
      kept.push(JSON.stringify(one))
      words.push(folded(Object.values(data).map(cellText).join('\u0001')).replaceAll('\n', ' '))
      this.#numbers.push(row.number)
    }
    this.#rows.add(kept)
    this.#words.add(words)
    if (this.#marks.length < this.size) {
      const wider = new Uint8Array(this.size * 2)
      wider.set(this.#marks)
      this.#marks = wider
    }
  }

  /** Says something of a row; `first` is the row that it is a duplicate of. */
  mark(number: number, mark: RowMark, first?: number): void {
    const at = this.#numbers.find(number)
    if (at < 0 || ((this.#marks[at] ?? 0) & BITS[mark]) !== 0) return
    this.#marks[at] = (this.#marks[at] ?? 0) | BITS[mark]
    this.#marked++
    if (first !== undefined) this.#firsts.set(number, first)
    for (const filter of ['problems', 'suppressed', 'sent', 'hidden', 'duplicates'] as const)
      if (FILTER_BITS[filter] === BITS[mark]) this.#counts[filter]++
  }

  /** The row of that number as it was read; undefined where there is none, or not yet. */
  async row(number: number): Promise<Row | undefined> {
    const at = this.#numbers.find(number)
    if (at < 0) return undefined
    const [text] = await this.#rows.read(at, at + 1)
    if (text === undefined) return undefined
    const { data, name: _, address: __, ...rest } = JSON.parse(text) as Kept
    return { number, ...rest, data: restoreRow(data).cells }
  }

  /** Numbers of that many rows, spread evenly over the list. */
  spread(most: number): readonly number[] {
    const count = Math.min(most, this.size)
    return Array.from({ length: count }, (_, index) => this.#numbers.at(Math.floor((index * this.size) / count)))
  }

  async view(number: number): Promise<RowView | undefined> {
    const at = this.#numbers.find(number)
    return at < 0 ? undefined : (await this.#views(at, at + 1))[0]
  }

  /** The rows that match, from a position among them on. */
  async page(
    { search, filter }: { readonly search: string; readonly filter: RowFilter },
    from: number,
    limit: number,
  ): Promise<{ readonly total: number; readonly rows: readonly RowView[] }> {
    const positions = await this.#matching(search, filter)
    if (positions === undefined) {
      const to = Math.min(this.size, from + limit)
      return { total: this.size, rows: from >= to ? [] : await this.#views(from, to) }
    }
    const rows: RowView[] = []
    for (const at of positions.subarray(from, from + limit)) rows.push(...(await this.#views(at, at + 1)))
    return { total: positions.length, rows }
  }

  /** Position of a row among those that match; of the next one where it does not. */
  async positionOf(number: number, search: string, filter: RowFilter): Promise<number> {
    const at = this.#numbers.nearest(number)
    const positions = await this.#matching(search, filter)
    if (positions === undefined) return at
    const found = positions.findIndex((position) => position >= at)
    return found < 0 ? Math.max(0, positions.length - 1) : found
  }

  close(): void {
    this.#rows.close()
    this.#words.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #views(from: number, to: number): Promise<readonly RowView[]> {
    const texts = await this.#rows.read(from, to)
    return texts.map((text, index) => {
      const { name, address } = JSON.parse(text) as Kept
      const row = this.#numbers.at(from + index)
      const bits = this.#marks[from + index] ?? 0
      const marks = MARKS.filter((mark) => (bits & BITS[mark]) !== 0)
      return { row, name, address, marks, duplicateOf: this.#firsts.get(row), sentWith: this.messageOf?.(row) }
    })
  }

  /** Undefined for all rows. */
  async #matching(search: string, filter: RowFilter): Promise<Uint32Array | undefined> {
    const words = folded(search)
      .split(/\s+/)
      .filter((word) => word !== '')
    const bits = FILTER_BITS[filter]
    if (words.length === 0 && bits === 0) return undefined
    const question = JSON.stringify([words, filter])
    const [rows, marks] = [this.size, this.#marked]
    const known = this.#found
    if (known?.question === question && known.rows === rows && known.marks === marks) return known.positions
    const matches = new Numbers(() => new Uint32Array(1024))
    if (words.length === 0) for (let at = 0; at < rows; at++) this.#take(at, bits, matches)
    else
      for await (const at of this.#words.having(words.map((word) => Buffer.from(word)))) this.#take(at, bits, matches)
    const positions = matches.all()
    this.#found = { question, rows, marks, positions }
    return positions
  }

  #take(at: number, bits: number, into: Numbers): void {
    if (bits === 0 || ((this.#marks[at] ?? 0) & bits) !== 0) into.push(at)
  }
}

/** As it is compared: without case and without marks over letters. */
function folded(text: string): string {
  if (/^[\u0001-\u007F]*$/.test(text)) return text.toLowerCase()
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
}

/** A growing list of numbers in a typed array. */
class Numbers {
  #numbers: Uint32Array | Float64Array
  length = 0

  constructor(make: () => Uint32Array | Float64Array) {
    this.#numbers = make()
  }

  push(number: number): void {
    if (this.length === this.#numbers.length) {
      const wider =
        this.#numbers instanceof Uint32Array ? new Uint32Array(this.length * 2) : new Float64Array(this.length * 2)
      wider.set(this.#numbers)
      this.#numbers = wider
    }
    this.#numbers[this.length++] = number
  }

  at(position: number): number {
    return this.#numbers[position] ?? 0
  }

  all(): Uint32Array {
    return Uint32Array.from(this.#numbers.subarray(0, this.length))
  }

  /** Position of a number in an ascending list; -1 when it is not in it. */
  find(number: number): number {
    const at = this.nearest(number)
    return at < this.length && this.at(at) === number ? at : -1
  }

  /** Where it is, or the next one. */
  nearest(number: number): number {
    let [low, high] = [0, this.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.at(middle) < number) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Lines of a file, found by their number. */
class Lines {
  readonly #path: string
  readonly #out: number
  readonly #offsets = new Numbers(() => new Float64Array(1024))
  #size = 0
  #in: Promise<FileHandle> | undefined

  constructor(path: string) {
    this.#path = path
    this.#out = openSync(path, 'w', 0o600)
  }

  add(lines: readonly string[]): void {
    const buffers = lines.map((line) => Buffer.from(`${line}\n`))
    for (const { length } of buffers) {
      this.#offsets.push(this.#size)
      this.#size += length
    }
    const whole = Buffer.concat(buffers)
    for (let at = 0; at < whole.length; ) at += writeSync(this.#out, whole, at)
  }

  async read(from: number, to: number): Promise<readonly string[]> {
    if (from >= to) return []
    return (await this.#bytes(from, to)).toString('utf8').slice(0, -1).split('\n')
  }

  /** Numbers of the lines that hold all of these words. */
  async *having([first, ...others]: readonly Buffer[]): AsyncIterable<number> {
    if (first === undefined) return
    const count = this.#offsets.length
    for (let from = 0; from < count; ) {
      const to = Math.max(from + 1, Math.min(count, this.#offsets.nearest(this.#offsets.at(from) + CHUNK)))
      const bytes = await this.#bytes(from, to)
      const start = this.#offsets.at(from)
      for (let at = bytes.indexOf(first); at >= 0; ) {
        const line = this.#lineAt(start + at)
        const end = (line + 1 < count ? this.#offsets.at(line + 1) : this.#size) - start
        const own = bytes.subarray(this.#offsets.at(line) - start, end)
        if (others.every((word) => own.includes(word))) yield line
        at = bytes.indexOf(first, end)
      }
      from = to
    }
  }

  #lineAt(offset: number): number {
    const at = this.#offsets.nearest(offset)
    return at < this.#offsets.length && this.#offsets.at(at) === offset ? at : at - 1
  }

  async #bytes(from: number, to: number): Promise<Buffer> {
    this.#in ??= open(this.#path)
    const start = this.#offsets.at(from)
    const end = to < this.#offsets.length ? this.#offsets.at(to) : this.#size
    const bytes = Buffer.allocUnsafe(end - start)
    await (await this.#in).read(bytes, 0, bytes.length, start)
    return bytes
  }

  close(): void {
    closeSync(this.#out)
    void this.#in?.then((handle) => handle.close())
  }
}
