/** That no message goes which was not taken from every quota, with all its recipients, a short while before. */
import { beforeEach, expect, test } from 'vitest'
import { Throttle } from '../../../src/campaign/delivery/throttle.ts'
import { advance, type DeliveryHarness, openHarness, settleTurns, testClock, useHarness } from './delivery-harness.ts'

let harness: DeliveryHarness

useHarness()
beforeEach(async () => {
  harness = await openHarness(1)
})

/** A throttle over one quota of recipients a minute, and what of it the ledger has given away. */
function throttleOf(count: number): { throttle: Throttle; used: () => Promise<number> } {
  const limit = { count, seconds: 60, of: 'recipients' } as const
  const quotas = [{ name: 'ada@mail', ...limit }]
  const throttle = new Throttle({
    ledger: harness.ledger,
    limits: [limit],
    account: 'ada@mail',
    clock: testClock(),
    zone: 'UTC',
  })
  const used = async (): Promise<number> => {
    // Asking for more than there is takes nothing.
    const { left } = await harness.ledger.quotas.reserve(quotas, 1, new Date(), count + 1)
    return count - (left?.left ?? 0)
  }
  return { throttle, used }
}

/** Waits until a message to that many recipients may go. */
async function allowed(throttle: Throttle, recipients: number): Promise<void> {
  for (let turn = 0; throttle.msUntilAllowed(performance.now(), recipients) > 0; turn++) {
    if (turn > 50) throw new Error('it never may')
    await settleTurns()
  }
}

test('what goes was taken before it goes, whole, and what is left is reported with what is in hand', async () => {
  const { throttle, used } = throttleOf(10)
  expect(throttle.msUntilAllowed(performance.now(), 4)).toBeGreaterThan(0)
  await allowed(throttle, 4)
  expect([await used(), throttle.quotaLeft?.left]).toEqual([4, 10])
  throttle.grant(performance.now(), 4)
  expect([await used(), throttle.quotaLeft?.left]).toEqual([4, 6])
  expect(throttle.recipientsEach).toBe(4)
})

test('a message that does not fit takes nothing, and closes the quota until it does', async () => {
  const { throttle, used } = throttleOf(10)
  await allowed(throttle, 7)
  throttle.grant(performance.now(), 7)
  throttle.msUntilAllowed(performance.now(), 4)
  await settleTurns()
  expect([await used(), throttle.quotaLeft?.left]).toEqual([7, 3])
  expect(throttle.closedFor(performance.now())).toBeGreaterThan(60_000)
  expect(throttle.closedFor(performance.now())).toBeLessThan(63_000)
})

test('what is taken and not used in a second is void, and is taken again', async () => {
  const { throttle, used } = throttleOf(10)
  await allowed(throttle, 3)
  await advance(900)
  expect(throttle.msUntilAllowed(performance.now(), 3)).toBe(0)
  await advance(200)
  expect(throttle.msUntilAllowed(performance.now(), 3)).toBeGreaterThan(0)
  await allowed(throttle, 3)
  throttle.grant(performance.now(), 3)
  expect([await used(), throttle.quotaLeft?.left]).toEqual([6, 4])
})

test('what was taken for a larger message than the one that went is not kept for others', async () => {
  // So fast that a hundred messages are taken at once.
  const { throttle } = throttleOf(60_000)
  await allowed(throttle, 3)
  throttle.grant(performance.now(), 1)
  for (let gone = 0; gone < 98; gone++) {
    await allowed(throttle, 1)
    throttle.grant(performance.now(), 1)
  }
  // Two messages to one each are in hand.
  expect(throttle.msUntilAllowed(performance.now(), 3)).toBeGreaterThan(0)
})

test('a message to one that comes after a larger one takes of what is in hand', async () => {
  const { throttle, used } = throttleOf(60_000)
  await allowed(throttle, 1)
  throttle.grant(performance.now(), 1)
  expect(await used()).toBe(100)
  await allowed(throttle, 150)
  throttle.grant(performance.now(), 150)
  expect(throttle.msUntilAllowed(performance.now(), 1)).toBe(0)
  expect(await used()).toBe(250)
})

test('the pace learned from a complaint is that of the messages: the time to connect does not count', async () => {
  const throttle = new Throttle({
    ledger: harness.ledger,
    limits: [],
    account: 'ada@mail',
    clock: testClock(),
    zone: 'UTC',
  })
  await advance(20_000)
  for (let message = 0; message < 2; message++) {
    throttle.grant(performance.now())
    await advance(100)
    throttle.recordSuccess()
  }
  const pause = throttle.recordThrottling(performance.now()) ?? 0
  await advance(pause)
  throttle.grant(performance.now())
  // Two messages in 200 milliseconds, and a quarter more.
  expect(throttle.pausedFor(performance.now())).toBeGreaterThan(50)
  expect(throttle.pausedFor(performance.now())).toBeLessThan(200)
})
