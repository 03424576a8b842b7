import { describe, expect, test } from 'vitest'
import { paceOf } from '../../../src/campaign/plan/pace.ts'

const START = new Date('2026-11-27T14:00:00Z')
const DAY = { count: 5000, seconds: 86_400 }
const SECOND = { count: 10, seconds: 1 }

/** When the last message is accepted, and how many go on each day. */
function pace(messages: number, limits: Parameters<typeof paceOf>[1]) {
  const found = paceOf(messages, limits, START, 'UTC')
  return found && { at: found.lastAt.toISOString(), days: found.days.map(({ day, messages: of }) => `${day} ${of}`) }
}

describe('when the last message is accepted', () => {
  test('is not known without a limit', () => {
    expect(pace(100, [])).toBeUndefined()
    expect(pace(0, [DAY])).toBeUndefined()
  })

  test('is at once where the limit lets all of them through', () => {
    expect(pace(5000, [DAY])).toEqual({ at: START.toISOString(), days: ['2026-11-27 5000'] })
  })

  test('is days later where a limit of a day holds', () => {
    expect(pace(11_208, [DAY])).toEqual({
      at: '2026-11-29T14:00:00.000Z',
      days: ['2026-11-27 5000', '2026-11-28 5000', '2026-11-29 1208'],
    })
  })

  test('counts the limits together: the last day at the pace of the short one', () => {
    expect(pace(11_208, [SECOND, DAY])?.at).toBe('2026-11-29T14:02:00.000Z')
  })

  test('follows the short limit where it is the slower one', () => {
    const slow = { count: 1, seconds: 60 }
    expect(pace(2881, [DAY, slow])).toEqual({
      at: '2026-11-29T14:00:00.000Z',
      days: ['2026-11-27 600', '2026-11-28 1440', '2026-11-29 841'],
    })
    expect(paceOf(2881, [DAY, slow], START, 'UTC')?.limit).toBe(slow)
  })

  test('counts what is taken of a limit already, until the first of it is free again', () => {
    const taken = { ...DAY, taken: { count: 4000, age: 3600 } }
    // 1,000 today, the rest once a day is over since the first of those 4,000.
    expect(pace(1000, [taken])?.at).toBe(START.toISOString())
    expect(pace(1500, [taken])).toEqual({
      at: '2026-11-28T13:00:00.000Z',
      days: ['2026-11-27 1000', '2026-11-28 500'],
    })
    // Of a limit that is used up nothing is left today.
    expect(pace(1, [{ ...DAY, taken: { count: 9000, age: 0 } }])?.at).toBe('2026-11-28T14:00:00.000Z')
  })

  test('counts days by the clock of the zone', () => {
    expect(paceOf(5001, [DAY], new Date('2026-11-27T23:30:00Z'), 'Europe/Paris')?.days[0]?.day).toBe('2026-11-28')
  })
})
