/**
 * What a path from a template or a row may look like, before any disk is asked. Owns the refusals with their reasons, and
 * which part of a path is a pattern.
 */

import { isAbsolute, relative, sep } from 'node:path'
import { DataError } from '../../errors.ts'
import {
  joinPieces,
  type MarkedText,
  markValue,
  onlyValue,
  type Piece,
  piecesOf,
  trimMarked,
  unmark,
} from '../../template/marked-text.ts'
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

/**
 * The pattern in a path, undefined where there is none. A row's value counts by its letters alone:
 * `invoices/{{number}}-*.pdf` with the number `*` fits only files that begin with a star.
 */
export function patternOf(marked: MarkedText): string | undefined {
  const pieces = piecesOf(marked)
  if (!pieces.some(({ isValue, text }) => !isValue && /[*?[{]/.test(text))) return undefined
  // There is no way to quote these for the matcher, so a value that holds one fits nothing.
  if (pieces.some(({ isValue, text }) => isValue && /[{}\\!]/.test(text))) return undefined
  return pieces.map(({ isValue, text }) => (isValue ? text.replace(/[*?[\]()+@|]/g, '[$&]') : text)).join('')
}

/**
 * The parts of a list of files between semicolons, commas or line breaks; undefined for a single one. The template may
 * list them, and so may a value that is all there is; a value within a path is part of that path.
 */
export function severalPaths(marked: MarkedText): readonly MarkedText[] | undefined {
  if (!/[;,\n]/.test(unmark(marked))) return undefined
  const parts = elementsOf(marked).flatMap((part) => {
    const value = onlyValue(part)
    return value === undefined ? [part] : value.split(/[;,\n]/).map((one) => markValue(one.trim()))
  })
  const filled = parts.filter((part) => unmark(part) !== '')
  return filled.length > 1 || filled.length < parts.length ? filled : undefined
}

/** Splits where neither a value nor the braces of a pattern are open. */
function elementsOf(marked: MarkedText): readonly MarkedText[] {
  const elements: Piece[][] = [[]]
  const pieces = piecesOf(marked)
  let inBraces = false
  for (const [index, piece] of pieces.entries()) {
    const stretches = piece.isValue ? [piece.text] : (piece.text.match(/[{};,\n]|[^{};,\n]+/g) ?? [])
    for (const text of stretches) {
      if (!piece.isValue && !inBraces && /^[;,\n]$/.test(text)) {
        elements.push([])
        continue
      }
      if (!piece.isValue && text === '{')
        inBraces = pieces.slice(index).some((later) => !later.isValue && later.text.includes('}'))
      if (!piece.isValue && text === '}') inBraces = false
      elements.at(-1)?.push({ isValue: piece.isValue, text })
    }
  }
  return elements.map((element) => trimMarked(joinPieces(element)))
}

/** A path that can be shown: cut, and with characters spelt out that cannot be seen. */
export function shownPath(path: string): string {
  return excerpt(path, 120)
}

const HINTS: Readonly<Record<string, string>> = {
  attachment:
    'Attachment paths start at the project folder and stay in it; attachments.roots in mailmerge.yaml opens another.',
  image: 'Image paths start at the project folder and stay in it.',
  font: 'Font paths start at the project folder and stay in it.',
}

/** The error for a file that cannot be had: `bad('image', 'missing', 'a.png', 'does not exist')`. */
export function fileError(
  purpose: FilePurpose,
  kind: string,
  path: string,
  what: string,
  more: { readonly cause?: unknown; readonly hint?: string | undefined } = {},
): DataError {
  const message = `the ${purpose} '${shownPath(path)}' ${what}`
  const code = kind === 'missing' ? `missing-${purpose}` : `${purpose}-${kind}`
  const hint = more.hint ?? HINTS[purpose]
  const problem = {
    severity: 'error',
    code,
    message,
    value: shownPath(path),
    hint,
  } as const
  return new DataError(message, { problems: [problem], cause: more.cause })
}
