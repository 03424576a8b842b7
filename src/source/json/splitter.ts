/**
 * Splits JSON text into records as it comes in: the elements of an array, objects one after another, or one a line. Owns
 * where a record begins and ends; what is in it is for `JSON.parse`. A general stream parser (@streamparser/json) builds every
 * value token by token: it took three times as long, and has no line numbers.
 */
import { DataError } from '../../errors.ts'

/** Bytes that one record may have. */
const MAX_RECORD_SIZE = 2 << 20

/** `array`: `[{...}, {...}]`; `objects`: `{...} {...}`; `lines`: one record a line, whatever it holds. */
export type JsonLayout = 'array' | 'objects' | 'lines'

export interface JsonRecord {
  readonly text: string
  /** Line on which it begins, from 1. */
  readonly line: number
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const NEWLINE = 0x0a
const COMMA = 0x2c
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** Where the splitter is: before the array, before or after an element, inside one, after the array. */
type State = 'start' | 'first' | 'value' | 'after' | 'inside' | 'end'

export class JsonSplitter {
  readonly #file: string
  readonly #layout: JsonLayout
  #state: State
  #depth = 0
  #inString = false
  #escaped = false
  #line = 1
  #recordLine = 1
  /** The part of a record that earlier chunks held. */
  #held: Buffer[] = []
  #heldSize = 0

  constructor(file: string, layout: JsonLayout) {
    this.#file = file
    this.#layout = layout
    this.#state = layout === 'array' ? 'start' : 'value'
  }

  /** @throws DataError when the text between records is not JSON, or a record is over the cap. */
  write(chunk: Buffer): readonly JsonRecord[] {
    return this.#layout === 'lines' ? this.#cutLines(chunk) : this.#cutValues(chunk)
  }

  /** @throws DataError when the text ends before its end. */
  end(): readonly JsonRecord[] {
    if (this.#layout === 'lines') return this.#heldSize === 0 ? [] : [this.#record(Buffer.alloc(0))]
    const whole = this.#state === 'end' || (this.#layout === 'objects' && this.#state === 'value')
    if (!whole) throw this.#error('the text ends before the list does', 'The file may have been cut off: get it again.')
    return []
  }

  #cutLines(chunk: Buffer): readonly JsonRecord[] {
    const records: JsonRecord[] = []
    let from = 0
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      this.#recordLine = this.#line
      records.push(this.#record(chunk.subarray(from, at)))
      this.#line++
      from = at + 1
    }
    this.#recordLine = this.#line
    this.#hold(chunk.subarray(from))
    return records
  }

  #cutValues(chunk: Buffer): readonly JsonRecord[] {
    const records: JsonRecord[] = []
    let from = 0
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0
      if (byte === NEWLINE) this.#line++
      if (this.#state === 'inside') {
        if (!this.#closes(byte)) continue
        records.push(this.#record(chunk.subarray(from, at + 1)))
        this.#state = this.#layout === 'array' ? 'after' : 'value'
      } else if (byte > 0x20) {
        this.#state = this.#next(byte)
        if (this.#state === 'inside') from = at
      }
    }
    if (this.#state === 'inside') this.#hold(chunk.subarray(from))
    return records
  }

  /** Reads one byte of a record; true for its last. */
  #closes(byte: number): boolean {
    if (this.#escaped) this.#escaped = false
    else if (this.#inString) {
      if (byte === QUOTE) this.#inString = false
      else if (byte === BACKSLASH) this.#escaped = true
    } else if (byte === QUOTE) this.#inString = true
    else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) this.#depth++
    else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) return --this.#depth === 0
    return false
  }

  /** The state after a byte between records. */
  #next(byte: number): State {
    const state = this.#state
    const sign = String.fromCharCode(byte)
    if (state === 'start' && byte === OPEN_ARRAY) return 'first'
    if (state === 'after' && byte === COMMA) return 'value'
    if ((state === 'after' || state === 'first') && byte === CLOSE_ARRAY) return 'end'
    if ((state === 'value' || state === 'first') && byte === OPEN_OBJECT) {
      this.#depth = 1
      this.#recordLine = this.#line
      return 'inside'
    }
    if (state === 'value' || state === 'first') {
      throw this.#error(`'${sign}' is where a row should begin`, 'Every row is an object: {"email": "..."}')
    }
    if (state === 'after') throw this.#error(`'${sign}' is where a comma should be`, 'Put a comma between the rows.')
    throw this.#error(`'${sign}' is outside the list`, 'A list is one array: [{...}, {...}]')
  }

  #hold(piece: Buffer): void {
    if (piece.length === 0) return
    this.#held.push(piece)
    this.#heldSize += piece.length
    if (this.#heldSize > MAX_RECORD_SIZE) throw this.#tooLong()
  }

  #record(piece: Buffer): JsonRecord {
    const whole = this.#heldSize === 0 ? piece : Buffer.concat([...this.#held, piece])
    this.#held = []
    this.#heldSize = 0
    if (whole.length > MAX_RECORD_SIZE) throw this.#tooLong()
    return { text: whole.toString('utf8'), line: this.#recordLine }
  }

  #tooLong(): DataError {
    this.#line = this.#recordLine
    return this.#error(
      `a row is longer than ${MAX_RECORD_SIZE >> 20} MiB`,
      'Is a bracket or a quotation mark missing? Put long texts into the template or an attachment.',
    )
  }

  #error(message: string, hint: string): DataError {
    const line = this.#line
    return new DataError(`${this.#file}, line ${line}: ${message}`, {
      hint,
      problems: [{ severity: 'error', code: 'bad-json', message, hint, file: this.#file, line }],
    })
  }
}
