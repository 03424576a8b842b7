/**
 * Where in the files of a project something is written: the line of a template that a finding is about, the lines around an
 * error. Owns the search; reads no row.
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { FilePlace, SourceLine } from '../wire.ts'

/** Lines shown before and after the one of an error. */
const AROUND = 2
const LONGEST_LINE = 300
/** Files beyond it are data, and no text of a person. */
const LARGEST = 2_000_000

export interface Places {
  /** The first line that holds the text; undefined where none does. */
  line(text: string): FilePlace | undefined
  /** The line where a field of the message is set: `from`, `List-Id`. */
  field(name: string): FilePlace | undefined
  /** The lines of a file, named from the project's root; undefined for any other file. */
  lines(file: string): readonly string[] | undefined
  /** The text of all files. */
  readonly text: string
}

/** Looks through these files, named from the project's root. */
export function openPlaces(files: readonly string[], root: string): Places {
  const texts = files.flatMap((file) => {
    const text = textOf(resolve(root, file))
    return text === undefined || /\.(?:png|jpe?g|gif|webp|pdf|svg)$/i.test(file)
      ? []
      : [{ file, lines: text.split(/\r?\n/) }]
  })
  const first = (holds: (line: string) => boolean): FilePlace | undefined => {
    for (const { file, lines } of texts) {
      const at = lines.findIndex(holds)
      if (at >= 0) return { file, line: at + 1 }
    }
    return undefined
  }
  return {
    line: (text) => (text.trim() === '' ? undefined : first((line) => line.includes(text.trim()))),
    field: (name) => {
      const pattern = new RegExp(`^\\s*["']?${RegExp.escape(name)}["']?\\s*:`, 'i')
      return first((line) => pattern.test(line))
    },
    lines: (file) => texts.find((one) => one.file === file)?.lines,
    text: texts.map(({ lines }) => lines.join('\n')).join('\n'),
  }
}

/** The lines around a place; empty where the file cannot be read. */
export function linesAround(path: string, line: number): readonly SourceLine[] {
  const lines = textOf(path)?.split(/\r?\n/) ?? []
  if (line < 1 || line > lines.length) return []
  const from = Math.max(1, line - AROUND)
  return lines
    .slice(from - 1, line + AROUND)
    .map((text, index) => ({ number: from + index, text: text.slice(0, LONGEST_LINE), isHit: from + index === line }))
}

function textOf(path: string): string | undefined {
  try {
    const bytes = readFileSync(path)
    return bytes.length > LARGEST ? undefined : bytes.toString('utf8')
  } catch {
    return undefined
  }
}
