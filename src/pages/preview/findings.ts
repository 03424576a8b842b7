/** What `check` says about one row and its message, as its page shows it. Owns the order and the line of the template. */
import { cellAdvice } from '../../check/lints/cell-lints.ts'
import { createMessageLints, GMAIL_CLIP } from '../../check/lints/message-lints.ts'
import type { Problem } from '../../errors.ts'
import { parseAddress } from '../../message/address/address.ts'
import { addressDoubts } from '../../message/address/typos.ts'
import type { RowData } from '../../source/source.ts'
import type { Rendered } from '../../template/template.ts'
import type { FindingView } from '../wire.ts'
import type { Places } from './places.ts'

/** By the code of an advice; all else is of the row. */
const GROUPS: Readonly<Record<string, FindingView['group']>> = {
  'missing-subject': 'inbox',
  'long-subject': 'inbox',
  'empty-greeting': 'inbox',
  'merge-tag': 'inbox',
  'empty-body': 'readers',
  'missing-text': 'readers',
  'missing-alt': 'readers',
  clipped: 'weight',
}

export interface FindingsOptions {
  readonly columns: readonly string[]
  readonly emailColumn: string | undefined
  /** Undefined for a message whose template is not known. */
  readonly places: Places | undefined
}

export interface Looked {
  readonly cells: RowData
  readonly address: string
  /** With its bodies. */
  readonly rendered: Rendered
  readonly htmlSize: number | undefined
}

export function createFindings({
  columns,
  emailColumn,
  places,
}: FindingsOptions): (looked: Looked) => readonly FindingView[] {
  const lint = createMessageLints(columns)
  return ({ cells, address, rendered, htmlSize }) => {
    const advice = lint(rendered).advice.map((one) => findingOf(one, GROUPS[one.code] ?? 'links', places))
    const ofReaders = advice.some(({ group }) => group === 'readers')
    return [
      ...[
        ...cellAdvice(cells).map((one) => ({ severity: 'warning' as const, ...one })),
        ...doubts(address, emailColumn),
      ].map((one) => findingOf(one, 'row', undefined)),
      ...advice,
      ...(ofReaders ? [] : [READERS_PASSED]),
      ...(htmlSize === undefined || htmlSize > GMAIL_CLIP ? [] : [weight(htmlSize)]),
    ]
  }
}

const READERS_PASSED: FindingView = {
  group: 'readers',
  severity: 'passed',
  title: 'Pictures have texts, and there is a text part',
}

function weight(htmlSize: number): FindingView {
  const title = htmlSize < 1000 ? `${htmlSize} B of HTML` : `${(htmlSize / 1000).toFixed(1)} KB of HTML`
  return { group: 'weight', severity: 'info', title, effect: 'Gmail cuts off after 102 KB.' }
}

function doubts(address: string, column: string | undefined): readonly Omit<Problem, 'file'>[] {
  const judged = parseAddress(address)
  if (judged.kind === 'invalid') return []
  const found = addressDoubts(judged.mailbox).map(({ code, text, hint }) => ({ code, message: text, hint }))
  return found.map((one) => ({ severity: 'warning', ...one, value: address, column }))
}

type Said = Pick<Problem, 'severity' | 'message' | 'hint' | 'value' | 'column'>

function findingOf(
  { severity, message, hint, value, column }: Said,
  group: FindingView['group'],
  places: Places | undefined,
): FindingView {
  const what = value === undefined || message.includes(value) ? message : `${message}: ${value}`
  const title = `${what.charAt(0).toUpperCase()}${what.slice(1)}`
  const place = value === undefined ? undefined : places?.line(value)
  return {
    group,
    severity,
    title,
    effect: hint,
    place: place ?? (column === undefined ? undefined : `column ${column}`),
  }
}
