/** Comparisons and conditions, inside `{{#if (eq a b)}}` or as blocks of their own. Owns what counts as empty. */
import { compareCells, sameCells } from '../../source/cells/compare.ts'
import type { Helper } from '../engine/engine.ts'
import { condition, isEmpty, itemsOf, readingOf, text } from './helper.ts'
import { readYes } from './values.ts'

/** An empty cell is neither less nor more than anything. */
function ordered(test: (difference: number) => boolean): Helper {
  return condition(([a, b], options) => !isEmpty(a) && !isEmpty(b) && test(compareCells(a, b, readingOf(options))))
}

export const LOGIC_HELPERS: Readonly<Record<string, Helper>> = {
  eq: condition(([a, ...others], options) => others.some((other) => sameCells(a, other, readingOf(options)))),
  ne: condition(([a, ...others], options) => others.every((other) => !sameCells(a, other, readingOf(options)))),
  lt: ordered((difference) => difference < 0),
  le: ordered((difference) => difference <= 0),
  gt: ordered((difference) => difference > 0),
  ge: ordered((difference) => difference >= 0),
  and: condition((values) => values.every((value) => !isEmpty(value))),
  or: condition((values) => values.some((value) => !isEmpty(value))),
  not: condition(([value]) => isEmpty(value)),
  yes: condition(([value]) => readYes(value)),
  in: condition(([value, ...list], options) =>
    list.flatMap((item) => itemsOf(item)).some((item) => sameCells(value, item, readingOf(options))),
  ),
  contains: condition(([whole, part]) =>
    Array.isArray(whole)
      ? whole.map(text).includes(text(part))
      : text(whole).toLowerCase().includes(text(part).toLowerCase()),
  ),
}
