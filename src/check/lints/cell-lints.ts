/** What other programs left in the cells of a list. Owns these signs; changes no cell. */
import type { Problem } from '../../errors.ts'
import type { RowData } from '../../source/source.ts'

type Advice = Pick<Problem, 'code' | 'message' | 'hint' | 'value' | 'column'>

/** UTF-8 that was read as Windows-1252 or Latin-1, once or twice, and letters that were lost on the way. */
const MISREAD = /[ÃÂÅÄÐÑØÙ][\u0080-\u00BF€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|â(?:€[\u0080-\u2122]|„¢|‚¬)|ï»¿|\uFFFD/u
/** A letter as HTML writes it. */
const ENTITY =
  /&(?:#\d{2,7}|#x[\da-f]{2,6}|amp|quot|apos|lt|gt|nbsp|[aeiou](?:uml|acute|grave|circ)|ntilde|ccedil|szlig);/i
/** The euro sign of cp858 is `ı` in cp850, and nothing in a file says which of them it is in. */
const DOS_EURO = /\dı|\d[ \u00A0]ı(?!\p{L})|(?<!\p{L})ı[ \u00A0]?\d/u
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
    if (MISREAD.test(text)) {
      const hint = 'Another program read the list in a wrong encoding: export it again, as UTF-8.'
      advice.push({ code: 'broken-letters', message: 'the cell seems to hold broken letters', hint, value, column })
    } else if (ENTITY.test(text)) {
      const hint = 'Another program wrote the list for a web page: export it again, or replace them by their letters.'
      advice.push({
        code: 'broken-letters',
        message: 'the cell holds letters as HTML writes them',
        hint,
        value,
        column,
      })
    } else if (DOS_EURO.test(text)) {
      const hint = 'If it should be the euro sign, the list is in the encoding cp858: read it with --encoding cp858.'
      advice.push({ code: 'broken-letters', message: 'the cell holds ı beside a number', hint, value, column })
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
