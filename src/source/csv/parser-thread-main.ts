/** The second thread of `chunks.ts`: chunks come as messages, and the records of each go back in the same order. */
import { parentPort, workerData } from 'node:worker_threads'
import { type CsvDialect, type Reading, RecordReader } from './parser.ts'

const { dialect, firstLine } = workerData as { readonly dialect: CsvDialect; readonly firstLine: number }
const reader = new RecordReader(dialect, firstLine)
let turn: Promise<Reading | undefined> = Promise.resolve(undefined)

parentPort?.on('message', (text: Uint8Array | undefined) => {
  turn = turn.then(() =>
    text === undefined ? reader.end() : reader.write(Buffer.from(text.buffer, text.byteOffset, text.byteLength)),
  )
  turn.then((reading) => parentPort?.postMessage(reading))
})
