/** How durations and rates are written. */
import { describe, expect, test } from 'vitest'
import { readDuration, readRate } from '../../src/config/units.ts'

describe('durations', () => {
  test.each([
    ['500ms', 500],
    ['90s', 90_000],
    ['15 min', 900_000],
    ['15mins', 900_000],
    ['2 Hours', 7_200_000],
    ['1.5h', 5_400_000],
    ['3d', 259_200_000],
    ['1 week', 604_800_000],
    ['0', 0],
  ])('%s', (text, milliseconds) => expect(readDuration(text)).toBe(milliseconds))
  test.each(['', '4', 'h', '-1h', '1e3s', '4 fortnights', '4h 30m', '1month', 'constructor', '5 constructors'])(
    '%s is none',
    (text) => expect(readDuration(text)).toBeUndefined(),
  )
})

describe('rates', () => {
  test.each([
    ['10/s', 10, 1],
    ['500/day', 500, 86_400],
    ['30 / min', 30, 60],
    ['100 per 10min', 100, 600],
    ['1000/2h', 1000, 7200],
    ['3/500ms', 3, 0.5],
  ])('%s', (text, count, seconds) => expect(readRate(text)).toEqual({ count, seconds }))
  test.each([
    ['500 recipients/day', 500, 86_400],
    ['500recipients/day', 500, 86_400],
    ['1 recipient per second', 1, 1],
    ['50 Recipients per 10 min', 50, 600],
  ])('%s counts recipients', (text, count, seconds) =>
    expect(readRate(text)).toEqual({ count, seconds, of: 'recipients' }),
  )
  test.each([
    ['500 messages/day', 500, 86_400],
    ['1 message per 2 s', 1, 2],
  ])('%s counts messages, as a rate that says nothing', (text, count, seconds) =>
    expect(readRate(text)).toEqual({ count, seconds }),
  )
  test.each([
    ...['', '10', '/s', '0/s', '10/0s', '-1/s', '1.5/s', '10/fortnight', '10//s'],
    ...['500 persons/day', 'recipients/day', '500 recipients', '5 recipients messages/s', '500 recipientsper day'],
  ])('%s is none', (text) => expect(readRate(text)).toBeUndefined())
})
