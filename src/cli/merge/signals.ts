/**
 * Ctrl+C and its kin, while a merge is at work: the first asks to finish what is in flight, the second to stop at once.
 * Owns the handlers and takes them away again; the engine decides what stopping means.
 */
import type { Io } from '../terminal/io.ts'

const NAMES = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
type SignalName = (typeof NAMES)[number]

/**
 * One Ctrl+C reaches a program started by npx twice, from the terminal and from npx; a closed terminal hangs up twice. What
 * follows so soon is an echo, not a second wish.
 */
const ECHO_MS = 100

/** How long a second signal waits for the engine to let go. The ledger is true at any instant. */
const LAST_WAIT_MS = 3000

export interface Signals {
  /** First request: drain. */
  readonly signal: AbortSignal
  /** Second request: at once. */
  readonly abort: AbortSignal
  /** 130 or 143 once a signal came; undefined before. */
  readonly exitCode: number | undefined
  /** As if the signal had come: Ctrl+C typed at a question. */
  raise(name: SignalName): void
  dispose(): void
}

/** Listens until `dispose`. `onFirst` and `onSecond` say what happens now. */
export function watchSignals(
  source: Io['signals'],
  hooks: { readonly onFirst?: () => void; readonly onSecond?: () => void } = {},
  now: () => number = () => performance.now(),
): Signals {
  const drain = new AbortController()
  const cut = new AbortController()
  let exitCode: number | undefined
  let last: NodeJS.Timeout | undefined
  let heard = Number.NEGATIVE_INFINITY
  let hungUp = false
  const raise = (name: SignalName): void => {
    const echo = now() - heard < ECHO_MS || (name === 'SIGHUP' && hungUp)
    heard = now()
    hungUp ||= name === 'SIGHUP'
    if (echo) return
    exitCode ??= name === 'SIGINT' ? 130 : 143
    if (!drain.signal.aborted) {
      drain.abort()
      hooks.onFirst?.()
    } else if (!cut.signal.aborted) {
      cut.abort()
      hooks.onSecond?.()
      last = setTimeout(() => source?.exit(exitCode), LAST_WAIT_MS)
      last.unref()
    } else {
      source?.exit(exitCode)
    }
  }
  const handlers = NAMES.map((name) => ({ name, handler: () => raise(name) }))
  for (const { name, handler } of handlers) source?.on(name, handler)
  return {
    signal: drain.signal,
    abort: cut.signal,
    get exitCode() {
      return exitCode
    },
    raise,
    dispose() {
      clearTimeout(last)
      for (const { name, handler } of handlers) source?.off(name, handler)
    },
  }
}
