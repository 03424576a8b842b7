/**
 * What is asked of a run from another process (`Runs.request`), noticed by the one that delivers it. Owns looking; stops
 * nothing itself.
 */
import type { Runs } from '../../ledger/ledger.ts'
import type { RunRequest } from '../../ledger/records.ts'

/** Between two looks, in milliseconds. */
const LOOK_MS = 500

/** Looks in the ledger for what is asked of a run while this process works on it. */
export class RequestWatch implements Disposable {
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout
  #request: Exclude<RunRequest, 'resume'> | undefined

  constructor(runs: Runs, runId: string) {
    this.#timer = setInterval(() => {
      // What is wrong with the ledger is found, and reported, by the delivery.
      runs.requested(runId).then(
        (request) => this.#obey(request),
        () => {},
      )
    }, LOOK_MS)
    this.#timer.unref()
  }

  /** Aborted once something is asked. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get request(): Exclude<RunRequest, 'resume'> | undefined {
    return this.#request
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  #obey(request: RunRequest | undefined): void {
    if (request === undefined || request === 'resume') return
    clearInterval(this.#timer)
    this.#request = request
    this.#controller.abort()
  }
}
