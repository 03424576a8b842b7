import { expect, test } from 'vitest'
import { namedWait } from '../../src/replies/named-wait.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

test.each([
  ['Greylisted, try again in 5 minutes', 5 * MINUTE],
  ['please try again in 300 seconds', 300 * SECOND],
  ['<p@b.example>: Recipient address rejected: Greylisted for 300 seconds (see https://help.example)', 300 * SECOND],
  ['greylisted for 5 minutes', 5 * MINUTE],
  ['Graylisting in effect, please come back in 00:05:00', 5 * MINUTE],
  ['Greylisting in action, please come back later, in 01:30:05', HOUR + 30 * MINUTE + 5 * SECOND],
  ['Temporarily deferred. Please retry after 15 mins.', 15 * MINUTE],
  ['Try again later: please wait at least 90s', 90 * SECOND],
  ['You are too fast, wait 1 minute', MINUTE],
  ['retry in an hour', HOUR],
  ['try again in 5-10 minutes', 10 * MINUTE],
  ['try again in 5 to 10 minutes', 10 * MINUTE],
  ['Please try again in 1 hour and 30 minutes', 90 * MINUTE],
  ['retry in 4 min 30 sec', 4 * MINUTE + 30 * SECOND],
  ['try again in 2h', 2 * HOUR],
  ['Bitte versuchen Sie es erneut in 10 Minuten', 10 * MINUTE],
  ['retry in 2 Stunden', 2 * HOUR],
  ['try again in 500 hours', 24 * HOUR],
])('%s', (text, wait) => {
  expect(namedWait(text)).toBe(wait)
})

test.each([
  'Greylisted, see https://postgrey.example.com/help/300.html',
  'Please try again later',
  'you have sent 500 messages in 60 seconds, try again later',
  'try again later; the limit is 100 messages in 1 hour',
  'timeout after 300 seconds',
  'queued as 4F3AM',
  'try again in 0 seconds',
  'retry at 5',
  'user back2m unknown',
])('no time is named by: %s', (text) => {
  expect(namedWait(text)).toBeUndefined()
})

test('a long text costs no time', () => {
  const began = performance.now()
  for (const text of ['again in '.repeat(50_000), `again${' '.repeat(200_000)}`, 'wait for the next '.repeat(20_000)])
    expect(namedWait(text)).toBeUndefined()
  expect(performance.now() - began).toBeLessThan(2000)
})
