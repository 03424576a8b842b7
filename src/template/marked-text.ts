/**
 * Text in which the values of a row are marked, so that the template's own `<`, `,`, `@` and `*` can be distinguished from the row's:
 * a name that holds `<eve@example.net>,` stays a name. Owns the marks and every way to take them off; no other file knows
 * what a mark looks like.
 */

/**
 * A text with marks. It is a string when the program runs, and no string to the compiler: showing it, comparing it or putting
 * it into a header without taking the marks off does not compile.
 */
export interface MarkedText {
  readonly [marked]: true
}
declare const marked: unique symbol

/** A stretch of the text: the template's own, or one value of the row. */
export interface Piece {
  readonly isValue: boolean
  readonly text: string
}

const OPEN = '\u{F0000}'
const CLOSE = '\u{F0001}'
const MARKS = new RegExp(`[${OPEN}${CLOSE}]`, 'gu')
const VALUE = new RegExp(`${OPEN}([^${OPEN}${CLOSE}]*)${CLOSE}`, 'gu')

const asText = (text: MarkedText): string => text as unknown as string
const asMarked = (text: string): MarkedText => text as unknown as MarkedText

/** A value with its marks. What looks like a mark within the value is dropped. */
export function markValue(value: unknown): MarkedText {
  return asMarked(OPEN + withoutMarks(value === undefined || value === null ? '' : String(value)) + CLOSE)
}

/** A text without any value of a row: a constant of the program or of the template. */
export function ownText(text: string): MarkedText {
  return asMarked(withoutMarks(text))
}

/** The output of an engine that puts every value through `markValue`. */
export function markedOutput(text: string): MarkedText {
  return asMarked(text)
}

/** The text as a person reads it, without marks. */
export function unmark(text: MarkedText): string {
  return withoutMarks(asText(text))
}

/** True when a value of a row is in the text, so that it differs from row to row. */
export function holdsValue(text: MarkedText): boolean {
  return asText(text).includes(OPEN)
}

/** True when there is nothing but white space, in values and around them. */
export function isBlank(text: MarkedText): boolean {
  return unmark(text).trim() === ''
}

/** Without the white space that the template itself put around it. */
export function trimMarked(text: MarkedText): MarkedText {
  return asMarked(asText(text).trim())
}

/** The value, when it is all that the text holds. */
export function onlyValue(text: MarkedText): string | undefined {
  const whole = asText(text)
  const value = whole.slice(OPEN.length, -CLOSE.length)
  return whole.startsWith(OPEN) && whole.endsWith(CLOSE) && !value.includes(OPEN) ? value : undefined
}

/** The text with each value replaced by what `change` makes of it, without marks. */
export function replaceValues(text: MarkedText, change: (value: string) => string): string {
  return withoutMarks(asText(text).replace(VALUE, (_, value: string) => change(value)))
}

/** The text as a row of stretches, in order; none of them is empty but for an empty value. */
export function piecesOf(text: MarkedText): readonly Piece[] {
  const whole = asText(text)
  const pieces: Piece[] = []
  let at = 0
  for (let open = whole.indexOf(OPEN); open >= 0; open = whole.indexOf(OPEN, at)) {
    if (open > at) pieces.push({ isValue: false, text: whole.slice(at, open) })
    const close = whole.indexOf(CLOSE, open)
    const end = close < 0 ? whole.length : close
    pieces.push({ isValue: true, text: whole.slice(open + OPEN.length, end) })
    at = end + CLOSE.length
  }
  if (at < whole.length) pieces.push({ isValue: false, text: whole.slice(at) })
  return pieces
}

/** The text again, of its stretches. */
export function joinPieces(pieces: readonly Piece[]): MarkedText {
  return asMarked(pieces.map(({ isValue, text }) => (isValue ? asText(markValue(text)) : text)).join(''))
}

function withoutMarks(text: string): string {
  return text.includes(OPEN) || text.includes(CLOSE) ? text.replace(MARKS, '') : text
}
