/** A row in the list of a preview: its cells, the sign of what is said of it, and the filters by these. */
import { html, nothing, type TemplateResult } from 'lit'
import type { RowFilter, RowMark, RowView } from '../../wire.ts'
import { count } from '../format.ts'
import { type IconName, icon } from '../icons.ts'

export const FILTERS: readonly (readonly [RowFilter, string])[] = [
  ['all', 'All'],
  ['problems', 'With problems'],
  ['suppressed', 'Suppressed'],
  ['sent', 'Sent before'],
  ['hidden', 'Hidden'],
  ['duplicates', 'Duplicates'],
]

/** The first of these that a row has is shown. */
const MARKS: readonly (readonly [RowMark, IconName, string, look: string])[] = [
  ['problem', 'failed', 'Has a problem', 'err'],
  ['duplicate', 'duplicate', 'Duplicate', ''],
  ['suppressed', 'suppressed', 'Suppressed', ''],
  ['sent', 'sent', 'Sent before', ''],
  ['hidden', 'hidden', 'Hidden in the list', ''],
  ['warning', 'warn', 'Worth a look', 'warn'],
]

export function rowCells({ row, name, address, marks, duplicateOf, sentWith }: RowView): TemplateResult {
  const mark = MARKS.find(([one]) => marks.includes(one)) ?? groupMark(row, sentWith)
  const label =
    mark?.[0] === 'duplicate' && duplicateOf !== undefined ? `Duplicate of row ${count(duplicateOf)}` : mark?.[2]
  return html`<span class="n">${count(row)}</span>
    ${name === '' ? html`<span class="cut none">no name</span>` : html`<bdi class="cut">${name}</bdi>`}
    ${address === '' ? html`<span class="cut none">no address</span>` : html`<bdi class="cut e">${address}</bdi>`}
    <span class="f ${mark?.[3] ?? ''}">${mark === undefined || label === undefined ? nothing : icon(mark[1], { label })}</span>`
}

/** A row that another begins the message of, or that begins the message of several. */
function groupMark(row: number, sentWith: RowView['sentWith']): (typeof MARKS)[number] | undefined {
  if (sentWith === undefined || sentWith.rows === 1) return undefined
  const isFirst = sentWith.row === row
  const words = isFirst ? `${count(sentWith.rows)} rows in one message` : `In the message of row ${count(sentWith.row)}`
  return ['duplicate', 'duplicate', words, '']
}
