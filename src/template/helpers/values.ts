/** Cells read as answers, as people write them. Owns the words for no. */
import { cellText, storedValue } from '../../source/cells/cell.ts'

const NO = new Set(
  [
    '',
    '0',
    '-',
    'n',
    'no',
    'f',
    'false',
    'off',
    'none',
    'nein',
    'non',
    'nee',
    'nej',
    'nei',
    'não',
    'nao',
    'ne',
    'nie',
  ].concat(['нет', 'όχι', 'いいえ', '否']),
)

/** What a cell answers to a question: yes, unless it is empty or says no. */
export function readYes(cell: unknown): boolean {
  const value = storedValue(cell)
  if (value === undefined || value === null || value === false) return false
  if (Array.isArray(value)) return value.length > 0
  return !NO.has(cellText(value).trim().toLowerCase())
}
