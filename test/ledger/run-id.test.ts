import { expect, test } from 'vitest'
import { newRunId } from '../../src/ledger/run-id.ts'

test('ids of runs sort by time, also within one second', () => {
  const moments = [0, 1, 35, 36, 999, 1000, 60_000, 86_400_000].map((ms) => Date.UTC(2026, 10, 25, 9, 59, 59) + ms)
  const ids = moments.map((moment) => newRunId(new Date(moment)))
  expect([...ids].sort()).toEqual(ids)
  expect(ids[0]).toMatch(/^20261125T095959-00[0-9a-z]{3}$/)
})

test('two runs of one millisecond have ids of their own', () => {
  const ids = new Set(Array.from({ length: 20 }, () => newRunId(new Date(0))))
  expect(ids.size).toBeGreaterThan(15)
})
