/** What a person sees before saying yes: who gets what, from whom, through which server. Owns those lines. */
import type { PlanPreview } from '../../campaign/merge.ts'
import { escapeInvisible } from '../../text/visible.ts'
import { count, hourWords, plural } from '../terminal/format.ts'
import type { Output } from '../terminal/output.ts'
import { cut } from '../terminal/table.ts'

/** The lines above the question. */
export function confirmLines(plan: PlanPreview, out: Output, timeZone?: string): readonly string[] {
  const { counts, first } = plan
  const others = [
    counts.sent > 0 ? `${count(counts.sent)} sent already` : undefined,
    counts.failed > 0 ? `${count(counts.failed)} failed before` : undefined,
    counts.in_doubt > 0 ? `${count(counts.in_doubt)} in doubt` : undefined,
    counts.skipped > 0 ? `${count(counts.skipped)} skipped` : undefined,
  ].filter((part) => part !== undefined)
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['campaign', plan.campaign],
    ['template', plan.template],
    ['list', `${plan.source}, ${plural(plan.rows, 'row')}`],
    ['to send', `${plural(plan.toSend, 'message')}${others.length === 0 ? '' : `; ${others.join(', ')}`}`],
    ['from', first?.from],
    ['first', first?.address],
    ['subject', first?.subject],
    ['through', plan.server],
    ['begins', plan.notBefore === undefined ? undefined : hourWords(plan.notBefore, timeZone)],
  ]
  return facts
    .filter((fact): fact is readonly [string, string] => fact[1] !== undefined)
    .map(
      ([name, value]) =>
        `  ${out.style('dim', name.padEnd(9))} ${cut(escapeInvisible(value), Math.max(40, out.columns - 13))}`,
    )
}
