/**
 * What rows must have in common to be one message: who it is from and to, and its language. Owns this rule; all else of a
 * message is that of its first row, or made of all rows.
 */
import { DataError } from '../../errors.ts'
import { parseAddressList } from '../../message/address/list.ts'
import { cellText } from '../../source/cells/cell.ts'
import type { Row } from '../../source/source.ts'
import type { MarkedText } from '../../template/marked-text.ts'
import { fieldKey, type Rendered } from '../../template/template.ts'
import { addressOf, personOf, type RecipientRules } from './recipient.ts'

/** Fields that a message has once, and the words for what they say. */
const ONCE = {
  from: 'sender',
  to: 'address',
  cc: 'cc',
  bcc: 'bcc',
  replyTo: 'reply address',
  envelopeFrom: 'return path',
} as const

/** Rows that are one message. */
export interface MessageGroup {
  readonly key: string
  /** Column that they are grouped by. */
  readonly column: string
  /** In the order of the list. */
  readonly rows: readonly Row[]
}

/** How the message is made. */
interface OneMessage {
  /** What says its language: the `locale` of the template, or a column. */
  readonly languageFrom: string | undefined
  /** Renders one row as a message of its own. */
  readonly alone: (row: Row) => Rendered
}

/**
 * @param whole the message of all rows.
 * @throws DataError that names two rows and what differs in them; the addresses of two rows differ when they are of two people.
 */
export function refuseDifferences(
  group: MessageGroup,
  whole: Rendered,
  rules: RecipientRules,
  { languageFrom, alone }: OneMessage,
): void {
  const [first, ...others] = group.rows
  if (first === undefined) return
  const ofTemplate = columnsOf(whole, 'locale')
  const languageColumns =
    languageFrom === undefined || languageFrom === 'locale' ? ofTemplate : [...ofTemplate, languageFrom]
  let ofFirst: Rendered | undefined
  for (const row of others) {
    let own: Rendered | undefined
    const locale = languageColumns.find((column) => languageIn(first, column) !== languageIn(row, column))
    if (locale !== undefined)
      throw differing(group, row, 'language', languageIn(first, locale), languageIn(row, locale))
    if (whole.to === undefined) {
      const [one, other] = [addressOf(first.data, undefined, rules), addressOf(row.data, undefined, rules)]
      if (personOf(one, rules.foldGmail) !== personOf(other, rules.foldGmail))
        throw differing(group, row, ONCE.to, one, other)
    }
    for (const field of Object.keys(ONCE) as readonly (keyof typeof ONCE)[]) {
      if (whole[field] === undefined) continue
      const isSame = columnsOf(whole, field).every((column) => textIn(first, column) === textIn(row, column))
      if (isSame) continue
      ofFirst ??= alone(first)
      own ??= alone(row)
      const [one, other] = [addressesIn(ofFirst[field], rules), addressesIn(own[field], rules)]
      if (one !== other) throw differing(group, row, ONCE[field], one, other)
    }
  }
}

/** The error for rows of one group that cannot be one message. */
export function differing(group: MessageGroup, row: Row, what: string, one: string, other: string): DataError {
  const [first] = group.rows
  const message = `rows ${first?.number} and ${row.number} have the same ${group.column} and not the same ${what}: '${one}' and '${other}'`
  const hint = 'One message has one. Correct one of the rows, or group by another column.'
  return new DataError(message, {
    problems: [{ severity: 'error', code: 'rows-differ', message, hint, row: row.number }],
  })
}

function columnsOf({ columns }: Rendered, field: string): readonly string[] {
  return columns?.get(fieldKey(field)) ?? []
}

function textIn({ data }: Row, column: string): string {
  return cellText(data[column]).trim()
}

function languageIn(row: Row, column: string): string {
  return textIn(row, column).toLowerCase()
}

/** The addresses alone: a name beside one may be written in several ways. */
function addressesIn(field: MarkedText | undefined, { foldGmail }: RecipientRules): string {
  if (field === undefined) return ''
  const { mailboxes } = parseAddressList(field)
  return mailboxes.map(({ wire }) => personOf(wire, foldGmail)).join(', ')
}
