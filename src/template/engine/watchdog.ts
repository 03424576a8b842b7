/**
 * Ends work that does not come to an end by itself. Owns the limit on code that is not ours: a project's own helpers may
 * loop for ever, and no timer of the same thread would get a turn.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { createContext, Script } from 'node:vm'

/** Milliseconds for one try; a machine that was stopped in the middle gets another. */
const LIMIT = 1_000

const context = createContext({ work: () => {} })
const script = new Script('work()', { filename: 'watchdog' })

/**
 * Calls a function, and ends it after a second, twice at most.
 * @throws what the function throws; `late()` when it did not end.
 */
export function withinLimit<T>(work: () => T, late: () => Error): T {
  // Work that is cut off cannot clean up after itself: whose work it was must not stay set for what comes after.
  const asBefore = AsyncLocalStorage.snapshot()
  for (let tries = 1; ; tries++) {
    try {
      context.work = work
      return asBefore(() => script.runInContext(context, { timeout: LIMIT }) as T)
    } catch (error) {
      if (!isTimeout(error)) throw error
      if (tries === 2) throw late()
    }
  }
}

/** The error is made in a context of its own, where `Error` is another. */
function isTimeout(error: unknown): boolean {
  return typeof error === 'object' && error !== null && Reflect.get(error, 'code') === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
}
