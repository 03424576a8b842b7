import { expect, test } from 'vitest'
import type { Clock } from '../../../src/campaign/clock.ts'
import { LaneCountController } from '../../../src/campaign/delivery/lane-pool.ts'

function controller(max: number) {
  let now = 0
  const clock: Clock = { now: () => new Date(now), monotonic: () => now, random: () => 0.5 }
  const laneCount = new LaneCountController(max, clock)
  return {
    laneCount,
    advance: (milliseconds: number) => {
      now += milliseconds
    },
    succeed: (times: number) => {
      for (let time = 0; time < times; time++) laneCount.recordSuccess()
    },
  }
}

test('one lane until the account works, then one more for each success, up to the concurrency', () => {
  const { laneCount, succeed } = controller(10)
  expect(laneCount.target).toBe(1)
  laneCount.recordOpened()
  expect(laneCount.target).toBe(2)
  succeed(3)
  expect(laneCount.target).toBe(5)
  succeed(100)
  expect(laneCount.target).toBe(10)
})

test('a server that asked for less gets one lane fewer, none more for a while, and then one for as many successes as lanes', () => {
  const { laneCount, succeed, advance } = controller(10)
  laneCount.recordOpened()
  succeed(8)
  laneCount.recordThrottling(10)
  expect(laneCount.target).toBe(9)
  succeed(1000)
  expect(laneCount.target).toBe(9)
  laneCount.recordThrottling(4)
  expect(laneCount.target).toBe(4)
  advance(60_000)
  succeed(3)
  expect(laneCount.target).toBe(4)
  succeed(1)
  expect(laneCount.target).toBe(5)
  succeed(5)
  expect(laneCount.target).toBe(6)
})

test('a concurrency of one stays one', () => {
  const { laneCount, succeed } = controller(1)
  laneCount.recordOpened()
  succeed(10)
  expect(laneCount.target).toBe(1)
})
