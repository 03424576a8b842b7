/** Where the password comes from. Owns asking for it once, late, and never showing it. */
import { exec } from 'node:child_process'
import { ConfigError } from '../errors.ts'
import { Secret } from './settings.ts'

/** Time for a person to answer what the command asks. */
const PATIENCE_MS = 120_000

/** A source that is asked at most once, and only when a login needs it. */
export function once(ask: () => Promise<Secret>): () => Promise<Secret> {
  let asked: Promise<Secret> | undefined
  return () => {
    asked ??= ask()
    return asked
  }
}

/**
 * The first line that a command prints, run by the shell in the project folder as `git` runs its credential helpers.
 * @throws ConfigError when the command fails or prints nothing; what it printed is never shown.
 */
export function passwordFromCommand(command: string, cwd: string): Promise<Secret> {
  return new Promise((resolve, reject) => {
    exec(command, { cwd, timeout: PATIENCE_MS, maxBuffer: 1_000_000, encoding: 'utf8' }, (error, stdout) => {
      if (error !== null) {
        const why = error.killed ? 'took longer than two minutes' : `ended with code ${error.code ?? 'unknown'}`
        reject(
          new ConfigError(`the passwordCommand ${why}`, {
            hint: 'Run it by hand in the project folder and see what it prints.',
          }),
        )
        return
      }
      const line = stdout.split(/\r?\n/)[0] ?? ''
      if (line === '')
        reject(
          new ConfigError('the passwordCommand printed nothing', {
            hint: 'It must print the password on its first line.',
          }),
        )
      else resolve(new Secret(line))
    })
  })
}
