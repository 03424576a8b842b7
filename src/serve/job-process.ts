/** Starts processes for pieces of work. Owns the channel to them; what they do is in `job-worker.ts`. */
import { fork } from 'node:child_process'
import type { Flags } from '../config/load.ts'
import { systemWords } from '../fs/system-errors.ts'
import type { Work } from '../schedule/unfinished.ts'
import { LEDGER_EXEC_ARGV, ownProgram } from '../worker-entry.ts'
import { type FromJob, failedEnd, type JobResult, type ToJob } from './job-messages.ts'
import type { JobHandle } from './serve.ts'

export interface HostOptions {
  /** The project's folder. */
  readonly root: string
  /** What the command line of `serve` said; over everything else. */
  readonly flags: Flags
}

/** Gives a function that starts a process. It inherits the environment; nothing is on its command line that is a secret. */
export function createJobStarter({ root, flags }: HostOptions) {
  const program = ownProgram(import.meta.url, 'job-worker')
  return (work: Work, onMessage: (message: FromJob) => void): JobHandle => {
    const child = fork(program, {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: LEDGER_EXEC_ARGV,
    })
    const send = (message: ToJob): void => {
      if (child.connected) child.send(message, () => {})
    }
    const ended = new Promise<JobResult>((resolve) => {
      let result: JobResult | undefined
      child.on('message', (message: FromJob) => {
        if (message.kind === 'end') result = message.end
        else onMessage(message)
      })
      child.on('error', (error) => {
        resolve(failedEnd(`its process cannot be started: ${systemWords(error)}`))
      })
      child.on('exit', (code, signal) => {
        resolve(result ?? failedEnd(`its process ended with ${signal ?? code}`))
      })
    })
    send({ kind: 'work', work, root, flags })
    return { ended, stop: () => send({ kind: 'stop' }), abort: () => send({ kind: 'abort' }) }
  }
}
