/** Lanes that wait for something to do. */
import { expect, test } from 'vitest'
import { LaneWaiters } from '../../../src/campaign/delivery/lane-waiters.ts'

test('lanes that wait try again together, and one whose try fails does not hold the others up', async () => {
  const waiters = new LaneWaiters()
  let ready = false
  const first = waiters.wait(() => (ready ? 'first' : 'too early'))
  const broken = waiters.wait(() => {
    throw new Error('broken')
  })
  const last = waiters.wait(() => 'last', 60_000)
  ready = true
  waiters.wakeAll()
  await expect(broken).rejects.toThrow('broken')
  expect(await Promise.all([first, last])).toEqual(['first', 'last'])
})
