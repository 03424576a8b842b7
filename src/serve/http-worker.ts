/**
 * The HTTP side of `mailmerge serve` in a thread of its own, which stands behind everything else in the queue for the
 * processor: a flood of requests holds up neither the schedules nor the runs. Owns what is said between the threads.
 */
import { getPriority, setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { openLedger } from '../campaign/run/open-ledger.ts'
import { type Flags, loadSettings } from '../config/load.ts'
import { type ErrorFacts, factsOf, MailmergeError } from '../errors.ts'
import { startApi } from './api.ts'
import type { Log } from './serve.ts'

export interface HttpWorkerData {
  /** The project's folder, and what the command line of `serve` said. */
  readonly root: string
  readonly flags: Flags
  readonly host: string
  readonly port: number
  readonly token: string
  /** Nanoseconds of the monotonic clock at the last scan of the schedules. */
  readonly scannedAt: BigInt64Array
}

/** Messages of the thread; `listening` or `failed` comes first. */
export type FromHttpWorker =
  | { readonly kind: 'listening'; readonly address: string }
  | { readonly kind: 'failed'; readonly error: ErrorFacts }
  | { readonly kind: 'log'; readonly line: Parameters<Log> }

/** Nanoseconds without a scan of the schedules after which the process is not healthy. */
const HEALTHY_NS = 60_000_000_000n
/** A tenth of the share of others, where others want the processor too. */
const NICE = 10
const NICEST = 19

function post(message: FromHttpWorker): void {
  parentPort?.postMessage(message)
}

async function main({ root, flags, scannedAt, ...rest }: HttpWorkerData): Promise<void> {
  // Elsewhere the word is for the whole process, and the runs that it begins.
  if (process.platform === 'linux') setPriority(Math.min(getPriority() + NICE, NICEST))
  const closing = new AsyncDisposableStack()
  try {
    const settings = await loadSettings({ cwd: root, env: process.env, flags })
    const ledger = closing.adopt(await openLedger(settings), (it) => it.close())
    const http = await startApi(settings, ledger, {
      ...rest,
      healthy: () => process.hrtime.bigint() - Atomics.load(scannedAt, 0) < HEALTHY_NS,
      log: (...line) => post({ kind: 'log', line }),
    })
    closing.defer(() => http.close())
    const asked = new Promise((resolve) => parentPort?.once('message', resolve))
    post({ kind: 'listening', address: http.address })
    await asked
  } catch (error) {
    if (!(error instanceof MailmergeError)) throw error
    post({ kind: 'failed', error: factsOf(error) })
  } finally {
    await closing.disposeAsync()
  }
}

if (parentPort !== null) await main(workerData as HttpWorkerData)
