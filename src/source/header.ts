/** Reads the line of column names. Owns which names a list may have; never knows file formats. */
import { DataError, type Problem } from '../errors.ts'
import { findEmailColumn, looksLikeAddress } from './address-column.ts'

/** More columns than this are taken for a mistake: a wrong delimiter, or rows and columns swapped. */
export const MAX_COLUMNS = 2000

export interface Header {
  readonly columns: readonly string[]
  /** Position of each column's cells in a record, from 0. */
  readonly positions: readonly number[]
  /** Cells up to the last column with a name. */
  readonly width: number
  readonly notes: readonly string[]
}

/** Where the header is. */
export interface HeaderPlace {
  readonly file: string
  readonly line?: number
}

/**
 * Column names from the header's cells, as people see them: white space around them is taken off, line breaks in them are
 * spaces, letters with their accents apart are one letter. Columns without a name are left out, and those of one name
 * are distinguished by their number: `phone (3)`, `phone (4)`.
 * @throws DataError when the line is not a header.
 */
export function readHeader(cells: readonly string[], place: HeaderPlace): Header {
  const names = cells.map(nameOf)
  const positions = [...names.keys()].filter((i) => names[i] !== '')
  const width = (positions.at(-1) ?? -1) + 1
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
  const address = names.find(looksLikeAddress)
  if (address !== undefined) {
    throw new DataError(`${place.file} begins with a row, not with column names: '${short(address)}' is an address`, {
      hint: 'Put a line of column names on top, such as: email,name,city',
      problems: [problem(place, 'no-header', 'an address is where a column name belongs', undefined, address)],
    })
  }
  const problems = positions.flatMap((i) => unusable(names[i] ?? '', i + 1, place))
  if (problems.length > 0) {
    const [first] = problems
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
    throw new DataError(`the column names of ${place.file} cannot be used: ${first?.message}${more}`, {
      hint: 'Give every column a name of letters and digits in the first line of the list.',
      problems,
    })
  }
  const same = namedTwice(names)
  const columns = positions.map((i) => (same.has(names[i] ?? '') ? `${names[i]} (${i + 1})` : (names[i] ?? '')))
  return { columns, positions, width, notes: notesOn(cells, names, same) }
}

function nameOf(cell: string): string {
  const lines = cell.split(/[\r\n]+/).map((line) => line.trim())
  const name = lines
    .filter((line) => line !== '')
    .join(' ')
    .normalize('NFC')
  // A space before a quote keeps it from being one.
  return /^\s/.test(cell) && /^".*"$/.test(name) ? name.slice(1, -1).trim() : name
}

function unusable(name: string, number: number, place: HeaderPlace): readonly Problem[] {
  if (!/[\0\u{FFFD}]/u.test(name)) return []
  const message = `the name of column ${number} holds a character that cannot be in a name`
  return [problem(place, 'bad-column-name', message, `${number}`, name)]
}

/** Names of more than one column. */
function namedTwice(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.filter((name, i) => name !== '' && names.indexOf(name) !== i))
}

function problem(place: HeaderPlace, code: string, message: string, column?: string, value?: string): Problem {
  return {
    severity: 'error',
    code,
    message,
    file: place.file,
    line: place.line,
    column,
    value: value === undefined ? undefined : short(value),
  }
}

function notesOn(cells: readonly string[], names: readonly string[], same: ReadonlySet<string>): readonly string[] {
  const notes: string[] = []
  const dropped = names.filter((name) => name === '').length
  if (dropped > 0) notes.push(`left out ${dropped} column${dropped === 1 ? '' : 's'} without a name`)
  const padded = names.filter((name, i) => name !== '' && /^\s|\s$/.test(cells[i] ?? ''))
  if (padded.length > 0) {
    const list = padded.map((name) => `'${short(name)}'`).join(', ')
    notes.push(`took off the spaces around the column name${padded.length === 1 ? '' : 's'} ${list}`)
  }
  for (const name of same) {
    const numbers = [...names.keys()].filter((i) => names[i] === name).map((i) => `'${short(name)} (${i + 1})'`)
    notes.push(`several columns are called '${short(name)}': they are ${numbers.join(' and ')} here`)
  }
  return notes
}

/** A value as it can be shown in one line: control characters as pictures, cut to sixty characters. */
export function short(value: string): string {
  const cut = value.length > 60 ? `${value.slice(0, 60)}…` : value
  return cut.replace(/[\u{0}-\u{1F}]/gu, (character) => String.fromCodePoint(0x2400 + character.charCodeAt(0)))
}

/** A record of the beginning of a list, with the number that `headerRow` counts it by. */
export interface FirstRecord {
  readonly number: number
  readonly cells: readonly string[]
}

/**
 * The number of the record that holds the column names, where the first is a title: one cell alone, with a line of several
 * names further down and an address below it, or fewer cells than a line that names the address column.
 */
export function titledHeaderRow(records: readonly FirstRecord[]): number | undefined {
  const [first, ...others] = records
  if (first === undefined || findEmailColumn(first.cells.map(nameOf)) !== undefined) return undefined
  const filled = (cells: readonly string[]): number => cells.filter((cell) => cell.trim() !== '').length
  const holdsAddress = ({ cells }: FirstRecord): boolean => cells.some(looksLikeAddress)
  const isHeader = (record: FirstRecord, i: number): boolean => {
    if (holdsAddress(record) || !others.slice(i + 1).some(holdsAddress)) return false
    const count = filled(record.cells)
    if (count <= filled(first.cells)) return false
    return filled(first.cells) === 1 || findEmailColumn(record.cells.map(nameOf)) !== undefined
  }
  return others.find(isHeader)?.number
}

/** The error for a title above the column names. */
export function titleError(file: string, title: readonly string[], row: number): DataError {
  const shown = short(title.find((cell) => cell.trim() !== '')?.trim() ?? '')
  return new DataError(`${file} begins with '${shown}', which is not a line of column names`, {
    hint: `The names seem to be in row ${row}. Set it in mailmerge.yaml: data: { path: ${file}, headerRow: ${row} }`,
  })
}
