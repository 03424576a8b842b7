/**
 * Records read on a thread of their own, so that a long list is parsed while the rows before are worked on. Owns the
 * thread; where a record begins and what its text is stays with `csv-records.ts`, which runs there.
 */
import { Worker } from 'node:worker_threads'
import { ownProgram } from '../../worker-entry.ts'
import type { CsvDialect, Reading } from './records.ts'

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
    this.#worker.on('exit', () => this.#fail(new Error('the thread that reads the list came to an end')))
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
