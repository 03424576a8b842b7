/** Who a row is for: the address, and the key that makes two rows the same. Pure; reads no source and renders nothing. */
import type { Settings } from '../../config/settings.ts'
import { DataError, type Problem } from '../../errors.ts'
import { gmailKey, normalizeAddress, parseRecipient } from '../../message/address/address.ts'
import { parseAddressList } from '../../message/address/list.ts'
import { cellText } from '../../source/cells/cell.ts'
import type { RowData } from '../../source/source.ts'
import { type MarkedText, unmark } from '../../template/marked-text.ts'
import { hasInvisible, trimUnseen } from '../../text/visible.ts'

export interface RecipientRules {
  /** Column that holds the address; needed where the template sets no `to`. */
  readonly emailColumn: string | undefined
  /** Column of the recipient key; without it the address is the key. */
  readonly key: string | undefined
  /** Addresses of Gmail that differ only in dots or from a plus on are one key. */
  readonly foldGmail: boolean
}

export interface RowIdentity {
  readonly key: string
  readonly address: string
}

/** Who is who in a list: the column that rows are grouped by is the recipient key, and that of the address is the address. */
export function recipientRules(
  { key, groupBy, foldGmail }: Pick<Settings, 'key' | 'groupBy' | 'foldGmail'>,
  emailColumn: string | undefined,
): RecipientRules {
  if (groupBy === undefined) return { emailColumn, key, foldGmail }
  return { emailColumn, key: groupBy === emailColumn ? undefined : groupBy, foldGmail }
}

/**
 * The address of a row: `to` of the template takes precedence; without it, it is in the address column.
 * @throws DataError whose problem names the column.
 */
export function addressOf(cells: RowData, to: MarkedText | undefined, { emailColumn }: RecipientRules): string {
  if (to === undefined) {
    if (emailColumn !== undefined) return addressIn(cellText(cells[emailColumn]), emailColumn)
    throw rowError('no-address-column', "the list has no address column and the template sets no 'to'", undefined, {
      hint: 'Name the column with emailColumn in mailmerge.yaml, or write to: in the template.',
    })
  }
  const { mailboxes, faults } = parseAddressList(to)
  const first = mailboxes[0]
  if (first !== undefined && faults.length === 0) return first.wire
  throw rowError('bad-address', faults[0] ?? 'there is no address', emailColumn ?? 'to', { value: unmark(to) })
}

/** @throws DataError for an empty key. */
export function keyOf(cells: RowData, address: string, { key: column, foldGmail }: RecipientRules): string {
  if (column === undefined) return personOf(address, foldGmail)
  const key = cellText(cells[column]).trim()
  if (key !== '') return key
  throw rowError('empty-key', `the key column '${column}' is empty`, column, {
    hint: 'Give every row a key, or leave --key out so that the address is the key.',
  })
}

/**
 * The key of the group that a row belongs to: the same as its recipient key, from its cells alone.
 * @throws DataError whose problem names the column.
 */
export function groupKeyOf(cells: RowData, rules: RecipientRules): string {
  if (rules.key === undefined) return personOf(addressOf(cells, undefined, rules), rules.foldGmail)
  const key = cellText(cells[rules.key]).trim()
  if (key !== '') return key
  throw rowError('empty-key', `the column '${rules.key}', by which rows are grouped, is empty`, rules.key, {
    hint: 'Fill it, or leave the row out with --skip-bad.',
  })
}

/** What two addresses of one person have in common. */
export function personOf(address: string, foldGmail: boolean): string {
  return foldGmail ? gmailKey(address) : normalizeAddress(address)
}

/** Key and address as far as the cells alone say them, for a row that is not sent. Never throws. */
export function identify(cells: RowData, rules: RecipientRules): RowIdentity {
  const address = likelyAddress(cells, rules) ?? ''
  if (rules.key !== undefined) return { key: cellText(cells[rules.key]).trim(), address }
  return { key: address === '' ? '' : personOf(address, rules.foldGmail), address }
}

/** The address in its column, if it is one. */
export function likelyAddress(cells: RowData, { emailColumn }: RecipientRules): string | undefined {
  const judged = emailColumn === undefined ? undefined : parseRecipient(cellText(cells[emailColumn]))
  return judged !== undefined && 'mailbox' in judged ? judged.mailbox.wire : undefined
}

/** An error about one row, with one problem. */
export function rowError(
  code: string,
  message: string,
  column: string | undefined,
  more: Pick<Problem, 'hint' | 'value'> = {},
): DataError {
  return new DataError(message, {
    problems: [{ severity: 'error', code, message, column, ...more }],
  })
}

function addressIn(cell: string, column: string): string {
  const judged = parseRecipient(cell)
  if ('mailbox' in judged) return judged.mailbox.wire
  const fault = cell.trim() === '' ? 'the address is empty' : judged.fault
  throw rowError('bad-address', fault, column, { value: cell, hint: repairHint(cell) })
}

/** The way out where only what is not seen is wrong. */
function repairHint(cell: string): string | undefined {
  if (!hasInvisible(cell)) return undefined
  const trimmed = trimUnseen(cell)
  if (trimmed !== cell.trim() && 'mailbox' in parseRecipient(trimmed))
    return 'mailmerge check --fix writes a copy of the list without what is not seen around its cells.'
  return 'Type the address again: what is not seen is copied along with it.'
}
