/** Rows put together into messages, as the settings ask for it. Owns which options choose rows, and which choose messages. */
import type { Settings } from '../../config/settings.ts'
import { RowGroups } from '../../ledger/sqlite/row-groups.ts'
import type { Row } from '../../source/source.ts'
import type { Grouping } from '../plan/plan-options.ts'
import { recipientRules } from '../plan/recipient.ts'
import { restoreRow } from '../plan/row-data.ts'
import { type ChooseRows, limitOf, type Selection, samplerOf } from '../plan/select.ts'

/** What does not depend on what was sent before. */
export interface ListGrouping extends Omit<Grouping, 'history'> {
  /** What is left of the selection for rows: they are chosen before they are grouped. */
  readonly ofRows: Selection
  /** All rows of the message that a row is part of, when the list was read; the row itself for one that is in no group. */
  messageOf(row: Row): readonly Row[]
}

/**
 * Undefined where each row is a message. The groups are the caller's to close.
 * @throws UsageError for a limit or a sample that is not valid.
 */
export function openGrouping(
  settings: Settings,
  emailColumn: string | undefined,
  selection: Selection,
  findCases?: ChooseRows,
): ListGrouping | undefined {
  const { groupBy: column, source } = settings
  if (column === undefined) return undefined
  const { limit, sample, seed, ...ofRows } = selection
  const sampler = samplerOf(selection, findCases)
  const max = limitOf(selection)
  const groups = new RowGroups()
  return {
    column,
    rules: recipientRules(settings, emailColumn),
    groups,
    limit: max,
    choose: sampler && (() => sampler(firstRows(groups))),
    computed: new Set(Object.keys(source.computed ?? {})),
    ofRows,
    messageOf(row) {
      const group = groups.groupOf(row.number)
      if (group === undefined) return [row]
      return groups.rowsOf(group).map(({ number, line, data, problems }) => ({
        number,
        line,
        data: restoreRow(data).cells,
        problems: problems === undefined ? undefined : JSON.parse(problems),
      }))
    },
  }
}

/** Groups that are looked at together. */
const AT_ONCE = 10_000

/** The first row of each group, without its cells. */
async function* firstRows(groups: RowGroups): AsyncGenerator<readonly Row[]> {
  for (let after = 0; after < groups.last; after += AT_ONCE)
    yield groups.groupsIn(after, after + AT_ONCE).map(({ first }) => ({ number: first, data: {} }))
}
