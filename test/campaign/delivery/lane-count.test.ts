import { expect, test } from 'vitest'
import type { Clock } from '../../../src/campaign/clock.ts'
import { LaneGovernor } from '../../../src/campaign/delivery/lane-count.ts'

function governed(max: number) {
  let now = 0
  const clock: Clock = { now: () => new Date(now), monotonic: () => now, random: () => 0.5 }
  const governor = new LaneGovernor(max, clock)
  return {
    governor,
    pass: (milliseconds: number) => {
      now += milliseconds
    },
    succeed: (times: number) => {
      for (let time = 0; time < times; time++) governor.succeeded()
    },
  }
}

test('one lane until the account works, then one more for each success, up to the concurrency', () => {
  const { governor, succeed } = governed(10)
  expect(governor.target).toBe(1)
  governor.opened()
  expect(governor.target).toBe(2)
  succeed(3)
  expect(governor.target).toBe(5)
  succeed(100)
  expect(governor.target).toBe(10)
})

test('a server that asked for less gets one lane fewer, none more for a while, and then one for as many successes as lanes', () => {
  const { governor, succeed, pass } = governed(10)
  governor.opened()
  succeed(8)
  governor.pushedBack(10)
  expect(governor.target).toBe(9)
  succeed(1000)
  expect(governor.target).toBe(9)
  governor.pushedBack(4)
  expect(governor.target).toBe(4)
  pass(60_000)
  succeed(3)
  expect(governor.target).toBe(4)
  succeed(1)
  expect(governor.target).toBe(5)
  succeed(5)
  expect(governor.target).toBe(6)
})

test('a concurrency of one stays one', () => {
  const { governor, succeed } = governed(1)
  governor.opened()
  succeed(10)
  expect(governor.target).toBe(1)
})
