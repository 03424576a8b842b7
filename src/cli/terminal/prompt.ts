/** Questions to a person at a terminal. Owns asking; where there is no terminal, nothing is ever asked. */
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { UnfinishedError, UsageError } from '../../errors.ts'
import type { Io } from './io.ts'

/** True when a person can be asked: both the question and the answer have a terminal. */
export function canAsk(io: Io): boolean {
  return io.stdin.isTTY === true && io.stderr.isTTY === true
}

/** True when a person sees the output while standard input is a pipe: the terminal itself can answer. */
export function canAskBesidePipe(io: Io): boolean {
  return io.stderr.isTTY === true
}

/** @throws UsageError where the terminal cannot be opened: what is asked must be answered beforehand. */
export async function askBesidePipe(io: Io, question: string, options: AskOptions = {}): Promise<boolean> {
  const keyboard = io.openTerminal?.()
  if (keyboard === undefined) {
    throw new UsageError('the list comes from standard input, and there is no terminal to ask at', {
      hint: 'Add --yes to send without being asked. Nothing was sent.',
    })
  }
  try {
    return await askYesNo({ ...io, stdin: keyboard }, question, options)
  } finally {
    keyboard.destroy()
  }
}

export interface AskOptions {
  /** Ctrl+C at the question; a terminal in raw mode sends no signal. */
  readonly onInterrupt?: () => void
  readonly signal?: AbortSignal
}

/** True for y or yes. Enter alone, the end of input and Ctrl+C are a no. */
export async function askYesNo(io: Io, question: string, options: AskOptions = {}): Promise<boolean> {
  const answer = await ask(io, `${question} [y/N] `, options)
  return answer !== undefined && /^\s*y(es)?\s*$/i.test(answer)
}

/** A line typed without being shown. @throws UnfinishedError when the person gave none. */
export async function askSecret(io: Io, question: string, options: AskOptions = {}): Promise<string> {
  const answer = await ask(io, question, options, true)
  if (answer === undefined || answer === '')
    throw new UnfinishedError('no password was given', {
      hint: 'Give the command again, or set MAILMERGE_SMTP_PASSWORD.',
    })
  return answer
}

/** A line that is shown as it is typed; undefined when the person gave none, or `signal` ended the question. */
export function askLine(io: Io, question: string, options: AskOptions = {}): Promise<string | undefined> {
  return ask(io, question, options)
}

function ask(io: Io, question: string, options: AskOptions, hidden = false): Promise<string | undefined> {
  return new Promise((resolve) => {
    let shown = true
    let ended = false
    const output = new Writable({
      write(chunk: Buffer | string, _encoding, done) {
        if (shown) io.stderr.write(String(chunk))
        done()
      },
    })
    const lines = createInterface({ input: io.stdin, output, terminal: true, historySize: 0 })
    const end = (answer: string | undefined): void => {
      if (ended) return
      ended = true
      options.signal?.removeEventListener('abort', cancel)
      if (hidden || answer === undefined) io.stderr.write('\n')
      resolve(answer)
      lines.close()
    }
    const cancel = (): void => end(undefined)
    options.signal?.addEventListener('abort', cancel, { once: true })
    lines.once('SIGINT', () => {
      end(undefined)
      options.onInterrupt?.()
    })
    lines.once('close', () => end(undefined))
    lines.question(question, end)
    shown = !hidden
  })
}
