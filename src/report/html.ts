/** Results as one page that needs nothing else. Owns its look; every value in it is text, whatever a server answered. */

import type { FeedbackKind } from '../ledger/feedback.ts'
import type { ResultRow, RowStatus, StatusCounts } from '../ledger/records.ts'
import { blankInvisible } from '../text/visible.ts'
import type { ExtraColumn } from './csv.ts'
import type { ReportHead } from './report.ts'

const WORDS: Readonly<Record<RowStatus, string>> = {
  sent: 'sent',
  failed: 'failed',
  skipped: 'skipped',
  deferred: 'still to come',
  in_doubt: 'in doubt',
}

const HEADS: Readonly<Record<ExtraColumn, string>> = { variant: 'Variant', bounce: 'Came back' }
const BOUNCES: Readonly<Record<FeedbackKind, string>> = {
  hard: 'bounced for good',
  soft: 'bounced for now',
  complaint: 'complained',
  unsubscribe: 'unsubscribed',
  auto_reply: 'answered by themselves',
  reply: 'answered',
  delivered: 'confirmed',
}

function text(value: string): string {
  return blankInvisible(value)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

export function htmlHead(
  { run, campaign, counts, variants, bounces }: ReportHead,
  extra: readonly ExtraColumn[],
): string {
  const tiles = Object.entries(WORDS)
    .map(([status, words]) => `<li class="${status}"><b>${counts[status as RowStatus]}</b> ${words}</li>`)
    .join('')
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${text(campaign)}: ${text(run)}</title>
<style>
:root { color-scheme: light dark; --line: #d7dbe0; --soft: #667; }
@media (prefers-color-scheme: dark) { :root { --line: #3b4046; --soft: #9aa3ad; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; } p { color: var(--soft); margin: 0 0 1.2rem; }
ul { display: flex; flex-wrap: wrap; gap: .6rem; list-style: none; margin: 0 0 1.6rem; padding: 0; }
li { border: 1px solid var(--line); border-radius: .5rem; padding: .4rem .9rem; } li b { font-size: 1.2rem; }
.sent b { color: #1a7f45; } .failed b { color: #c2352b; } .in_doubt b { color: #a35a00; }
.variants { width: auto; margin: 0 0 1.6rem; } .wrap { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .7rem .35rem 0; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 500; white-space: nowrap; } td.n { white-space: nowrap; }
tr.failed td.s { color: #c2352b; } tr.in_doubt td.s { color: #a35a00; } tr.sent td.s { color: #1a7f45; }
</style></head><body>
<h1>${text(campaign)}</h1><p>Run ${text(run)}</p><ul>${tiles}${bounceTiles(bounces)}</ul>${variants === undefined ? '' : variantTable(variants)}
<div class="wrap"><table><thead><tr><th>Row</th><th>Address</th><th>State</th><th>Reason</th><th>Code</th><th>Answer of the server</th><th>Attempts</th><th>Finished</th>${extra.map((column) => `<th>${HEADS[column]}</th>`).join('')}</tr></thead><tbody>
`
}

function variantTable(variants: ReadonlyMap<string, StatusCounts>): string {
  const statuses = Object.keys(WORDS) as RowStatus[]
  const heads = statuses.map((status) => `<th>${WORDS[status]}</th>`).join('')
  const rows = [...variants].map(
    ([name, counts]) =>
      `<tr><td>${text(name)}</td>${statuses.map((status) => `<td>${counts[status]}</td>`).join('')}</tr>`,
  )
  return `<table class="variants"><thead><tr><th>Variant</th>${heads}</tr></thead><tbody>${rows.join('')}</tbody></table>`
}

function bounceTiles(bounces: ReportHead['bounces']): string {
  return [...(bounces ?? [])].map(([kind, rows]) => `<li class="bounce"><b>${rows}</b> ${BOUNCES[kind]}</li>`).join('')
}

export function htmlRows(extra: readonly ExtraColumn[]): (row: ResultRow) => string {
  return (row) => `${cells(row)}${extra.map((column) => `<td>${text(row[column] ?? '')}</td>`).join('')}</tr>\n`
}

function cells(row: ResultRow): string {
  const code = [row.smtpCode, row.enhancedCode].filter((part) => part !== undefined).join(' ')
  return (
    `<tr class="${row.status}"><td class="n">${row.row}</td><td>${text(row.address || row.key)}</td><td class="s n">${WORDS[row.status]}</td>` +
    `<td>${text(row.reason)}</td><td class="n">${text(code)}</td><td>${text(row.response ?? '')}</td><td>${row.attempts}</td>` +
    `<td class="n">${row.finishedAt?.toISOString() ?? ''}</td>`
  )
}

export function htmlFoot(): string {
  return '</tbody></table></div></body></html>\n'
}
