/**
 * Characters that cannot be seen, and text made fit to be shown: what a list or a server sent must not move a cursor, set a
 * title, or turn the direction of a line. Owns which characters these are; never decides what is shown.
 */

/** Controls (C0 and C1), format characters (direction marks, zero-width characters), line separators, lone surrogates. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u
const EVERY_INVISIBLE = new RegExp(INVISIBLE, 'gu')

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\u0000': '\\0' }

/** Whether the text holds a character that cannot be seen. */
export function hasInvisible(text: string): boolean {
  return INVISIBLE.test(text)
}

/** The text with every invisible character spelled out: `\n`, `\u001b`, `\u{e0001}`. */
export function escapeInvisible(text: string): string {
  return INVISIBLE.test(text) ? text.replace(EVERY_INVISIBLE, spelledOut) : text
}

const AT_ENDS = /[\s\u00AD\u200B-\u200F\u2060\uFEFF]/

/** Without what is not seen at either end: spaces of any kind, byte order marks, zero-width characters. */
export function trimUnseen(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && AT_ENDS.test(text.charAt(start))) start++
  while (end > start && AT_ENDS.test(text.charAt(end - 1))) end--
  return text.slice(start, end)
}

/** The text with a space in place of every invisible character, at most `longest` UTF-16 code units of it. */
export function blankInvisible(text: string, longest = Number.POSITIVE_INFINITY): string {
  const seen = INVISIBLE.test(text) ? text.replace(EVERY_INVISIBLE, ' ') : text
  return seen.length > longest ? seen.slice(0, longest) : seen
}

/** Somebody else's words as one line: runs of spaces and invisible characters become one space. */
export function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, ' ').trim()
}

/** The text escaped and cut to `longest` characters, with `...` where it was cut. */
export function excerpt(text: string, longest: number): string {
  const safe = escapeInvisible(text.slice(0, longest * 3))
  return safe.length > longest ? `${safe.slice(0, longest - 3)}...` : safe
}

function spelledOut(character: string): string {
  const code = character.codePointAt(0) ?? 0
  const hex = code.toString(16)
  return NAMED[character] ?? (code > 0xffff ? `\\u{${hex}}` : `\\u${hex.padStart(4, '0')}`)
}
