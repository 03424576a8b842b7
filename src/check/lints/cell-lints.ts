/** What other programs left in the cells of a list. Owns these signs; changes no cell. */
import type { Problem } from '../../errors.ts'
import type { RowData } from '../../source/source.ts'

type Advice = Pick<Problem, 'code' | 'message' | 'hint' | 'value' | 'column'>

/** Letters that were read in a wrong encoding, or are still written for HTML. */
const BROKEN =
  /[ÃÂÐÑ][\u0080-\u00BF]|â€[\u0080-\u2122]|&#x?[\da-f]{2,6};|&(?:amp|quot|apos|lt|gt|nbsp|[aou]uml|szlig|eacute);/i
/** `="01067"`, `'01067`, `4.9E+12`: how spreadsheets keep a text from being a number, and what they make of a long one. */
const TRACE = /^=".*"$|^'[\d+=-]|^\d(?:[.,]\d+)?E\+\d{1,3}$/
/** Longer cells are looked at up to here. */
const LOOKED_AT = 10_000

/** What is odd about single cells of a row. */
export function cellAdvice(row: RowData): readonly Advice[] {
  const advice: Advice[] = []
  for (const column in row) {
    const cell = row[column]
    if (typeof cell !== 'string' || cell === '') continue
    const text = cell.slice(0, LOOKED_AT).trim()
    const value = text.slice(0, 60)
    if (BROKEN.test(text)) {
      const hint = 'Another program read or wrote the list in a wrong way: export it again, as UTF-8.'
      advice.push({ code: 'broken-letters', message: 'the cell seems to hold broken letters', hint, value, column })
    } else if (TRACE.test(text)) {
      const hint = 'It goes into the message as it is: write the cell as text in the spreadsheet, and export it again.'
      advice.push({
        code: 'spreadsheet-trace',
        message: 'the cell holds a trace of a spreadsheet',
        hint,
        value,
        column,
      })
    }
  }
  return advice
}

/** Columns whose cells have spaces around them. */
export function paddedColumns(row: RowData): readonly string[] {
  return Object.keys(row).filter((column) => {
    const cell = row[column]
    return typeof cell === 'string' && cell !== '' && cell.trim() !== '' && cell.length !== cell.trim().length
  })
}
