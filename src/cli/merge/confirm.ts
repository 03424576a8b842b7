/** What a person sees before saying yes: who gets what, from whom, through which server. Owns those lines. */
import type { PlanPreview } from '../../campaign/merge.ts'
import { escapeInvisible } from '../../text/visible.ts'
import { hourWords, plural } from '../terminal/format.ts'
import type { Output } from '../terminal/output.ts'
import { cut } from '../terminal/table.ts'
import { leftOutParts } from './left-out.ts'

/** The lines above the question. */
export function confirmLines(plan: PlanPreview, out: Output, timeZone?: string): readonly string[] {
  const { counts, skipped, first } = plan
  const leftOut = leftOutParts(counts, skipped)
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['campaign', plan.campaign],
    ['template', plan.template],
    ['list', `${plan.source}, ${plural(plan.rows, 'row')}`],
    ['to send', `${plural(plan.toSend, 'message')}${leftOut.length === 0 ? '' : `; ${leftOut.join(', ')}`}`],
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
