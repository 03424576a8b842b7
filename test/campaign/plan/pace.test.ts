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

describe('with sending hours, a pause and a limit that rises', () => {
  const NONE = {
    window: undefined,
    windowZone: 'UTC',
    pause: undefined,
    rampUp: undefined,
    use: { days: 0, used: 0 },
    zone: 'UTC',
  }
  const week = [1, 2, 3, 4, 5].map((day) => ({ day, from: 9 * 60, to: 17 * 60 }))
  const window = { text: 'Mon-Fri 09:00-17:00', hours: week, holidays: [] }
  const rampUp = { text: 'the ramp', first: 50, growth: { percent: 50 }, top: 100 } as const

  function planned(messages: number, limits: Parameters<typeof paceOf>[1], plan: Parameters<typeof paceOf>[4]) {
    const found = paceOf(messages, limits, START, 'UTC', plan)
    return found && { at: found.lastAt.toISOString(), days: found.days.map(({ day, messages: of }) => `${day} ${of}`) }
  }

  test('messages go on when the hours open again', () => {
    // One a minute: three hours on Friday, the rest on Monday.
    expect(planned(200, [{ count: 1, seconds: 60 }], { ...NONE, window })).toEqual({
      at: '2026-11-30T09:19:00.000Z',
      days: ['2026-11-27 180', '2026-11-30 20'],
    })
  })

  test('a quota goes on over the night, and is free again at its time', () => {
    expect(planned(250, [{ count: 100, seconds: 86_400 }], { ...NONE, window })?.days).toEqual([
      '2026-11-27 100',
      '2026-11-30 100',
      '2026-12-01 50',
    ])
  })

  test('a pause counts with its average', () => {
    expect(planned(11, [], { ...NONE, pause: 8500 })?.at).toBe('2026-11-27T14:01:25.000Z')
  })

  test('the limit of a day rises with the days that have messages, from what was sent before', () => {
    expect(planned(250, [], { ...NONE, rampUp })?.days).toEqual([
      '2026-11-27 50',
      '2026-11-28 75',
      '2026-11-29 100',
      '2026-11-30 25',
    ])
    expect(planned(100, [], { ...NONE, rampUp, use: { days: 1, used: 30 } })?.days).toEqual([
      '2026-11-27 45',
      '2026-11-28 55',
    ])
  })

  test('all of them hold together', () => {
    const found = paceOf(100, [], START, 'UTC', { ...NONE, window, rampUp, pause: 60_000 })
    expect(found?.days).toEqual([
      { day: '2026-11-27', messages: 50 },
      { day: '2026-11-30', messages: 50 },
    ])
    expect(found?.lastAt.toISOString()).toBe('2026-11-30T09:49:00.000Z')
    expect(found?.plan).toBe('Mon-Fri 09:00-17:00, a pause of 60 s, the ramp')
  })
})
