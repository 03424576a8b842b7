import { expect, test } from 'vitest'
import { divided } from '../../../src/campaign/accounts/forecast.ts'
import type { TakenLimit } from '../../../src/campaign/plan/pace.ts'

const DAY = 86_400
const daily = (count: number, taken = 0): readonly TakenLimit[] => [
  { count, seconds: DAY, ...(taken === 0 ? {} : { taken: { count: taken, age: 0 } }) },
]

test.each([
  ['no limits: equal parts', 12, [[], [], []], [4, 4, 4]],
  ['by what is left of today', 40, [daily(100), daily(300)], [10, 30]],
  ['by what is left, and not by the whole quota', 40, [daily(400, 300), daily(300)], [10, 30]],
  ['one is used up: the other sends all', 40, [daily(100, 100), daily(300)], [0, 40]],
  ['one without a limit counts as much as the largest', 40, [daily(100), []], [20, 20]],
  ['one without a limit takes what the others cannot', 1100, [daily(100), []], [92, 1008]],
  ['all quotas are too small: as many days as it takes, in proportion', 800, [daily(100), daily(300)], [200, 600]],
  ['one that may never send gets nothing', 10, [[{ count: 0, seconds: DAY }], []], [0, 10]],
  [
    'none may ever send: equal parts, that wait',
    4,
    [[{ count: 0, seconds: DAY }], [{ count: 0, seconds: DAY }]],
    [2, 2],
  ],
  ['slow rates count too', 1100, [[{ count: 10, seconds: 1 }], [{ count: 1, seconds: 1 }]], [1000, 100]],
  ['nothing to send', 0, [[], daily(10)], [0, 0]],
  ['fewer messages than accounts', 1, [[], [], []], [0, 1, 0]],
] as const)('%s', (_, messages, limits, parts) => {
  const got = divided(messages, limits)
  expect(got.reduce((sum, one) => sum + one, 0)).toBe(messages)
  expect(got).toEqual(parts)
})
