import { expect, test } from 'vitest'
import { ConnectionCounts } from '../../src/serve/guards.ts'

test('a client that has enough connections gets no more until one closes, and keeps nobody else out', () => {
  const counts = new ConnectionCounts(2)
  expect([counts.open('a'), counts.open('a'), counts.open('a'), counts.open('b')]).toEqual([true, true, false, true])
  counts.close('a')
  expect([counts.open('a'), counts.open('a')]).toEqual([true, false])
})
