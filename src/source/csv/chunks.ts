/**
 * The records of a list, chunk of text by chunk. Owns whether they are read in turn with the work on the rows, or ahead of
 * it on a second thread; either way they are the same.
 */
import { availableParallelism } from 'node:os'
import type { Text } from '../input/decode.ts'
import type { Input } from '../input/input.ts'
import { RecordThread } from './parser-thread.ts'
import { type CsvDialect, type Reading, RecordReader } from './records.ts'

/** Octets from which a second thread gains more than it takes to start. */
const LONG = 8 << 20

/** The last has no text of its own. */
export interface Chunk {
  readonly text?: Buffer
  readonly reading: Reading
}

/**
 * @param dialect with the octets to leave out at the beginning.
 * @param firstLine number of the line that the text begins with.
 */
export function readChunks(
  { size = 0 }: Input,
  text: Text,
  dialect: CsvDialect & { readonly skip: number },
  firstLine: number,
): AsyncIterable<Chunk> {
  const texts = textsAfter(dialect.skip, text)
  return size >= LONG && availableParallelism() > 1
    ? readAhead(texts, dialect, firstLine)
    : readInTurn(texts, new RecordReader(dialect, firstLine))
}

async function* textsAfter(skip: number, text: Text): AsyncGenerator<Buffer> {
  let left = skip
  for await (const chunk of text.chunks()) {
    yield left === 0 ? chunk : chunk.subarray(left)
    left = Math.max(0, left - chunk.length)
  }
}

async function* readInTurn(texts: AsyncIterable<Buffer>, reader: RecordReader): AsyncGenerator<Chunk> {
  for await (const text of texts) yield { text, reading: await reader.write(text) }
  yield { reading: await reader.end() }
}

async function* readAhead(texts: AsyncIterable<Buffer>, dialect: CsvDialect, firstLine: number): AsyncGenerator<Chunk> {
  const thread = new RecordThread(dialect, firstLine)
  try {
    let before: { readonly text: Buffer; readonly reading: Promise<Reading> } | undefined
    for await (const text of texts) {
      const reading = thread.write(text)
      // It is waited for in its turn; until then nobody hears it fail.
      reading.catch(() => {})
      if (before !== undefined) yield { text: before.text, reading: await before.reading }
      before = { text, reading }
    }
    if (before !== undefined) yield { text: before.text, reading: await before.reading }
    yield { reading: await thread.end() }
  } finally {
    await thread.close()
  }
}
