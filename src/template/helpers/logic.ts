/** Comparisons and conditions, inside `{{#if (eq a b)}}` or as blocks of their own. Owns what counts as equal, less and empty. */
import type { Helper } from '../engine/engine.ts'
import { condition, type HelperOptions, isEmpty, itemsOf, localeOf, text } from './helper.ts'
import { readDate, readNumber, readYes } from './values.ts'

/** Numbers by value, dates by time, everything else as text. */
function compare([a, b]: readonly unknown[], options: HelperOptions): number {
  const locale = localeOf(options)
  const [x, y] = [readNumber(a, locale), readNumber(b, locale)]
  if (x !== undefined && y !== undefined) return x - y
  const [from, to] = [readDate(a), readDate(b)]
  if (from !== undefined && to !== undefined) return from.at.getTime() - to.at.getTime()
  const [left, right] = [text(a), text(b)]
  return left < right ? -1 : left > right ? 1 : 0
}

/** An empty cell is neither less nor more than anything. */
function ordered(test: (difference: number) => boolean): Helper {
  return condition((values, options) => !values.some(isEmpty) && test(compare(values, options)))
}

export const LOGIC_HELPERS: Readonly<Record<string, Helper>> = {
  eq: condition(([a, ...others]) => others.some((other) => text(a) === text(other))),
  ne: condition(([a, ...others]) => others.every((other) => text(a) !== text(other))),
  lt: ordered((difference) => difference < 0),
  le: ordered((difference) => difference <= 0),
  gt: ordered((difference) => difference > 0),
  ge: ordered((difference) => difference >= 0),
  and: condition((values) => values.every((value) => !isEmpty(value))),
  or: condition((values) => values.some((value) => !isEmpty(value))),
  not: condition(([value]) => isEmpty(value)),
  yes: condition(([value]) => readYes(value)),
  in: condition(([value, ...list]) => list.flatMap((item) => itemsOf(item).map(text)).includes(text(value))),
  contains: condition(([whole, part]) =>
    Array.isArray(whole)
      ? whole.map(text).includes(text(part))
      : text(whole).toLowerCase().includes(text(part).toLowerCase()),
  ),
}
