/** Words to lines. Owns where lines break and, for scripts from right to left, the order in which words stand. */
import type { FontRun } from './font.ts'

/** A stretch of a line to be drawn at once. */
export interface Stretch extends FontRun {
  readonly width: number
}

export interface Line {
  readonly stretches: readonly Stretch[]
  readonly width: number
}

/** Width of a text in points. */
export type Measure = (run: FontRun) => number

interface Piece extends FontRun {
  readonly kind: 'word' | 'space' | 'break'
}

const RIGHT_TO_LEFT = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** Breaks runs into lines no wider than `width`; a word that is wider than a line is broken between its letters. */
export function breakLines(runs: readonly FontRun[], width: number, measure: Measure): readonly Line[] {
  const lines: Piece[][] = []
  let line: Piece[] = []
  let used = 0
  let gap: Piece[] = []
  const end = (): void => {
    lines.push(line)
    line = []
    gap = []
    used = 0
  }
  const put = (pieces: readonly Piece[], size: number): void => {
    line.push(...gap, ...pieces)
    used += widthOf(gap, measure) + size
    gap = []
  }
  for (const atom of atomsOf(runs.flatMap(piecesOf))) {
    const [first] = atom
    if (first === undefined) continue
    if (first.kind === 'break') end()
    else if (first.kind === 'space') gap = line.length === 0 ? [] : [...gap, ...atom]
    else {
      const size = widthOf(atom, measure)
      if (line.length > 0 && used + widthOf(gap, measure) + size > width) end()
      if (size <= width) put(atom, size)
      else {
        for (const letter of atom.flatMap(lettersOf)) {
          const wide = measure(letter)
          if (line.length > 0 && used + wide > width) end()
          put([letter], wide)
        }
      }
    }
  }
  if (line.length > 0 || lines.length === 0) end()
  const backwards = startsRightToLeft(runs)
  return lines.map((pieces) => lineOf(pieces, backwards, measure))
}

/** True when the first letter that has a direction is written from right to left. */
export function startsRightToLeft(runs: readonly FontRun[]): boolean {
  for (const { text } of runs) {
    const letter = /\p{L}/u.exec(text)?.[0]
    if (letter !== undefined) return RIGHT_TO_LEFT.test(letter)
  }
  return false
}

/** The width that no line break can make smaller, and the width without any. */
export function widthsOf(
  runs: readonly FontRun[],
  measure: Measure,
): { readonly least: number; readonly most: number } {
  let least = 0
  let most = 0
  let line = 0
  for (const atom of atomsOf(runs.flatMap(piecesOf))) {
    if (atom[0]?.kind === 'break') {
      line = 0
      continue
    }
    const size = widthOf(atom, measure)
    line += size
    most = Math.max(most, line)
    if (atom[0]?.kind === 'word') least = Math.max(least, size)
  }
  return { least, most }
}

function piecesOf(run: FontRun): readonly Piece[] {
  return (run.text.match(/\n|[^\S\n\u00A0\u202F]+|(?:[^\s]|[\u00A0\u202F])+/gu) ?? []).map((text) => {
    const kind = text === '\n' ? 'break' : /^[^\S\u00A0\u202F]/u.test(text) ? 'space' : 'word'
    return { ...run, text: kind === 'space' ? ' ' : text, kind }
  })
}

/** Words that touch are one: `**un**broken` has no place to break. */
function atomsOf(pieces: readonly Piece[]): readonly (readonly Piece[])[] {
  const atoms: Piece[][] = []
  for (const piece of pieces) {
    const last = atoms.at(-1)
    if (piece.kind === 'word' && last?.[0]?.kind === 'word') last.push(piece)
    else atoms.push([piece])
  }
  return atoms
}

function lettersOf(piece: Piece): readonly Piece[] {
  return [...graphemes.segment(piece.text)].map(({ segment }) => ({ ...piece, text: segment }))
}

function widthOf(pieces: readonly Piece[], measure: Measure): number {
  return pieces.reduce((sum, piece) => sum + measure(piece), 0)
}

/** Neighbours in one font are drawn together, so that a reader of the file finds their spaces. */
function lineOf(pieces: readonly Piece[], backwards: boolean, measure: Measure): Line {
  const directed = backwards || pieces.some(({ text }) => RIGHT_TO_LEFT.test(text))
  const runs: FontRun[] = []
  for (const { kind: _, ...run } of directed ? visualOrder(pieces, backwards) : pieces) {
    const last = runs.at(-1)
    if (!directed && last?.font === run.font && last.link === run.link)
      runs[runs.length - 1] = { ...last, text: last.text + run.text }
    else runs.push(run)
  }
  const stretches = runs.map((run) => ({ ...run, width: measure(run) }))
  return { stretches, width: stretches.reduce((sum, { width }) => sum + width, 0) }
}

/** The words of a line from left to right: the bidirectional algorithm (UAX 9, rule L2) with words for letters. */
function visualOrder(pieces: readonly Piece[], backwards: boolean): readonly Piece[] {
  const base = backwards ? 1 : 0
  const levels = pieces.map(({ kind, text }) => {
    if (kind !== 'word') return base
    if (RIGHT_TO_LEFT.test(text)) return 1
    return backwards ? (/[\p{L}\p{N}]/u.test(text) ? 2 : 1) : 0
  })
  // What stands between two words of one direction goes with them.
  for (let at = 1; at < levels.length - 1; at++) {
    const before = levels[at - 1] ?? base
    if (pieces[at]?.kind !== 'word' && before > base && levels[at + 1] === before) levels[at] = before
  }
  const order = pieces.map((piece, at) => ({ piece, level: levels[at] ?? base }))
  for (const level of [2, 1]) {
    for (let from = 0; from < order.length; from++) {
      if ((order[from]?.level ?? 0) < level) continue
      let to = from
      while ((order[to + 1]?.level ?? 0) >= level) to++
      order.splice(from, to - from + 1, ...order.slice(from, to + 1).reverse())
      from = to
    }
  }
  return order.map(({ piece }) => piece)
}
