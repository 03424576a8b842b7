/** What a run came to, and what a person may do next. Owns the words under a finished run. */

import type { SummaryEvent } from '../campaign/events.ts'
import type { MergeMode } from '../campaign/run.ts'
import type { Output } from './output.ts'
import { shortPath } from './printable.ts'
import { count, duration, plural, rate } from './words.ts'

/** Why a run stopped when a person said no to it. */
export const DECLINED = 'not confirmed'

/** The lines of the summary: results, so they go to stdout. */
export function summaryLines(summary: SummaryEvent, mode: MergeMode, out: Output, cwd: string): readonly string[] {
  const { counts } = summary
  const did = {
    send: 'sent',
    'dry-run': 'written',
    sandbox: 'delivered to the sandbox',
    test: 'sent to the test address',
  }
  const parts = [
    out.style(counts.sent > 0 ? 'green' : 'bold', `${count(counts.sent)} ${did[mode]}`),
    counts.failed > 0 ? out.style('red', `${count(counts.failed)} failed`) : undefined,
    counts.in_doubt > 0 ? out.style('yellow', `${count(counts.in_doubt)} in doubt`) : undefined,
    counts.deferred > 0 ? out.style('yellow', `${count(counts.deferred)} still to come`) : undefined,
    counts.skipped > 0 ? `${count(counts.skipped)} skipped` : undefined,
  ].filter((part) => part !== undefined)
  const pace = summary.rate > 0 ? `, ${rate(summary.rate)}` : ''
  const lines = [`${parts.join(', ')} of ${plural(summary.rows, 'row')} in ${duration(summary.seconds)}${pace}`]
  for (const [name, own] of summary.variants ?? []) {
    const rest = own.failed + own.in_doubt + own.deferred + own.skipped
    lines.push(`variant ${name}: ${count(own.sent)} ${did[mode]}${rest === 0 ? '' : `, ${count(rest)} not`}`)
  }
  if (summary.mails !== undefined) lines.push(`mails: ${shortPath(summary.mails, cwd)}`)
  for (const report of summary.reports) lines.push(`results: ${shortPath(report, cwd)}`)
  return lines
}

/** What to do now, for people: on stderr. */
export function nextSteps(summary: SummaryEvent, mode: MergeMode): readonly string[] {
  const { counts, run } = summary
  if (mode !== 'send') return []
  if (summary.stopped === DECLINED) return ['nothing was sent; the same command asks again']
  const lines: string[] = []
  if (counts.deferred > 0) lines.push(`go on with: mailmerge resume ${run}`)
  if (counts.in_doubt > 0)
    lines.push(
      `${plural(counts.in_doubt, 'row is', 'rows are')} in doubt: the connection broke before the server's answer, so nobody ` +
        `can know. mailmerge resume ${run} --in-doubt resend|keep`,
    )
  if (counts.failed > 0) lines.push(`try again what failed with: mailmerge retry ${run}`)
  return lines
}
