/**
 * What a project's helpers begin beside the values that they give: a timer, a promise. Owns the record that it was
 * theirs, so that their file is blamed when it fails, and nothing of theirs ends the program as if all were done.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { ConfigError } from '../../errors.ts'
import { foreignWords } from '../../fs/system-errors.ts'

/** The file of helpers that began what runs now: also in a timer and a promise that outlive the call. */
const helpersAtWork = new AsyncLocalStorage<string>()
let exitIsKept = false

/** Calls a helper of `file`, or loads the file. */
export function asHelpers<T>(file: string, work: () => T): T {
  keepExit()
  return helpersAtWork.run(file, work)
}

/** Calls `handle` for each error of this process that nobody waits for: one of the project's helpers names their file. */
export function onStrayError(handle: (error: unknown) => void): void {
  const hear = (error: unknown): void => {
    const known = lateHelperError(error) ?? error
    helpersAtWork.exit(() => handle(known))
  }
  process.on('uncaughtException', hear)
  process.on('unhandledRejection', hear)
}

function lateHelperError(error: unknown): ConfigError | undefined {
  const file = helpersAtWork.getStore()
  if (file === undefined) return undefined
  const [what] = foreignWords(error).split('\n')
  return new ConfigError(`the helpers in ${file} failed after they had given their values: ${what}`, {
    cause: error,
    hint: 'A helper gives its value at once: it starts no timer and no promise. What was sent is recorded.',
  })
}

/** An exit in the middle of a merge would look like a success to whoever started it. Everybody else may exit as before. */
function keepExit(): void {
  if (exitIsKept) return
  exitIsKept = true
  const exit = process.exit.bind(process)
  process.exit = (code) => {
    if (helpersAtWork.getStore() === undefined) return exit(code)
    throw new Error('it calls process.exit, and a helper may not end the program')
  }
}
