import { expect, test } from 'vitest'
import { BoundedMap } from '../src/bounded-map.ts'

test('a bounded map never holds more than its limit, and a value that is there is not made again', () => {
  const map = new BoundedMap<number, string>(3)
  let made = 0
  const make = (key: number): string => {
    made++
    return `value ${key}`
  }
  for (const key of [1, 2, 3, 1, 2, 3]) expect(map.getOrMake(key, make)).toBe(`value ${key}`)
  expect(made).toBe(3)
  for (let key = 0; key < 1000; key++) {
    map.set(key, 'x')
    expect(map.size).toBeLessThanOrEqual(3)
    expect(map.get(key)).toBe('x')
  }
})

test('a key that is set again does not empty a full map', () => {
  const map = new BoundedMap<string, number>(2)
  map.set('a', 1)
  map.set('b', 2)
  map.set('a', 3)
  expect([map.get('a'), map.get('b')]).toEqual([3, 2])
})
