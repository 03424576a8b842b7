/** When sending hours begin and end, by the clock on the wall of a zone. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { inOrder, readHoliday, readHours } from '../src/config/sending-hours.ts'
import { closesAt, type DayRange, dayOf, opensAt, type WeekHours } from '../src/sending-window.ts'

function readAs<T>(read: { readonly value: T } | { readonly wrong: string }): T {
  if ('wrong' in read) throw new Error(read.wrong)
  return read.value
}

function week(texts: readonly string[], holidays: readonly string[] = []): WeekHours {
  const days: readonly DayRange[] = holidays.map((text) => readAs(readHoliday(text)))
  return { hours: inOrder(texts.flatMap((text) => readAs(readHours(text)))), holidays: days }
}

const PARIS = 'Europe/Paris'
const OFFICE = week(['Mon-Fri 09:00-17:00'])

function opening(hours: WeekHours, at: string, zone = PARIS): string | undefined {
  return opensAt(hours, zone, new Date(at))?.toISOString()
}

function closing(hours: WeekHours, at: string, zone = PARIS): string | undefined {
  return closesAt(hours, zone, new Date(at))?.toISOString()
}

describe('sending hours', () => {
  test('begin at once where they have begun', () => {
    expect(opening(OFFICE, '2026-11-27T08:00:00Z')).toBe('2026-11-27T08:00:00.000Z')
    expect(opening(OFFICE, '2026-11-27T15:59:59.999Z')).toBe('2026-11-27T15:59:59.999Z')
  })

  test('begin on Monday for who comes on Friday evening', () => {
    expect(opening(OFFICE, '2026-11-27T16:00:00Z')).toBe('2026-11-30T08:00:00.000Z')
    expect(closing(OFFICE, '2026-11-27T08:00:00Z')).toBe('2026-11-27T16:00:00.000Z')
  })

  test('go over midnight, and over the end of the week', () => {
    const night = week(['Sun 22:00-02:00'])
    expect(opening(night, '2026-11-29T20:00:00Z')).toBe('2026-11-29T21:00:00.000Z')
    expect(closing(night, '2026-11-29T21:00:00Z')).toBe('2026-11-30T01:00:00.000Z')
  })

  test('skip holidays, from midnight to midnight', () => {
    const hours = week(['Mon-Fri 09:00-17:00'], ['12-25', '2026-12-28 to 2026-12-31'])
    expect(opening(hours, '2026-12-24T16:00:00Z')).toBe('2027-01-01T08:00:00.000Z')
    const night = week(['Wed-Thu 22:00-02:00'], ['2026-12-25'])
    expect(closing(night, '2026-12-24T21:30:00Z')).toBe('2026-12-24T23:00:00.000Z')
  })

  test('skip holidays of every year that go over its end', () => {
    const hours = week(['09:00-17:00'], ['12-24 to 01-02'])
    expect(opening(hours, '2026-12-24T08:00:00Z')).toBe('2027-01-03T08:00:00.000Z')
    expect(opening(hours, '2030-01-01T08:00:00Z')).toBe('2030-01-03T08:00:00.000Z')
  })

  test('never begin where every day is a holiday, and never end where they are all hours', () => {
    expect(opening(week(['09:00-17:00'], ['01-01 to 12-31']), '2026-12-24T08:00:00Z')).toBeUndefined()
    expect(closing(week(['00:00-24:00']), '2026-12-24T08:00:00Z')).toBeUndefined()
  })

  test('begin after the gap where clocks are put forward past their beginning', () => {
    // On 29 March 2026 clocks go from 02:00 to 03:00, at 01:00Z.
    expect(opening(week(['02:30-05:00']), '2026-03-28T23:30:00Z')).toBe('2026-03-29T01:00:00.000Z')
    expect(opening(week(['02:10-02:50']), '2026-03-29T00:00:00Z')).toBe('2026-03-30T00:10:00.000Z')
  })

  test('are there twice where clocks are put back into them', () => {
    // On 25 October 2026 clocks go from 03:00 to 02:00, at 01:00Z.
    const hours = week(['02:15-02:45'])
    expect(opening(hours, '2026-10-24T23:00:00Z')).toBe('2026-10-25T00:15:00.000Z')
    expect(closing(hours, '2026-10-25T00:15:00Z')).toBe('2026-10-25T00:45:00.000Z')
    expect(opening(hours, '2026-10-25T00:45:00Z')).toBe('2026-10-25T01:15:00.000Z')
  })

  test('join where one ends as the next begins', () => {
    expect(closing(week(['Mon 20:00-24:00', 'Tue 00:00-03:00']), '2026-11-30T20:00:00Z')).toBe(
      '2026-12-01T02:00:00.000Z',
    )
  })
})

/** Whether a clock on the wall shows sending hours; asked of `Intl`, which the arithmetic does not use. */
function isOpen({ hours, holidays }: WeekHours, zone: string, at: number): boolean {
  const text = new Date(at).toLocaleString('sv-SE', { timeZone: zone })
  const [date = '', time = ''] = text.split(' ')
  const [hour = 0, minute = 0] = time.split(':').map(Number)
  const day = new Date(`${date}T00:00:00Z`).getUTCDay() || 7
  if (holidays.some(({ from, to }) => from <= date && date <= to)) return false
  return hours.some((one) => one.day === day && one.from <= hour * 60 + minute && hour * 60 + minute < one.to)
}

