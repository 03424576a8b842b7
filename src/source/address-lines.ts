/** A file of one entry a line, without column names, as a source of rows. Owns what a line is; judges no entry. */
import { StringDecoder } from 'node:string_decoder'
import type { Text } from './input/decode.ts'
import type { Input } from './input/input.ts'
import { BATCH_ROWS, type Row, type Source } from './source.ts'

/** True when the first line that is neither empty nor a remark is an address or a domain with its `@`, and not a line of column names. */
export function isAddressLines(head: Buffer): boolean {
  const first = head
    .toString('utf8')
    .split(/\r\n?|\n/)
    .find((line) => !isRemark(line))
  const entry = entryOf(first ?? '')
  return entry.length <= 320 && /^(?:[^\s@<>"']+)?@[^\s@<>"']+\.[^\s@<>"']+$/.test(entry)
}

/** Each line's text up to a comma, semicolon or tab is the cell of `column`; empty lines and `# remarks` are not rows. */
export function openAddressLines(input: Input, text: Text, column: string): Source {
  return {
    name: input.name,
    stem: input.stem,
    columns: [column],
    get notes() {
      return [...text.notes, ...input.notes]
    },
    rows: () => readLines(text, column),
  }
}

async function* readLines(text: Text, column: string): AsyncGenerator<readonly Row[]> {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  let line = 0
  let number = 0
  let batch: Row[] = []
  const add = (content: string): void => {
    line++
    if (isRemark(content)) return
    const data: Record<string, unknown> = Object.create(null)
    data[column] = entryOf(content)
    batch.push({ number: ++number, line, data })
  }
  for await (const chunk of text.chunks()) {
    const lines = (rest + decoder.write(chunk)).split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop() ?? ''
    for (const content of lines) {
      add(content)
      if (batch.length < BATCH_ROWS) continue
      yield batch
      batch = []
    }
  }
  if (rest.trim() !== '') add(rest)
  if (batch.length > 0) yield batch
}

function isRemark(line: string): boolean {
  return /^\s*(?:#|$)/.test(line)
}

function entryOf(line: string): string {
  return (/^[^,;\t]*/.exec(line)?.[0] ?? '').trim()
}
