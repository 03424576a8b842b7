/** Where a command reads from and writes to. Owns the shape, so that tests can stand in for a terminal or a pipe. */
import { openSync } from 'node:fs'
import { ReadStream } from 'node:tty'
import { InputError } from '../../errors.ts'

export interface TextSink {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
  readonly writableNeedDrain?: boolean
}

/** What hears signals: the process. */
interface SignalSource {
  on(signal: NodeJS.Signals, handler: () => void): unknown
  off(signal: NodeJS.Signals, handler: () => void): unknown
  /** False when nobody listened. */
  emit(signal: NodeJS.Signals): boolean
  exit(code?: number): void
}

export type Keyboard = NodeJS.ReadableStream & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown }

export interface Io {
  readonly cwd: string
  readonly env: NodeJS.Dict<string>
  readonly stdout: TextSink
  readonly stderr: TextSink
  readonly stdin: Keyboard
  /** Opens the keyboard of the terminal itself, for questions while standard input is a pipe; undefined where there is none. */
  readonly openTerminal?: () => (Keyboard & { destroy(): unknown }) | undefined
  /** Where signals are heard; undefined where none are to be. */
  readonly signals?: SignalSource
}

/** The process's own. */
export function processIo(): Io {
  const { stdin, stdout, stderr, env } = process
  return {
    get cwd() {
      return workingFolder()
    },
    ...{ env, stdin, stdout, stderr, signals: process, openTerminal },
  }
}

function openTerminal(): ReadStream | undefined {
  try {
    return new ReadStream(openSync(process.platform === 'win32' ? String.raw`\\.\CON` : '/dev/tty', 'r'))
  } catch {
    return undefined
  }
}

/** @throws InputError when the folder was removed under the shell. */
function workingFolder(): string {
  try {
    return process.cwd()
  } catch (cause) {
    throw new InputError('the current folder no longer exists', { cause, hint: 'Change to another folder.' })
  }
}
