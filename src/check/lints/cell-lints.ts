/** What other programs left in the cells of a list. Owns these signs; changes no cell. */
import type { Problem } from '../../errors.ts'
import type { RowData } from '../../source/source.ts'

type Advice = Pick<Problem, 'code' | 'message' | 'hint' | 'value' | 'column'>

interface Sign extends Pick<Advice, 'code' | 'message' | 'hint'> {
  readonly pattern: RegExp
}

/** The first that a cell shows is reported. */
const SIGNS: readonly Sign[] = [
  {
    // UTF-8 that was read as Windows-1252 or Latin-1, once or twice, and letters that were lost on the way.
    pattern: /[ÃÂÅÄÐÑØÙ][\u0080-\u00BF€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|â(?:€[\u0080-\u2122]|„¢|‚¬)|ï»¿|\uFFFD/u,
    code: 'broken-letters',
    message: 'the cell seems to hold broken letters',
    hint: 'Another program read the list in a wrong encoding: export it again, as UTF-8.',
  },
  {
    // A letter as HTML writes it.
    pattern:
      /&(?:#\d{2,7}|#x[\da-f]{2,6}|amp|quot|apos|lt|gt|nbsp|[aeiou](?:uml|acute|grave|circ)|ntilde|ccedil|szlig);/i,
    code: 'broken-letters',
    message: 'the cell holds letters as HTML writes them',
    hint: 'Another program wrote the list for a web page: export it again, or replace them by their letters.',
  },
  {
    // The euro sign of cp858 is `ı` in cp850, and nothing in a file says which of them it is in.
    pattern: /\dı|\d[ \u00A0]ı(?!\p{L})|(?<!\p{L})ı[ \u00A0]?\d/u,
    code: 'broken-letters',
    message: 'the cell holds ı beside a number',
    hint: 'If it should be the euro sign, the list is in the encoding cp858: read it with --encoding cp858.',
  },
  {
    // `="01067"`, `'01067`, `4.9E+12`: how spreadsheets keep a text from being a number, and what they make of a long one.
    pattern: /^=".*"$|^'[\d+=-]|^\d(?:[.,]\d+)?E\+\d{1,3}$/,
    code: 'spreadsheet-trace',
    message: 'the cell holds a trace of a spreadsheet',
    hint: 'It goes into the message as it is: write the cell as text in the spreadsheet, and export it again.',
  },
]
/** Longer cells are looked at up to here. */
const LOOKED_AT = 10_000

/** What is odd about single cells of a row. */
export function cellAdvice(row: RowData): readonly Advice[] {
  const advice: Advice[] = []
  for (const [column, cell] of textCells(row)) {
    const text = cell.slice(0, LOOKED_AT).trim()
    const sign = SIGNS.find(({ pattern }) => pattern.test(text))
    if (sign === undefined) continue
    const { code, message, hint } = sign
    advice.push({ code, message, hint, value: text.slice(0, 60), column })
  }
  return advice
}

/** Columns whose cells have spaces around them. */
export function paddedColumns(row: RowData): readonly string[] {
  return textCells(row)
    .filter(([, cell]) => cell.trim() !== '' && cell.length !== cell.trim().length)
    .map(([column]) => column)
}

function textCells(row: RowData): readonly (readonly [column: string, text: string])[] {
  return Object.entries(row).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string' && entry[1] !== '',
  )
}
