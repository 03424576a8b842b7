/**
 * Mustaches, `{{...}}`, in the text of a template. Owns where they begin and end and what kind each is, without Handlebars: also in
 * a text that is not yet, or no longer, a template of its own.
 */

/** As a match of a regular expression gives it. */
export interface Mustache {
  readonly 0: string
  readonly index: number
}

/** How a mustache begins and ends; comments and raw values first, because they may hold braces themselves. */
const MUSTACHES: readonly (readonly [open: RegExp, close: RegExp])[] = [
  [/\{\{~?!--/y, /--~?\}\}/g],
  [/\{\{\{/y, /\}\}\}/g],
  [/\{\{/y, /\}\}/g],
]

/** Everything in double braces, with its place in the text. */
export function mustachesOf(text: string): readonly Mustache[] {
  const found: Mustache[] = []
  // The next end of each kind, looked up once: what is not closed must not be searched for again and again.
  const next = MUSTACHES.map(() => ({ at: -1, end: 0 }))
  let index = text.indexOf('{{')
  while (index >= 0) {
    const end = MUSTACHES.map(([open, close], kind) => {
      open.lastIndex = index
      return open.test(text) ? endFrom(text, open.lastIndex, close, next[kind] ?? { at: -1, end: 0 }) : undefined
    }).find((one) => one !== undefined)
    if (end !== undefined) found.push({ 0: text.slice(index, end), index })
    index = text.indexOf('{{', end ?? index + 1)
  }
  return found
}

/** Where the mustache ends whose content begins at `from`. */
function endFrom(text: string, from: number, close: RegExp, next: { at: number; end: number }): number | undefined {
  if (next.at < from) {
    close.lastIndex = from
    const found = close.exec(text)
    next.at = found?.index ?? Number.POSITIVE_INFINITY
    next.end = close.lastIndex
  }
  return next.at === Number.POSITIVE_INFINITY ? undefined : next.end
}

/** The mustache that covers a place, if any. */
export function mustacheAt(text: string, offset: number): Mustache | undefined {
  for (const match of mustachesOf(text)) {
    if (match.index > offset) return undefined
    if (offset < match.index + match[0].length) return match
  }
  return undefined
}

/** Opens a block, closes it, or is in the middle of it: `{{else}}`. */
export type BlockRole = 'o' | 'c' | 'e'

/** Undefined for a mustache that belongs to no block: a value, a partial, a comment. */
export function roleOf(mustache: string): BlockRole | undefined {
  const sign = /^\{\{~?\s*([#^/]|else\b)/.exec(mustache)?.[1]
  if (sign === undefined) return undefined
  if (sign === '/') return 'c'
  return sign === 'else' || /^\{\{~?\s*\^\s*~?\}/.test(mustache) ? 'e' : 'o'
}

/** True for what may stand between elements, also where no text may be: tags of blocks, and comments. */
export function isBlockTag(mustache: string): boolean {
  return roleOf(mustache) !== undefined || /^\{\{~?\s*!/.test(mustache)
}

/** Takes the place of a letter of a mustache: part of a word to HTML and to CSS. */
export const BLANK = '\uE000'

/** The text with each value replaced by as many letters of no alphabet, and each block tag by spaces: the rest keeps its offsets. */
export function blanked(text: string): string {
  let out = ''
  let from = 0
  for (const { 0: mustache, index } of mustachesOf(text)) {
    out += text.slice(from, index) + mustache.replace(/[^\n]/g, isBlockTag(mustache) ? ' ' : BLANK)
    from = index + mustache.length
  }
  return out + text.slice(from)
}
