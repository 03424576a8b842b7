/**
 * Values made fit to be shown on a terminal: what a list or a server said must not move the cursor, set a title, or turn
 * the direction of the line. Owns escaping and cutting; never decides what is shown.
 */

import { isAbsolute, relative, resolve } from 'node:path'
import { escapeInvisible } from '../../text/visible.ts'

/** A path as it reads best from `cwd`: relative where that leads downwards. */
export function shortPath(path: string, cwd: string): string {
  const short = relative(cwd, resolve(cwd, path))
  return escapeInvisible(short === '' ? '.' : short.startsWith('..') || isAbsolute(short) ? path : short)
}

/** A text of several lines, each of them printable. */
export function printableLines(text: string): string {
  return text.split(/\r?\n/).map(escapeInvisible).join('\n')
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
