/** Cells read as answers, as people write them. Owns the words for yes and no. */
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

const YES = new Set(
  '1 x y yes t true on j ja o oui s si sí sì sim d da tak ano kyllä joo evet igen áno есть да ναι はい 是 ✓ ✔ ☑'.split(
    ' ',
  ),
)

/** What a cell says where it holds a word for yes or no and nothing else. */
export function answerIn(cell: unknown): 'yes' | 'no' | undefined {
  const word = cellText(cell).trim().toLowerCase()
  if (word === '') return undefined
  return YES.has(word) ? 'yes' : NO.has(word) ? 'no' : undefined
}
