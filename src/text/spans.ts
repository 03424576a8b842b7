/**
 * Parts of a text between a beginning and an end. Owns that a text full of beginnings without an end costs one search, which a
 * regular expression for both cannot promise.
 */

export interface Span {
  /** Where it begins in the text, and where the text goes on after it. */
  readonly start: number
  readonly end: number
  /** The beginning itself, what is between, and the end itself. */
  readonly open: string
  readonly inner: string
  readonly close: string
}

/** All parts, in order. Both expressions are global; neither matches an empty text. */
export function* spansOf(text: string, open: RegExp, close: RegExp): Generator<Span> {
  const [begins, ends] = [new RegExp(open), new RegExp(close)]
  for (let begin = begins.exec(text); begin !== null; begin = begins.exec(text)) {
    const from = begin.index + begin[0].length
    ends.lastIndex = from
    const end = ends.exec(text)
    if (end === null) return
    begins.lastIndex = end.index + end[0].length
    const inner = text.slice(from, end.index)
    yield { start: begin.index, end: begins.lastIndex, open: begin[0], inner, close: end[0] }
  }
}

/** The text with each part replaced by what `change` makes of it. */
export function replaceSpans(text: string, open: RegExp, close: RegExp, change: (span: Span) => string): string {
  let out = ''
  let from = 0
  for (const span of spansOf(text, open, close)) {
    out += text.slice(from, span.start) + change(span)
    from = span.end
  }
  return out + text.slice(from)
}
