/** Reads the line of column names. Owns which names a list may have; knows no file format. */
import { DataError, type Problem } from '../errors.ts'

/** More columns than this are taken for a mistake: a wrong delimiter, or rows and columns swapped. */
export const MAX_COLUMNS = 2000

export interface Header {
  readonly columns: readonly string[]
  /** Position of each column's cells in a record, from 0. */
  readonly positions: readonly number[]
  readonly notes: readonly string[]
}

/** Where the header is, and what its format allows. */
export interface HeaderPlace {
  readonly file: string
  readonly line?: number
  /** Columns without a name may be between others, as in a sheet; they are left out. */
  readonly gaps?: boolean
}

const LOOKS_LIKE_ADDRESS = /^[^\s@<>"',;]+@[^\s@<>"',;]+\.[^\s@<>"',;]+$/

/**
 * Column names from the header's cells: white space around them is taken off, columns without a name at the end are
 * left out.
 * @throws DataError naming every column that is empty or there twice, or when the line is not a header.
 */
export function readHeader(cells: readonly string[], place: HeaderPlace): Header {
  const names = cells.map((cell) => cell.trim())
  let width = names.length
  while (width > 0 && names[width - 1] === '') width--
  if (width === 0) {
    throw new DataError(`${place.file} has no column names`, {
      hint: 'The first line of a list names its columns: email,name,city',
    })
  }
  if (width > MAX_COLUMNS) {
    throw new DataError(`${place.file} has ${width} columns; at most ${MAX_COLUMNS} can be read`, {
      hint: 'Is this the right file, and is its delimiter the right one? --delimiter sets it.',
    })
  }
  const positions = [...names.keys()].slice(0, width).filter((i) => place.gaps !== true || names[i] !== '')
  const columns = positions.map((i) => names[i] ?? '')
  const address = columns.find((name) => LOOKS_LIKE_ADDRESS.test(name))
  if (address !== undefined) {
    throw new DataError(`${place.file} begins with a row, not with column names: '${short(address)}' is an address`, {
      hint: 'Put a line of column names on top, such as: email,name,city',
      problems: [problem(place, 'no-header', 'an address is where a column name belongs', undefined, address)],
    })
  }
  const problems = nameProblems(columns, place)
  if (problems.length > 0) {
    const [first] = problems
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
    throw new DataError(`the column names of ${place.file} cannot be used: ${first?.message}${more}`, {
      hint: 'Give every column a name of its own in the first line of the list.',
      problems,
    })
  }
  return { columns, positions, notes: notesOn(cells, positions, columns) }
}

function nameProblems(columns: readonly string[], place: HeaderPlace): readonly Problem[] {
  const problems: Problem[] = []
  const seen = new Map<string, number>()
  for (const [i, name] of columns.entries()) {
    const number = i + 1
    if (name === '') {
      problems.push(problem(place, 'empty-column-name', `column ${number} has no name`, `${number}`))
      continue
    }
    const before = seen.get(name)
    if (before !== undefined) {
      const message = `'${short(name)}' names both column ${before} and column ${number}`
      problems.push(problem(place, 'duplicate-column-name', message, name))
    }
    seen.set(name, before ?? number)
    if (/[\0\n\r\u{FFFD}]/u.test(name)) {
      const message = `the name of column ${number} holds a character that cannot be in a name`
      problems.push(problem(place, 'bad-column-name', message, `${number}`, name))
    }
  }
  return problems
}

function problem(place: HeaderPlace, code: string, message: string, column?: string, value?: string): Problem {
  return {
    severity: 'error',
    code,
    message,
    file: place.file,
    ...(place.line === undefined ? {} : { line: place.line }),
    ...(column === undefined ? {} : { column }),
    ...(value === undefined ? {} : { value: short(value) }),
  }
}

function notesOn(
  cells: readonly string[],
  positions: readonly number[],
  columns: readonly string[],
): readonly string[] {
  const notes: string[] = []
  const dropped = cells.length - columns.length
  if (dropped > 0) notes.push(`left out ${dropped} column${dropped === 1 ? '' : 's'} without a name`)
  const padded = columns.filter((name, i) => name !== cells[positions[i] ?? i])
  if (padded.length > 0) {
    const list = padded.map((name) => `'${short(name)}'`).join(', ')
    notes.push(`took off the spaces around the column name${padded.length === 1 ? '' : 's'} ${list}`)
  }
  return notes
}

/** A value as it can be shown in one line: control characters as pictures, cut to sixty characters. */
export function short(value: string): string {
  const cut = value.length > 60 ? `${value.slice(0, 60)}…` : value
  return cut.replace(/[\u{0}-\u{1F}]/gu, (character) => String.fromCodePoint(0x2400 + character.charCodeAt(0)))
}
