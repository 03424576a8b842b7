/**
 * Values made fit to be shown on a terminal: what a list or a server said must not move the cursor, set a title, or turn
 * the direction of the line. Owns escaping and cutting; never decides what is shown.
 */
import { isAbsolute, relative, resolve } from 'node:path'

/** C0 and C1 controls, line separators, and the characters that reorder or hide text. */
const UNSHOWABLE = /[\u0000-\u001F\u007F-\u009F\u061C\u200B-\u200F\u2028-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB]/g

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\u0000': '\\0' }

/** The value with every control character written out: `\n`, `\u001b`. */
export function printable(value: string): string {
  return value.replace(UNSHOWABLE, (char) => NAMED[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** A path as it reads best from `cwd`: relative where that leads downwards. */
export function shortPath(path: string, cwd: string): string {
  const short = relative(cwd, resolve(cwd, path))
  return printable(short === '' ? '.' : short.startsWith('..') || isAbsolute(short) ? path : short)
}

/** A text of several lines, each of them printable. */
export function printableLines(text: string): string {
  return text.split(/\r?\n/).map(printable).join('\n')
}

/** Terminal columns that a text takes: wide characters two, combining marks none. Close enough to fit a line. */
export function widthOf(text: string): number {
  let width = 0
  for (const char of text) {
    if (/\p{Mark}/u.test(char)) continue
    width +=
      /[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6]|\p{Extended_Pictographic}/u.test(
        char,
      )
        ? 2
        : 1
  }
  return width
}

/** At most so many columns of a text, with `…` where it was cut. */
export function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text
  let width = 1
  let kept = ''
  for (const char of text) {
    width += widthOf(char)
    if (width > columns) break
    kept += char
  }
  return `${kept}…`
}
