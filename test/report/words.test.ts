/** How a run is, in words for people. */
import { expect, test } from 'vitest'
import type { RunState } from '../../src/ledger/records.ts'
import { conditionWords, runCondition } from '../../src/report/words.ts'

const NONE = { sent: 0, failed: 0, skipped: 0, deferred: 0, in_doubt: 0 }
const START = new Date('2035-02-01T08:00:00Z')

test.each([
  ['planning', {}, { atWork: true }, 'Checking'],
  ['planning', {}, {}, 'Stopped while checking'],
  ['ready', { deferred: 2 }, { atWork: true }, 'Sending'],
  ['ready', { deferred: 2 }, {}, 'Stopped'],
  ['ready', { deferred: 2 }, { atWork: true, newest: false }, 'Stopped'],
  ['ready', { deferred: 2 }, { notBefore: START }, 'Not started (begins 2035-02-01T08:00:00.000Z)'],
  ['ready', { deferred: 2 }, { notBefore: START, begunAt: START }, 'Stopped'],
  ['ready', { deferred: 2 }, { after: true, waiting: START }, 'Not started (begins 2035-02-01T08:00:00.000Z)'],
  ['ready', { deferred: 1 }, { after: true, waiting: START, begunAt: START }, 'Waiting until 2035-02-01T08:00:00.000Z'],
  ['ready', { deferred: 1 }, { atWork: true, waiting: START }, 'Waiting until 2035-02-01T08:00:00.000Z'],
  ['ready', { deferred: 1 }, { waiting: START }, 'Stopped'],
  ['ready', { sent: 1, in_doubt: 1 }, {}, 'Needs you (in doubt)'],
  ['finished', { sent: 2 }, {}, 'Finished'],
  ['finished', { sent: 1, failed: 1 }, {}, 'Finished with failures'],
  ['cancelled', { deferred: 2 }, {}, 'Cancelled'],
  ['cancelled', { deferred: 2 }, { newest: false }, 'Replaced'],
] as const)('a run that is %s with %j and %j: %s', (state, counts, change, words) => {
  const { atWork, newest, notBefore, begunAt, after, waiting } = {
    atWork: false,
    newest: true,
    notBefore: undefined,
    begunAt: undefined,
    after: false,
    waiting: undefined,
    ...change,
  }
  const options = after ? { after: { campaign: 'news', wait: 1 } } : {}
  const run = { state: state as RunState, notBefore, begunAt, options }
  const standing = {
    counts: { ...NONE, ...counts },
    copiesDeferred: 0,
    waiting: waiting && { first: waiting, last: waiting },
  }
  const condition = runCondition(run, standing, { atWork, newest })
  expect(conditionWords(condition, (at) => at.toISOString())).toBe(words)
})
