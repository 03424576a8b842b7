/** What a person sees before saying yes: who gets what, from whom, through which server, and who is left out. Owns those lines. */

import type { SkipCounts } from '../../campaign/events.ts'
import type { PlanPreview } from '../../campaign/merge.ts'
import type { Pace } from '../../campaign/plan/pace.ts'
import type { MessageSizes } from '../../campaign/plan/sizes.ts'
import { limitWords } from '../../config/units.ts'
import type { SkipKind, StatusCounts } from '../../ledger/records.ts'
import { escapeInvisible } from '../../text/visible.ts'
import { bytesWords, count, dateTimeWords, plural } from '../terminal/format.ts'
import type { Output } from '../terminal/output.ts'
import { cut } from '../terminal/table.ts'

/** The lines above the question. */
export function confirmLines(plan: PlanPreview, out: Output, timeZone?: string): readonly string[] {
  const { counts, messages, skipped, first } = plan
  const leftOut = leftOutParts(counts, skipped)
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['campaign', plan.campaign],
    ['template', plan.template],
    ['list', `${plan.source}, ${plural(plan.rows, 'row')}`],
    ['to send', `${toSendWords(plan.toSend, messages)}${leftOut.length === 0 ? '' : `; ${leftOut.join(', ')}`}`],
    ['from', first?.from],
    ['first', first?.address],
    ['subject', first?.subject],
    ['size', plan.sizes === undefined ? undefined : sizeWords(plan.sizes, plan.toSend)],
    ...throughFacts(plan, timeZone),
    ['begins', plan.notBefore === undefined ? undefined : dateTimeWords(plan.notBefore, timeZone)],
    ['ends', plan.pace === undefined ? undefined : endWords(plan.pace, timeZone)],
  ]
  return facts
    .filter((fact): fact is readonly [string, string] => fact[1] !== undefined)
    .map(
      ([name, value]) =>
        `  ${out.style('dim', name.padEnd(9))} ${cut(escapeInvisible(value), Math.max(40, out.columns - 13))}`,
    )
}

/** The server; or of several accounts each with what it sends. */
function throughFacts(
  { accounts, server }: PlanPreview,
  timeZone: string | undefined,
): readonly (readonly [string, string])[] {
  if (accounts === undefined) return [['through', server]]
  return accounts.map(({ account, server: own, messages, pace }, at) => {
    const end = pace === undefined ? undefined : endWords(pace, timeZone)
    const until = accounts.length === 1 || end === undefined ? '' : `, the last ${end}`
    return [at === 0 ? 'through' : '', `${account}: ${plural(messages, 'message')}, ${own}${until}`]
  })
}

/** `300 messages made of 1,200 rows` */
function toSendWords(rows: number, messages: StatusCounts | undefined): string {
  if (messages === undefined) return plural(rows, 'message')
  return `${plural(messages.deferred, 'message')} made of ${plural(rows, 'row')}`
}

/** A limit that lets all of them through at once holds nothing back. */
export function endWords({ lastAt, limit, days, plan }: Pace, timeZone: string | undefined): string | undefined {
  const messages = days.reduce((sum, day) => sum + day.messages, 0)
  const isHeld = limit !== undefined && messages + (limit.taken?.count ?? 0) > limit.count
  if (!isHeld && plan === undefined) return undefined
  const taken =
    limit?.taken === undefined ? '' : `, of which ${count(Math.min(limit.taken.count, limit.count))} are used`
  const over = plan === undefined || days.length < 2 ? '' : `, over ${days.length} days`
  const why = [...(plan === undefined ? [] : [plan]), ...(isHeld ? [`${limitWords(limit)}${taken}`] : [])].join('; ')
  return `${dateTimeWords(lastAt, timeZone)} at the earliest${over}, with ${why}`
}

/** `4.1 KB each`, `4.1 KB (row 2) to 43.1 KB (row 9), measured in 200 of them` */
function sizeWords({ measured, smallest, largest }: MessageSizes, toSend: number): string {
  const words =
    smallest.bytes === largest.bytes
      ? `${bytesWords(smallest.bytes)} each`
      : `${bytesWords(smallest.bytes)} (row ${smallest.row}) to ${bytesWords(largest.bytes)} (row ${largest.row})`
  return measured < toSend ? `${words}, measured in ${count(measured)} of them` : words
}

/** In the order in which they are shown. */
const SKIPPED: Readonly<Record<SkipKind, readonly [one: string, several: string]>> = {
  'sent-before': ['sent before', 'sent before'],
  suppressed: ['suppressed', 'suppressed'],
  'has-message': ['new for someone who has the message', 'new for people who have the message'],
  duplicate: ['duplicate', 'duplicates'],
  bad: ['bad', 'bad'],
  'held-back': ['held back by a bad row of the same message', 'held back by bad rows of the same messages'],
  hidden: ['hidden in the workbook', 'hidden in the workbook'],
  'follow-up': ['not to be followed up', 'not to be followed up'],
  unselected: ['not selected', 'not selected'],
  forgotten: ['forgotten', 'forgotten'],
  unplanned: ['not planned', 'not planned'],
  other: ['skipped', 'skipped'],
}

/** `2 sent before`, `1 suppressed`: one text for each state that is not to be sent. */
export function leftOutParts(counts: StatusCounts, skipped: SkipCounts): readonly string[] {
  const states: readonly (readonly [number, string])[] = [
    [counts.sent, 'sent before'],
    [counts.failed, 'failed before'],
    [counts.in_doubt, 'in doubt'],
  ]
  return [
    ...states.filter(([rows]) => rows > 0).map(([rows, words]) => `${count(rows)} ${words}`),
    ...Object.entries(SKIPPED).flatMap(([kind, [one, several]]) => {
      const rows = skipped[kind as SkipKind] ?? 0
      return rows === 0 ? [] : [`${count(rows)} ${rows === 1 ? one : several}`]
    }),
  ]
}
