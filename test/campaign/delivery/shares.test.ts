import { expect, test } from 'vitest'
import { Shares } from '../../../src/campaign/delivery/shares.ts'

function shares(parts: Readonly<Record<string, number>>): Shares {
  return new Shares(new Map(Object.entries(parts)))
}

test('each takes its own part, and no more while another has some left', () => {
  const all = shares({ one: 3, two: 9 })
  all.take('one', 3)
  expect([all.room('one'), all.room('two')]).toEqual([0, 9])
})

test('what is beyond all parts is for everybody', () => {
  const all = shares({ one: 3, two: 9 })
  all.take('one', 3)
  all.take('two', 9)
  expect([all.room('one'), all.room('two')]).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY])
})

test('what one leaves when it stops is divided by the parts of the others, and it takes nothing more', () => {
  const all = shares({ one: 8, two: 10, three: 30 })
  all.take('one', 4)
  all.leave('one', 4, 'stopped')
  expect([all.room('one'), all.room('two'), all.room('three')]).toEqual([0, 12, 36])
  expect([all.isOpen('one'), all.hasStopped('one'), all.remaining]).toEqual([false, true, ['two', 'three']])
})

test('the last one keeps what it has', () => {
  const all = shares({ one: 8, two: 10 })
  all.leave('one', 0, 'stopped')
  all.take('two', 18)
  all.leave('two', 5, 'waiting')
  expect(all.room('two')).toBe(5)
})

test('one that waited gets a part of what is left when it sends again', () => {
  const all = shares({ one: 10, two: 10 })
  all.leave('one', 0, 'waiting')
  expect([all.room('one'), all.room('two')]).toEqual([0, 20])
  all.take('two', 4)
  all.rejoin('one')
  expect([all.room('one'), all.room('two')]).toEqual([8, 8])
})
