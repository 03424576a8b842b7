/** Starts the thread of the HTTP side, and listens to it. What it does is in `http-worker.ts`. */
import { Worker } from 'node:worker_threads'
import { errorOf } from '../errors.ts'
import { LEDGER_EXEC_ARGV, ownProgram } from '../worker-entry.ts'
import type { FromHttpWorker, HttpWorkerData } from './http-worker.ts'
import type { Log } from './serve.ts'

export interface HttpThread {
  /** `http://127.0.0.1:8025`. */
  readonly address: string
  /** Called after each scan of the schedules: the process is doing its work. */
  scanned(): void
  /** @throws what ended the thread, if it has ended unasked. */
  check(): void
  /** Stops accepting requests and ends when those under way are answered. */
  close(): Promise<void>
}

/** Resolves once it listens. @throws OutputError when the port cannot be had, and what is wrong with ledger or secret. */
export async function startHttpThread(data: Omit<HttpWorkerData, 'scannedAt'>, log: Log): Promise<HttpThread> {
  const scannedAt = new BigInt64Array(new SharedArrayBuffer(8))
  const scanned = (): void => {
    Atomics.store(scannedAt, 0, process.hrtime.bigint())
  }
  scanned()
  const worker = new Worker(ownProgram(import.meta.url, 'http-worker'), {
    workerData: { ...data, scannedAt } satisfies HttpWorkerData,
    execArgv: LEDGER_EXEC_ARGV,
  })
  let closing = false
  let died: Error | undefined
  const ended = new Promise<void>((resolve) => {
    worker.on('error', (error) => {
      died = error instanceof Error ? error : new Error(String(error))
    })
    worker.on('exit', () => {
      if (!closing) died ??= new Error('the thread that answers links has ended')
      resolve()
    })
  })
  const address = await new Promise<string>((resolve, reject) => {
    worker.on('message', (message: FromHttpWorker) => {
      if (message.kind === 'listening') resolve(message.address)
      else if (message.kind === 'log') log(...message.line)
      else reject(errorOf(message.error))
    })
    void ended.then(() => reject(died))
  })
  return {
    address,
    scanned,
    check() {
      if (died !== undefined) throw died
    },
    close() {
      closing = true
      worker.postMessage('close')
      return ended
    },
  }
}