const ZONES = [PARIS, 'America/New_York', 'Australia/Lord_Howe', 'Africa/Casablanca', 'Asia/Kathmandu', 'Pacific/Apia']
const MINUTE = 60_000
const aTime = fc.record({
  zone: fc.constantFrom(...ZONES),
  // Clock changes of the northern and the southern half, and quiet times.
  near: fc.constantFrom(
    '2026-03-08',
    '2026-03-29',
    '2026-04-05',
    '2026-10-04',
    '2026-10-25',
    '2026-11-01',
    '2026-07-01',
  ),
  minutes: fc.integer({ min: -3 * 1440, max: 3 * 1440 }),
})
const aWindow = fc
  .array(
    fc.tuple(fc.integer({ min: 1, max: 7 }), fc.nat(1439), fc.nat(1440)).filter(([, from, to]) => from < to),
    { minLength: 1, maxLength: 4 },
  )
  .map((all) => inOrder(all.map(([day, from, to]) => ({ day, from, to }))))

test('sending hours begin at the first moment that a clock on the wall shows them, and at no earlier one', () => {
  fc.assert(
    fc.property(aTime, aWindow, fc.boolean(), ({ zone, near, minutes }, hours, withHoliday) => {
      const window = { hours, holidays: withHoliday ? [{ from: near, to: near }] : [] }
      const at = Date.parse(`${near}T00:00:00Z`) + minutes * MINUTE
      const opens = opensAt(window, zone, new Date(at))?.getTime() ?? Number.NaN
      expect(isOpen(window, zone, opens)).toBe(true)
      for (let step = 1; step <= 20; step++) {
        const before = at + Math.floor(((opens - at) * (step - 1)) / 20)
        if (before < opens) expect(isOpen(window, zone, before)).toBe(false)
      }
      if (opens > at) expect(isOpen(window, zone, opens - 1)).toBe(false)
      const closes = closesAt(window, zone, new Date(opens))?.getTime()
      if (closes === undefined) return
      expect(isOpen(window, zone, closes)).toBe(false)
      expect(isOpen(window, zone, closes - 1)).toBe(true)
      for (let step = 0; step < 20; step++)
        expect(isOpen(window, zone, opens + Math.floor(((closes - opens) * step) / 20))).toBe(true)
    }),
    { numRuns: 150, seed: 20_261_128 },
  )
})

test('a calendar day ends at midnight of its zone, also where it has 23 hours', () => {
  expect(dayOf(new Date('2026-03-29T12:00:00Z'), PARIS)).toEqual({
    day: '2026-03-29',
    endsAt: new Date('2026-03-29T22:00:00Z'),
  })
})
