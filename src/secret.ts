/** Passwords, tokens and keys, and where they come from. Owns asking for them once, late, and never showing them. */
import { exec } from 'node:child_process'
import { ConfigError } from './errors.ts'

/** A value that must never be shown. It prints as `[secret]` wherever it ends up by mistake. */
export class Secret {
  readonly #value: string
  constructor(value: string) {
    this.#value = value
  }
  reveal(): string {
    return this.#value
  }
  toString(): string {
    return '[secret]'
  }
  toJSON(): string {
    return '[secret]'
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[secret]'
  }
}

/** Time for a person to answer what the command asks. */
const PATIENCE_MS = 120_000

/** A source that is asked at most once, and only when a login needs it. */
export function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined
  return () => {
    asked ??= ask()
    return asked
  }
}

/** A source that is asked again each time, but only once by callers that ask at the same moment. */
export function together(ask: () => Promise<Secret>): () => Promise<Secret> {
  let asking: Promise<Secret> | undefined
  return () => {
    asking ??= ask().finally(() => {
      asking = undefined
    })
    return asking
  }
}

/**
 * The first line that a command prints, run by the shell in the project folder as `git` runs its credential helpers.
 * `setting` and `what` are for the errors: `passwordCommand`, `the password`.
 * @throws ConfigError when the command fails or prints nothing; what it printed is never shown.
 */
export function secretFromCommand(command: string, cwd: string, setting: string, what: string): Promise<Secret> {
  return new Promise((resolve, reject) => {
    exec(command, { cwd, timeout: PATIENCE_MS, maxBuffer: 1_000_000, encoding: 'utf8' }, (error, stdout) => {
      if (error !== null) {
        const why = error.killed ? 'took longer than two minutes' : `ended with code ${error.code ?? 'unknown'}`
        reject(
          new ConfigError(`the ${setting} ${why}`, {
            hint: 'Run it by hand in the project folder and see what it prints.',
          }),
        )
        return
      }
      const line = stdout.split(/\r?\n/)[0] ?? ''
      if (line === '')
        reject(new ConfigError(`the ${setting} printed nothing`, { hint: `It must print ${what} on its first line.` }))
      else resolve(new Secret(line))
    })
  })
}
