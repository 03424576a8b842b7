/**
 * The records of a list, chunk of text by chunk. Owns whether they are read in turn with the work on the rows, or ahead of
 * it on a second thread; either way they are the same.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { ownProgram } from '../../worker-entry.ts'
import type { Text } from '../input/decode.ts'
import type { Input } from '../input/input.ts'
import { type CsvDialect, type Reading, RecordReader } from './parser.ts'

/** Bytes from which a second thread gains more than it takes to start. */
const LONG = 8 << 20

/** The last has no text of its own. */
export interface Chunk {
  readonly text?: Buffer
  readonly reading: Reading
}

/**
 * @param dialect with the bytes to leave out at the beginning.
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
      // Awaited in its turn; until then a failure must not count as unhandled.
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

/** The new objects of a few chunks: more would only lie there. */
const YOUNG_MEGABYTES = 4

interface Asked {
  readonly resolve: (reading: Reading) => void
  readonly reject: (error: Error) => void
}

/** As a `RecordReader`; further chunks may be written before the first is answered. */
export class RecordThread {
  readonly #worker: Worker
  readonly #asked: Asked[] = []
  #failure: Error | undefined

  /** @param firstLine number of the line that the text begins with. */
  constructor(dialect: CsvDialect, firstLine: number) {
    this.#worker = new Worker(ownProgram(import.meta.url, 'parser-thread-main'), {
      workerData: { dialect, firstLine },
      // What the program was started with is not meant for a file of ours.
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES },
    })
    this.#worker.on('message', (reading: Reading) => this.#asked.shift()?.resolve(reading))
    this.#worker.on('error', (error) => this.#fail(error as Error))
    this.#worker.on('exit', () => this.#fail(new Error('the thread that reads the list ended')))
  }

  write(text: Buffer): Promise<Reading> {
    return this.#ask(text)
  }

  end(): Promise<Reading> {
    return this.#ask(undefined)
  }

  /** Ends the thread, whatever it is at. */
  async close(): Promise<void> {
    await this.#worker.terminate()
  }

  #ask(text: Buffer | undefined): Promise<Reading> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure)
        return
      }
      this.#asked.push({ resolve, reject })
      this.#worker.postMessage(text)
    })
  }

  #fail(error: Error): void {
    this.#failure ??= error
    for (const { reject } of this.#asked.splice(0)) reject(this.#failure)
  }
}
