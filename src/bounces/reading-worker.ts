/** The thread that reads inbound messages for `reading-thread.ts`. Owns nothing: it may be ended in the middle of a message. */
import { parentPort } from 'node:worker_threads'
import { readInbound } from './read.ts'

parentPort?.on('message', (bytes: Uint8Array) => {
  parentPort?.postMessage(readInbound(bytes))
})
