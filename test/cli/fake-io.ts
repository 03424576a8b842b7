/** A terminal or a pipe that remembers what was written, for tests. */
import { EventEmitter } from 'node:events'
import { PassThrough } from 'node:stream'
import type { Io } from '../../src/cli/terminal/io.ts'

class FakeSink extends EventEmitter {
  text = ''
  readonly isTTY: boolean
  readonly columns: number

  constructor(isTTY: boolean, columns: number) {
    super()
    this.isTTY = isTTY
    this.columns = columns
  }

  write(text: string): boolean {
    this.text += text
    return true
  }
}

export interface FakeIo extends Io {
  readonly stdout: FakeSink
  readonly stderr: FakeSink
  readonly stdin: PassThrough & { isTTY?: boolean }
  readonly signals: FakeSignals
}

/** Signals that a test raises. */
export class FakeSignals extends EventEmitter {
  readonly exits: (number | undefined)[] = []
  exit(code?: number): void {
    this.exits.push(code)
  }
}

export function fakeIo(
  options: { cwd?: string; env?: NodeJS.Dict<string>; terminal?: boolean; columns?: number } = {},
): FakeIo {
  const { cwd = process.cwd(), env = {}, terminal = false, columns = 100 } = options
  const stdin: PassThrough & { isTTY?: boolean } = new PassThrough()
  stdin.isTTY = terminal
  return {
    cwd,
    env,
    stdin,
    stdout: new FakeSink(terminal, columns),
    stderr: new FakeSink(terminal, columns),
    signals: new FakeSignals(),
  }
}

/** What a terminal shows in the end: redrawn lines replaced, colours left out. */
export function screen(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => (line.split('\r\u001B[2K').at(-1) ?? '').replace(/\u001B\[[0-9;]*[A-Za-z]/g, ''))
}
