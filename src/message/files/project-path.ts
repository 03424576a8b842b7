/**
 * What a path from a template or a row may look like, before any disk is asked. Owns the refusals with their reasons, and
 * which part of a path is a pattern.
 */

import { isAbsolute, relative, sep } from 'node:path'
import { DataError } from '../../errors.ts'
import { HOLE_CLOSE, HOLE_OPEN } from '../../template/template.ts'
import { excerpt } from '../../text/visible.ts'

/** What a file is wanted for; begins the codes of its problems and stands in their texts. */
export type FilePurpose = 'attachment' | 'image' | 'font'

/** Why a path cannot be a file of the project, whatever is there; undefined when it may be one. */
export function forbiddenPath(path: string): string | undefined {
  if (path.trim() === '') return 'is empty'
  if (path.length > 4_096) return 'is longer than any path'
  if (path.includes('\0')) return 'holds a NUL'
  if (/^[a-z]:/i.test(path) || /^[\\/]{2}/.test(path)) return 'names another drive or machine'
  if (/^[a-z][a-z0-9+.-]*:/i.test(path)) return 'is an address, not a file'
  if (path.startsWith('~')) return "begins with '~', which is not expanded"
  if (path.split(/[\\/]/).includes('..')) return "goes up with '..'"
  if (path.includes(':')) return "holds a ':', which names a stream of a file on some systems"
  return undefined
}

/** True when `path` is `folder` or below it; both real or both as given. */
export function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path)
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

/** True when a step from `folder` to `path` is hidden, as `.env`, `.git` and `.mailmerge` are. */
export function isHidden(folder: string, path: string): boolean {
  return relative(folder, path)
    .split(sep)
    .some((step) => step.startsWith('.'))
}

/** The path as it would be read without any pattern. */
export function literalPath(marked: string): string {
  return marked.replaceAll(HOLE_OPEN, '').replaceAll(HOLE_CLOSE, '')
}

/**
 * The pattern in a path, undefined where there is none. A row's value between the marks of `template.ts` counts by its
 * letters alone: `invoices/{{number}}-*.pdf` with the number `*` fits only files that begin with a star.
 */
export function patternOf(marked: string): string | undefined {
  let pattern = ''
  let own = ''
  let at = 0
  while (at < marked.length) {
    const open = marked.indexOf(HOLE_OPEN, at)
    const end = open < 0 ? marked.length : open
    own += marked.slice(at, end)
    pattern += marked.slice(at, end)
    if (open < 0) break
    const close = marked.indexOf(HOLE_CLOSE, open)
    const value = marked.slice(open + HOLE_OPEN.length, close < 0 ? marked.length : close)
    // There is no way to quote these for the matcher, so a value that holds one fits nothing.
    if (/[{}\\!]/.test(value)) return undefined
    pattern += value.replace(/[*?[\]()+@|]/g, '[$&]')
    at = close < 0 ? marked.length : close + HOLE_CLOSE.length
  }
  return /[*?[{]/.test(own) ? pattern : undefined
}

/**
 * The parts of a list of files between semicolons, commas or line breaks; undefined for a single one. The template may
 * list them, and so may a value that is all there is; a value within a path is part of that path.
 */
export function severalPaths(marked: string): readonly string[] | undefined {
  if (!/[;,\n]/.test(marked)) return undefined
  const parts = splitOutside(marked).flatMap((part) => {
    const value = part.startsWith(HOLE_OPEN) && part.indexOf(HOLE_CLOSE) === part.length - HOLE_CLOSE.length
    if (!value) return [part]
    return literalPath(part)
      .split(/[;,\n]/)
      .map((one) => `${HOLE_OPEN}${one.trim()}${HOLE_CLOSE}`)
  })
  const filled = parts.filter((part) => literalPath(part) !== '')
  return filled.length > 1 || filled.length < parts.length ? filled : undefined
}

/** Splits where neither a value nor the braces of a pattern are open. */
function splitOutside(marked: string): readonly string[] {
  const pieces = marked.match(/\u{F0000}[^\u{F0001}]*\u{F0001}|\{[^{}]*\}|[;,\n]|[^;,\n]/gu) ?? []
  const parts = ['']
  for (const piece of pieces) {
    if (/^[;,\n]$/.test(piece)) parts.push('')
    else parts[parts.length - 1] += piece
  }
  return parts.map((part) => part.trim())
}

/** A path that can be shown: cut, and with characters spelt out that cannot be seen. */
export function shownPath(path: string): string {
  return excerpt(literalPath(path), 120)
}

const HINTS: Readonly<Record<string, string>> = {
  attachment:
    'Attachment paths start at the project folder and stay in it; attachments.roots in mailmerge.yaml opens another.',
  image: 'Image paths start at the project folder and stay in it.',
  font: 'Font paths start at the project folder and stay in it.',
}

/** The error for a file that cannot be had: `bad('image', 'missing', 'a.png', 'does not exist')`. */
export function fileError(purpose: FilePurpose, kind: string, path: string, what: string, cause?: unknown): DataError {
  const message = `the ${purpose} '${shownPath(path)}' ${what}`
  const code = kind === 'missing' ? `missing-${purpose}` : `${purpose}-${kind}`
  const hint = HINTS[purpose]
  const problem = {
    severity: 'error',
    code,
    message,
    value: shownPath(path),
    ...(hint === undefined ? {} : { hint }),
  } as const
  return new DataError(message, { problems: [problem], ...(cause === undefined ? {} : { cause }) })
}
