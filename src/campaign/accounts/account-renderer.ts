/** Rows to messages where several accounts send: as the account of each row has them. Owns which account a row names. */
import { didYouMean } from '../../did-you-mean.ts'
import type { DueRow } from '../../ledger/records.ts'
import { andThen } from '../../maybe-promise.ts'
import { cellText } from '../../source/cells/cell.ts'
import type { Row } from '../../source/source.ts'
import type { MessageGroup } from '../plan/one-message.ts'
import { rowError } from '../plan/recipient.ts'
import type { RowRenderer } from '../plan/render-row.ts'
import type { Account, Accounts } from './accounts.ts'

/** An account, and the messages that are sent from it. */
export interface RenderingAccount extends Account {
  readonly renderer: RowRenderer
}

/** The messages of each row as its own account has them; of a row that may go from any, as the first one has them. */
export function rendererOf(
  { by, column }: Pick<Accounts, 'by' | 'column'>,
  accounts: readonly [RenderingAccount, ...RenderingAccount[]],
): RowRenderer {
  const [first] = accounts
  if (by === 'name') return first.renderer
  const named = ({ account }: DueRow): RowRenderer => (accounts.find(({ name }) => name === account) ?? first).renderer
  const choice: Pick<RowRenderer, 'check'> =
    by === 'share'
      ? first.renderer
      : {
          check(row, now, thread, group) {
            const { name: account, renderer } = accountOfRow(row, group, column ?? '', accounts)
            return andThen(renderer.check(row, now, thread, group), (checked) => ({ ...checked, account }))
          },
        }
  return {
    check: (row, now, thread, group) => choice.check(row, now, thread, group),
    identify: (row) => first.renderer.identify(row),
    preview: (due, date) => named(due).preview(due, date),
    render: (due, date) => named(due).render(due, date),
  }
}

/** @throws DataError for a row that names no account, or one message whose rows name several. */
function accountOfRow(
  row: Row,
  group: MessageGroup | undefined,
  column: string,
  accounts: readonly RenderingAccount[],
): RenderingAccount {
  const value = cellText(row.data[column]).trim()
  const found = accounts.find(({ name }) => name === value)
  if (found === undefined) {
    const names = accounts.map(({ name = '' }) => name)
    const message = value === '' ? `the column '${column}' names no account` : `there is no account '${value}'`
    const hint = didYouMean(value, names, `The accounts in mailmerge.yaml are ${names.join(', ')}.`)
    throw rowError('unknown-account', message, column, { value, hint })
  }
  const other = group?.rows.find(({ data }) => cellText(data[column]).trim() !== value)
  if (other === undefined) return found
  const message = `the rows of one message name several accounts: '${value}', and in row ${other.number} '${cellText(other.data[column]).trim()}'`
  throw rowError('several-accounts', message, column, {
    hint: 'A message goes from one account: give all of its rows the same.',
  })
}
