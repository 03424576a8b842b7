/** Results as one page that needs nothing else: `pages/report.hbs`. Owns what it is filled with; every value in it is text. */
import type { CopyCounts, ResultRow, RowStatus } from '../ledger/records.ts'
import { pageTemplate } from '../text/page-template.ts'

import { blankInvisible } from '../text/visible.ts'
import { extraWords } from './csv.ts'
import type { ExtraColumn, ReportHead } from './head.ts'
import { reasonWords } from './reasons.ts'
import { FEEDBACK_WORDS, STATUS_WORDS } from './words.ts'

const COLUMNS = ['Row', 'Address', 'State', 'Reason', 'Code', 'Answer of the server', 'Attempts', 'Finished']
const EXTRA: Readonly<Record<ExtraColumn, string>> = { variant: 'Variant', bounce: 'Came back' }

/** Where the rows go: the page is rendered once, the rows batch by batch. No value can hold it. */
const ROWS = '\u0000rows\u0000'

/** The text before the rows, and the text after them. */
export function htmlFrame(head: ReportHead, extra: readonly ExtraColumn[]): readonly [before: string, after: string] {
  const statuses = Object.keys(STATUS_WORDS) as RowStatus[]
  const page = pageTemplate('report').render({
    campaign: blankInvisible(head.campaign),
    run: blankInvisible(head.run),
    tiles: [
      ...statuses.map((kind) => ({ kind, count: head.counts[kind], words: STATUS_WORDS[kind] })),
      ...copyTiles(head.copies),
      ...[...(head.bounces ?? [])].map(([kind, count]) => ({ kind: 'bounce', count, words: FEEDBACK_WORDS[kind] })),
    ],
    statuses: statuses.map((status) => STATUS_WORDS[status]),
    variants: [...(head.variants ?? [])].map(([name, counts]) => ({
      name: blankInvisible(name),
      counts: statuses.map((status) => counts[status]),
    })),
    columns: [...COLUMNS, ...extra.map((column) => EXTRA[column])],
    rows: ROWS,
  })
  const [before = '', after = ''] = page.split(ROWS)
  return [before, after]
}

const COPY_WORDS = {
  deferred: 'Copies waiting',
  refused: 'Copies refused',
  in_doubt: 'Copies in doubt',
  sent: 'Copies sent later',
} as const

function copyTiles(copies: CopyCounts) {
  const statuses = Object.keys(COPY_WORDS) as (keyof CopyCounts)[]
  return statuses
    .filter((status) => copies[status] > 0)
    .map((status) => ({ kind: 'copies', count: copies[status], words: COPY_WORDS[status] }))
}

export function htmlRows(extra: readonly ExtraColumn[]): (row: ResultRow) => string {
  const template = pageTemplate('report-row')
  return (row) =>
    template.render({
      status: row.status,
      words: STATUS_WORDS[row.status],
      row: row.row,
      who: blankInvisible(row.address || row.key),
      reason: blankInvisible(reasonWords(row)),
      code: [row.smtpCode, row.enhancedCode].filter((part) => part !== undefined).join(' '),
      response: blankInvisible(row.response ?? ''),
      attempts: row.attempts,
      finished: row.finishedAt?.toISOString() ?? '',
      extra: extra.map((column) => blankInvisible(extraWords(row, column))),
    })
}
