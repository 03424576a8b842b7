/** How a run ended, and what a person may do next. Owns these words. */

import type { PlannedEvent, SummaryEvent } from '../../campaign/events.ts'
import type { MergeMode } from '../../campaign/merge.ts'
import type { CopyCounts, StatusCounts } from '../../ledger/records.ts'
import { count, dateTimeWords, duration, plural, rate, shortPath } from '../terminal/format.ts'
import type { Output } from '../terminal/output.ts'

/** What stood in the ledger before this command sent anything. */
export type Before = Pick<PlannedEvent, 'toSend' | 'counts' | 'messages' | 'copies'>

/** The lines of the summary: results, so they go to stdout. */
export function summaryLines(
  summary: SummaryEvent,
  mode: MergeMode,
  out: Output,
  cwd: string,
  before?: Before,
): readonly string[] {
  const lines = [before?.toSend === 0 ? nothingToSend(summary) : outcome(summary, mode, out, before)]
  for (const [name, own] of summary.variants ?? []) {
    lines.push(`variant ${name}: ${count(own.sent)} ${DID[mode]}${notSent(own)}`)
  }
  for (const [name, own] of summary.accounts ?? []) {
    lines.push(`account ${name}: ${count(own.sent)} ${DID[mode]}${notSent(own)}`)
  }
  lines.push(...copyLines(summary.copies, before?.copies))
  if (summary.mails !== undefined) lines.push(`mails: ${shortPath(summary.mails, cwd)}`)
  for (const report of summary.reports) lines.push(`results: ${shortPath(report, cwd)}`)
  return lines
}

function notSent({ failed, in_doubt, deferred, skipped }: StatusCounts): string {
  const rest = failed + in_doubt + deferred + skipped
  return rest === 0 ? '' : `, ${count(rest)} not`
}

/** What became of copies that did not go with their message: new to this command, or still to come. */
function copyLines(copies: CopyCounts, before: CopyCounts | undefined): readonly string[] {
  const lines: readonly (readonly [number, string])[] = [
    [copies.sent - (before?.sent ?? 0), 'sent after the message'],
    [copies.refused - (before?.refused ?? 0), 'refused; the results say why'],
    [copies.deferred, 'deferred by the server and still to come'],
    [copies.in_doubt - (before?.in_doubt ?? 0), 'left in doubt; the results say which'],
  ]
  return lines
    .filter(([number]) => number > 0)
    .map(([number, words]) => `${plural(number, 'copy was', 'copies were')} ${words}`)
}

const DID: Readonly<Record<MergeMode | 'drafts', string>> = {
  send: 'sent',
  drafts: 'put into Drafts',
  'dry-run': 'written',
  sandbox: 'delivered to the sandbox',
  test: 'sent to the test address',
}

/** What happened now, and what had happened before. */
function outcome(summary: SummaryEvent, mode: MergeMode, out: Output, before: Before | undefined): string {
  const { counts } = summary
  const old = (status: keyof StatusCounts): number => Math.min(before?.counts[status] ?? 0, counts[status])
  const sent = counts.sent - old('sent')
  const failed = counts.failed - old('failed')
  const inDoubt = counts.in_doubt - old('in_doubt')
  const parts = [
    out.style(sent > 0 ? 'green' : 'bold', `${count(sent)} ${DID[summary.drafts === true ? 'drafts' : mode]}`),
    failed > 0 ? out.style('red', `${count(failed)} failed`) : undefined,
    inDoubt > 0 ? out.style('yellow', `${count(inDoubt)} in doubt`) : undefined,
    counts.deferred > 0 ? out.style('yellow', `${count(counts.deferred)} waiting`) : undefined,
    ...beforeParts({ sent: old('sent'), failed: old('failed'), in_doubt: old('in_doubt') }),
    counts.skipped > 0 ? `${count(counts.skipped)} skipped` : undefined,
  ].filter((part) => part !== undefined)
  const pace = summary.rate > 0 ? `, ${rate(summary.rate)}` : ''
  const made = inMessagesOf(summary, before)
  return `${parts.join(', ')} of ${plural(summary.rows, 'row')}${made} in ${duration(summary.seconds)}${pace}`
}

/** `, 300 messages` sent by this command, where rows are grouped. */
function inMessagesOf({ messages }: SummaryEvent, before: Before | undefined): string {
  if (messages === undefined) return ''
  const sent = messages.sent - Math.min(before?.messages?.sent ?? 0, messages.sent)
  return ` (${plural(sent, 'message')})`
}

function nothingToSend({ counts, rows }: SummaryEvent): string {
  if (counts.sent === rows) {
    return rows === 1
      ? 'nothing to send: the row was sent before'
      : `nothing to send: all ${count(rows)} rows were sent before`
  }
  const parts = [...beforeParts(counts), ...(counts.skipped > 0 ? [`${count(counts.skipped)} skipped`] : [])]
  return `nothing to send of ${plural(rows, 'row')}: ${parts.join(', ')}`
}

function beforeParts({
  sent,
  failed,
  in_doubt,
}: Pick<StatusCounts, 'sent' | 'failed' | 'in_doubt'>): readonly string[] {
  return [
    ...(sent > 0 ? [`${count(sent)} sent before`] : []),
    ...(failed > 0 ? [`${count(failed)} failed before`] : []),
    ...(in_doubt > 0 ? [`${count(in_doubt)} in doubt before`] : []),
  ]
}

/** The exit code of a run: one that a signal stopped before its end says by which. */
export function exitCodeOf(summary: SummaryEvent | undefined, signal: number | undefined): number {
  if (summary === undefined) return 0
  return summary.outcome === 'unfinished' ? (signal ?? summary.exitCode) : summary.exitCode
}

/** What to do now, for people: on stderr. */
export function nextSteps(summary: SummaryEvent, mode: MergeMode, timeZone?: string): readonly string[] {
  const { counts, copies, run } = summary
  if (mode !== 'send') return []
  if (summary.stopped?.kind === 'not-confirmed') return ['nothing was sent; give the same command to be asked again']
  if (summary.stopped?.kind === 'cancelled') return ['what was not sent stays unsent']
  const lines: string[] = []
  if (summary.stopped?.kind === 'not-begun') {
    const { startTime, last } = summary.stopped
    const end =
      last === undefined || last.getTime() === startTime.getTime() ? '' : `, ends ${dateTimeWords(last, timeZone)}`
    return [
      `begins ${dateTimeWords(startTime, timeZone)}${end}. mailmerge serve sends it then, and so does: mailmerge resume ${run}`,
    ]
  }
  if (counts.deferred + copies.deferred > 0) lines.push(`to continue: mailmerge resume ${run}`)
  if (counts.in_doubt > 0)
    lines.push(
      `${plural(counts.in_doubt, 'row is', 'rows are')} in doubt: the connection broke before the server's answer, so nobody ` +
        `can know. mailmerge resume ${run} --in-doubt resend|keep`,
    )
  if (copies.in_doubt > 0)
    lines.push(
      `${plural(copies.in_doubt, 'copy is', 'copies are')} in doubt. mailmerge resume ${run} --in-doubt resend|keep`,
    )
  if (counts.failed > 0) lines.push(`to try failed messages again: mailmerge retry ${run}`)
  return lines
}
