/**
 * Cuts JSON text into records as it comes in: the elements of an array, objects one after another, or one a line. Owns
 * where a record begins and ends; what is in it is for `JSON.parse`.
 */
import { DataError } from '../../errors.ts'

/** Octets that one record may have. */
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

/** Where the cutter stands: before the array, before or after an element, inside of one, behind the array. */
type State = 'start' | 'first' | 'value' | 'after' | 'inside' | 'end'

export class JsonCutter {
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
    if (this.#layout === 'lines') return this.#heldSize === 0 ? [] : [this.#take(Buffer.alloc(0))]
    const whole = this.#state === 'end' || (this.#layout === 'objects' && this.#state === 'value')
    if (!whole) throw this.#error('the text ends before the list does', 'The file may have been cut off: get it again.')
    return []
  }

  #cutLines(chunk: Buffer): readonly JsonRecord[] {
    const records: JsonRecord[] = []
    let from = 0
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      this.#recordLine = this.#line
      records.push(this.#take(chunk.subarray(from, at)))
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
      const octet = chunk[at] ?? 0
      if (octet === NEWLINE) this.#line++
      if (this.#state === 'inside') {
        if (!this.#closes(octet)) continue
        records.push(this.#take(chunk.subarray(from, at + 1)))
        this.#state = this.#layout === 'array' ? 'after' : 'value'
      } else if (octet > 0x20) {
        this.#step(octet)
        if (this.#is('inside')) from = at
      }
    }
    if (this.#is('inside')) this.#hold(chunk.subarray(from))
    return records
  }

  /** A call, so that the compiler does not take the state for what it was before the step. */
  #is(state: State): boolean {
    return this.#state === state
  }

  /** Takes one octet of a record; true for its last. */
  #closes(octet: number): boolean {
    if (this.#escaped) this.#escaped = false
    else if (this.#inString) {
      if (octet === QUOTE) this.#inString = false
      else if (octet === BACKSLASH) this.#escaped = true
    } else if (octet === QUOTE) this.#inString = true
    else if (octet === OPEN_OBJECT || octet === OPEN_ARRAY) this.#depth++
    else if (octet === CLOSE_OBJECT || octet === CLOSE_ARRAY) return --this.#depth === 0
    return false
  }

  /** Takes one octet between records. */
  #step(octet: number): void {
    const { read } = { read: String.fromCharCode(octet) }
    if (this.#state === 'start' && octet === OPEN_ARRAY) this.#state = 'first'
    else if (this.#state === 'after' && octet === COMMA) this.#state = 'value'
    else if ((this.#state === 'after' || this.#state === 'first') && octet === CLOSE_ARRAY) this.#state = 'end'
    else if ((this.#state === 'value' || this.#state === 'first') && octet === OPEN_OBJECT) {
      this.#state = 'inside'
      this.#depth = 1
      this.#recordLine = this.#line
    } else if (this.#state === 'value' || this.#state === 'first') {
      throw this.#error(`'${read}' stands where a row should begin`, 'Every row is an object: {"email": "..."}')
    } else if (this.#state === 'after') {
      throw this.#error(`'${read}' stands where a comma should be`, 'Put a comma between the rows.')
    } else throw this.#error(`'${read}' stands outside of the list`, 'A list is one array: [{...}, {...}]')
  }

  #hold(piece: Buffer): void {
    if (piece.length === 0) return
    this.#held.push(piece)
    this.#heldSize += piece.length
    if (this.#heldSize > MAX_RECORD_SIZE) throw this.#tooLong()
  }

  #take(piece: Buffer): JsonRecord {
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
