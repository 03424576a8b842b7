/**
 * What a command says: results on stdout, everything for people on stderr. Owns colours, quietness, and that a reader who
 * went away (EPIPE) ends neither a run nor with a stack trace. Escapes nothing: callers hand over printable text.
 */
import { stripVTControlCharacters, styleText } from 'node:util'
import { OutputError } from '../../errors.ts'
import { systemWords } from '../../fs/system-errors.ts'
import type { Io, TextSink } from './io.ts'

export interface OutputOptions {
  readonly color?: boolean
  readonly quiet?: boolean
  readonly verbose?: boolean
  readonly json?: boolean
}

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow'

/** Waiting lines of --json are written when they are this long together. */
const PENDING_CHARS = 65_536

export class Output {
  readonly #io: Io
  readonly quiet: boolean
  readonly verbose: boolean
  readonly json: boolean
  /** True where a line may be redrawn: stderr is a terminal that is not dumb. */
  readonly live: boolean
  readonly #colored: boolean
  /** Text of the live line now shown, to be wiped before anything else is written. */
  #liveLine = ''
  #pending = ''
  #flushSoon: NodeJS.Immediate | undefined
  /** Questions being asked: nothing is drawn over them. */
  #held = 0
  #stdoutError: NodeJS.ErrnoException | undefined

  constructor(io: Io, options: OutputOptions = {}) {
    this.#io = io
    this.quiet = options.quiet ?? false
    this.verbose = options.verbose ?? false
    this.json = options.json ?? false
    const terminal = io.stderr.isTTY === true && io.env['TERM'] !== 'dumb'
    this.live = terminal && !this.quiet
    // https://no-color.org: any non-empty value counts.
    this.#colored = terminal && options.color !== false && (io.env['NO_COLOR'] ?? '') === ''
    for (const stream of [io.stdout, io.stderr]) this.#hearErrors(stream)
  }

  /** Columns of the terminal. */
  get columns(): number {
    return this.#io.stderr.columns ?? 80
  }

  /** Columns that a line of results may take; undefined where they do not go to a terminal. */
  get resultColumns(): number | undefined {
    const { stdout } = this.#io
    // Some terminals break a line that fills the last column.
    return stdout.isTTY === true ? (stdout.columns ?? 80) - 2 : undefined
  }

  /** True when there is nobody to read stdout any more. */
  get stdoutGone(): boolean {
    return this.#stdoutError !== undefined
  }

  /** @throws OutputError when results were lost on stdout for another reason than a reader who had enough. */
  checkStdout(): void {
    this.flush()
    const error = this.#stdoutError
    if (error === undefined || isGone(error)) return
    throw new OutputError(`standard output cannot be written: ${systemWords(error)}`, {
      cause: error,
      hint: 'What was sent is recorded: mailmerge report prints it again.',
    })
  }

  /** Resolves when stdout takes more; at once where nobody reads it any more. */
  async drained(): Promise<void> {
    const stdout = this.#io.stdout as TextSink & Partial<NodeJS.EventEmitter>
    if (stdout.writableNeedDrain !== true || this.#stdoutError !== undefined) return
    await new Promise<void>((resolve) => {
      const go = (): void => {
        stdout.off?.('drain', go)
        stdout.off?.('error', go)
        resolve()
      }
      stdout.on?.('drain', go)
      stdout.on?.('error', go)
    })
  }

  /** A line of results, on stdout. Under --json the lines of one turn of the event loop go out together. */
  result(text: string): void {
    if (!this.json) {
      // Colors are for the terminal, which may be that of stderr alone.
      this.raw(`${this.#colored && this.#io.stdout.isTTY !== true ? stripVTControlCharacters(text) : text}\n`)
      return
    }
    this.#pending += `${text}\n`
    if (this.#pending.length >= PENDING_CHARS) this.flush()
    else this.#flushSoon ??= setImmediate(() => this.flush())
  }

  /** Writes what waits for the end of the turn. */
  flush(): void {
    clearImmediate(this.#flushSoon)
    this.#flushSoon = undefined
    const text = this.#pending
    this.#pending = ''
    if (text !== '') this.raw(text)
  }

  /** Results that bring their own line ends. */
  raw(text: string): void {
    this.#wipe()
    this.#write(this.#io.stdout, text)
  }

  /** A line for people, on stderr; silent under --quiet. */
  info(text: string): void {
    if (!this.quiet) this.error(text)
  }

  /** A line for people that --quiet does not silence. */
  error(text: string): void {
    const line = this.#liveLine
    this.#wipe()
    this.#write(this.#io.stderr, `${text}\n`)
    if (line !== '') this.redraw(line)
  }

  /** Shows the one live line, in the place of the one before. */
  redraw(text: string): void {
    if (!this.live || this.#held > 0) return
    this.#write(this.#io.stderr, `\r\u001B[2K${text}`)
    this.#liveLine = text
  }

  /** No live line while `work` has the terminal to itself. */
  async holdLive<T>(work: () => Promise<T>): Promise<T> {
    this.#wipe()
    this.#held++
    try {
      return await work()
    } finally {
      this.#held--
    }
  }

  /** Takes the live line away. */
  endLive(): void {
    this.#wipe()
  }

  style(style: Style, text: string): string {
    if (!this.#colored) return text
    return styleText(style, text, { validateStream: false })
  }

  #wipe(): void {
    if (this.#liveLine === '') return
    this.#write(this.#io.stderr, '\r\u001B[2K')
    this.#liveLine = ''
  }

  #write(stream: TextSink, text: string): void {
    if (stream === this.#io.stdout && this.#stdoutError !== undefined) return
    try {
      stream.write(text)
    } catch (error) {
      if (stream === this.#io.stdout) this.#stdoutError = error as NodeJS.ErrnoException
    }
  }

  #hearErrors(stream: TextSink): void {
    const emitter = stream as Partial<NodeJS.EventEmitter>
    emitter.on?.('error', (error: NodeJS.ErrnoException) => {
      if (stream === this.#io.stdout) this.#stdoutError ??= error
    })
  }
}

/** The reader of a pipe ended, or the terminal was closed. */
function isGone(error: NodeJS.ErrnoException): boolean {
  return error.code === 'EPIPE' || error.code === 'EIO' || error.code === 'ERR_STREAM_DESTROYED'
}
