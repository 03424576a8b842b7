/**
 * Reads inbound messages in a thread of its own, so that one which takes long stops nothing else. Owns the limit of time and the
 * thread's life; what a message says is read in `read.ts`.
 */
import { Worker } from 'node:worker_threads'
import { ownProgram } from '../worker-entry.ts'
import type { InboundContents } from './read.ts'

/** Seconds that one message may take. An ordinary one takes a few milliseconds. */
export const READING_LIMIT_S = 10

export interface ReadingThread {
  /** What a message says; undefined when reading it took longer than the limit. @throws the signal's reason once it is aborted. */
  read(bytes: Uint8Array): Promise<InboundContents | undefined>
  /** Ends the thread, also in the middle of a message. */
  close(): Promise<void>
}

/** A thread that begins with the first message. One message is read at a time. */
export function createReadingThread(signal?: AbortSignal): ReadingThread {
  let worker: Worker | undefined
  const close = async (): Promise<void> => {
    await worker?.terminate()
    worker = undefined
  }
  return {
    close,
    async read(bytes) {
      signal?.throwIfAborted()
      worker ??= await started()
      const result = await answerOf(worker, bytes, signal)
      if (result === 'unanswered') await close()
      return result === 'unanswered' ? undefined : result
    },
  }
}

/** Resolves when the thread can read: its start is not part of the limit. */
function started(): Promise<Worker> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(ownProgram(import.meta.url, 'reading-worker'))
    worker.once('online', () => resolve(worker))
    worker.once('error', reject)
  })
}

function answerOf(worker: Worker, bytes: Uint8Array, signal?: AbortSignal): Promise<InboundContents | 'unanswered'> {
  return new Promise((resolve, reject) => {
    let seconds = 0
    // Seconds are counted here, and not looked up: a machine that slept in between must not end the thread.
    const timer = setInterval(() => {
      seconds++
      if (seconds >= READING_LIMIT_S) settle(() => resolve('unanswered'))
    }, 1000)
    const settle = (then: () => void): void => {
      clearInterval(timer)
      worker.off('message', answered)
      worker.off('error', failed)
      signal?.removeEventListener('abort', stopped)
      then()
    }
    const answered = (contents: InboundContents): void => settle(() => resolve(contents))
    const failed = (error: unknown): void => settle(() => reject(error))
    const stopped = (): void => settle(() => reject(signal?.reason))
    worker.on('message', answered)
    worker.on('error', failed)
    signal?.addEventListener('abort', stopped)
    worker.postMessage(bytes)
  })
}
