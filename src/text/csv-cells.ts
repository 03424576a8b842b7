/** Cells of the CSV files that we write. Owns that no cell of ours is run as a formula and that each row of ours is one line. */

/** Texts as one line of CSV, safe to open in a spreadsheet. */
export function csvCells(values: readonly string[]): string {
  return `${values.map(csvCell).join(',')}\r\n`
}

/** A value of the user's own list as a cell of a copy: not changed, and quoted where it must be. */
export function copiedCell(value: string): string {
  return /[",;\t\r\n]|^\s|\s$/.test(value) ? `"${value.replaceAll('"', '""')}"` : value
}

/** What a spreadsheet takes for a formula: these signs, in full width too, behind blanks, quotes or invisible characters. */
const FORMULA = /^[\s'"\p{Cc}\p{Cf}]*[=+\-@\t\r|%\uFF1D\uFF0B\uFF0D\uFF20]/u
/** A cell that a spreadsheet with another list separator would begin in the middle of ours. */
const INNER_FORMULA = /;(?=[\s'"\p{Cf}]*[=+\-@|%\uFF1D\uFF0B\uFF0D\uFF20])/gu
const CONTROL = /\p{Cc}/gu
/** What most cells are: nothing in them, nor at their ends, means anything to anybody. */
const PLAIN = /^(?:[\w<](?:[\w .:@<>()/-]*[\w.:@<>()/-])?)?$/

/**
 * A value as a cell, in one line. An apostrophe makes a text of what would be a formula and can be taken off again;
 * control characters are shown by their pictures (U+2400 and on).
 */
export function csvCell(value: string): string {
  if (PLAIN.test(value)) return value
  const text = value.replace(CONTROL, picture).replace(INNER_FORMULA, ";'")
  const defused = FORMULA.test(value) ? `'${text}` : text
  return /[",;]|^'|^\s|\s$/.test(defused) ? `"${defused.replaceAll('"', '""')}"` : defused
}

function picture(control: string): string {
  const code = control.charCodeAt(0)
  return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? '\u2421' : '\uFFFD'
}
