/** The rows that are not sent, in words: how many, and why. Owns the word for each reason. */
import type { SkipCounts } from '../../campaign/events.ts'
import type { SkipKind, StatusCounts } from '../../ledger/records.ts'
import { count } from '../terminal/format.ts'

/** In the order in which they are shown. */
const SKIPPED: Readonly<Record<SkipKind, readonly [one: string, several: string]>> = {
  'sent-before': ['sent before', 'sent before'],
  suppressed: ['suppressed', 'suppressed'],
  duplicate: ['duplicate', 'duplicates'],
  bad: ['bad', 'bad'],
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
