import { Temporal } from 'temporal-polyfill'
import { describe, expect, test } from 'vitest'
import { UsageError } from '../../src/errors.ts'
import { parseInterval, parseWhen } from '../../src/schedule/parse-time.ts'
import { cronTimes, intervalTimes, type Recurrence, recurrenceIn } from '../../src/schedule/recurrence.ts'
import { checkZone } from '../../src/time-zone.ts'

function parseRecurrence(expression: string, zone: string): Recurrence {
  return recurrenceIn(zone, cronTimes(expression))
}

function occurrences(expression: string, zone: string, from: string, count: number): string[] {
  return parseRecurrence(expression, zone)
    .after(new Date(from), count)
    .map(({ at, wall, rule }) => `${wall} = ${at.toISOString().slice(0, 16)}Z ${rule}`)
}

describe('a time that does not exist means the first instant after the gap', () => {
  test.each([
    ['Europe/Berlin', '30 2 * * *', '2027-03-27T12:00Z', '2027-03-28T02:30 = 2027-03-28T01:00Z gap'],
    ['Africa/Cairo', '30 0 * * *', '2027-04-29T12:00Z', '2027-04-30T00:30 = 2027-04-29T22:00Z gap'],
    ['Pacific/Apia', '0 12 30 12 *', '2011-12-28T00:00Z', '2011-12-30T12:00 = 2011-12-30T10:00Z gap'],
  ])('%s: %s', (zone, expression, from, expected) => {
    expect(occurrences(expression, zone, from, 1)).toEqual([expected])
  })
})

describe('a time that exists twice means its first, and comes once', () => {
  test.each([
    [
      'Europe/Berlin',
      '30 2 * * *',
      '2026-10-24T12:00Z',
      ['2026-10-25T02:30 = 2026-10-25T00:30Z twice', '2026-10-26T02:30 = 2026-10-26T01:30Z exact'],
    ],
    [
      'Australia/Lord_Howe',
      '45 1 * * *',
      '2027-04-03T00:00Z',
      ['2027-04-04T01:45 = 2027-04-03T14:45Z twice', '2027-04-05T01:45 = 2027-04-04T15:15Z exact'],
    ],
  ])('%s: %s', (zone, expression, from, expected) => {
    expect(occurrences(expression, zone, from, 2)).toEqual(expected)
  })

  test('asked again between the two, the next one is tomorrow', () => {
    expect(occurrences('30 2 * * *', 'Europe/Berlin', '2026-10-25T00:45Z', 1)).toEqual([
      '2026-10-26T02:30 = 2026-10-26T01:30Z exact',
    ])
  })
})

test('several times inside one gap are one occurrence', () => {
  expect(occurrences('*/15 2 * * *', 'Europe/Berlin', '2027-03-28T00:00Z', 2)).toEqual([
    '2027-03-28T02:00 = 2027-03-28T01:00Z gap',
    '2027-03-29T02:00 = 2027-03-29T00:00Z exact',
  ])
})

test('the 31st comes in months that have one, the 29 February in leap years', () => {
  expect(occurrences('0 9 31 * *', 'UTC', '2027-01-01T00:00Z', 4).map((text) => text.slice(0, 10))).toEqual([
    '2027-01-31',
    '2027-03-31',
    '2027-05-31',
    '2027-07-31',
  ])
  expect(occurrences('0 9 29 2 *', 'UTC', '2027-01-01T00:00Z', 1)[0]?.slice(0, 10)).toBe('2028-02-29')
})

test.each([
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Africa/Cairo',
  'Asia/Kathmandu',
  'America/Sao_Paulo',
])('a daily newsletter in %s comes once on each of 400 days, asked one at a time as after a restart', (zone) => {
  const recurrence = parseRecurrence('30 2 * * *', zone)
  const days: string[] = []
  let now = new Date('2026-03-01T12:00:00Z')
  while (days.length < 400) {
    const next = recurrence.after(now, 1)[0]!
    expect(next.at.getTime()).toBeGreaterThan(now.getTime())
    days.push(next.wall.slice(0, 10))
    now = next.at
  }
  const first = Date.parse(`${days[0]}T00:00:00Z`)
  expect(days).toEqual(days.map((_, index) => new Date(first + index * 86_400_000).toISOString().slice(0, 10)))
})

describe('an interval counts from its first time on, by the clocks of the zone', () => {
  const walls = (first: string, interval: string, zone: string, from: string, count: number): string[] =>
    recurrenceIn(zone, intervalTimes(Temporal.PlainDateTime.from(first), interval))
      .after(new Date(from), count)
      .map(({ wall, at }) => `${wall} = ${at.toISOString().slice(0, 16)}Z`)

  test('every second Monday, over the end of a year with 53 weeks', () => {
    expect(walls('2026-12-07T09:00', 'P2W', 'Europe/Paris', '2026-12-01T00:00Z', 4)).toEqual([
      '2026-12-07T09:00 = 2026-12-07T08:00Z',
      '2026-12-21T09:00 = 2026-12-21T08:00Z',
      '2027-01-04T09:00 = 2027-01-04T08:00Z',
      '2027-01-18T09:00 = 2027-01-18T08:00Z',
    ])
  })
  test('the same hour on the wall before and after the clocks change, and the end of the gap in it', () => {
    expect(walls('2027-03-15T09:00', 'P2W', 'Europe/Paris', '2027-03-16T00:00Z', 2)).toEqual([
      '2027-03-29T09:00 = 2027-03-29T07:00Z',
      '2027-04-12T09:00 = 2027-04-12T07:00Z',
    ])
    expect(walls('2027-03-14T02:30', 'P2W', 'Europe/Berlin', '2027-03-15T00:00Z', 2)).toEqual([
      '2027-03-28T02:30 = 2027-03-28T01:00Z',
      '2027-04-11T02:30 = 2027-04-11T00:30Z',
    ])
    expect(walls('2026-10-11T02:30', 'P2W', 'Europe/Berlin', '2026-10-12T00:00Z', 2)).toEqual([
      '2026-10-25T02:30 = 2026-10-25T00:30Z',
      '2026-11-08T02:30 = 2026-11-08T01:30Z',
    ])
  })
  test('a rhythm that began long ago goes on, and one to come waits for its first time', () => {
    expect(walls('2020-01-06T09:00', 'P2W', 'UTC', '2026-12-01T00:00Z', 1)[0]?.slice(0, 10)).toBe('2026-12-14')
    expect(walls('2027-06-07T09:00', 'P2W', 'UTC', '2026-12-01T00:00Z', 1)[0]?.slice(0, 10)).toBe('2027-06-07')
  })
  test('a month without the day has its last one, and the day comes back', () => {
    expect(walls('2027-10-31T09:00', 'P1M', 'UTC', '2027-10-01T00:00Z', 6).map((text) => text.slice(0, 10))).toEqual([
      '2027-10-31',
      '2027-11-30',
      '2027-12-31',
      '2028-01-31',
      '2028-02-29',
      '2028-03-31',
    ])
    expect(walls('2028-02-29T09:00', 'P1Y', 'UTC', '2028-03-01T00:00Z', 4).map((text) => text.slice(0, 10))).toEqual([
      '2029-02-28',
      '2030-02-28',
      '2031-02-28',
      '2032-02-29',
    ])
  })
})

describe('the words of an interval', () => {
  test.each([
    ['2w', 'P2W'],
    ['2 weeks', 'P2W'],
    ['every 2 weeks', 'P2W'],
    ['every other week', 'P2W'],
    ['fortnight', 'P2W'],
    ['week', 'P1W'],
    ['10 days', 'P10D'],
    ['3 months', 'P3M'],
    ['1y', 'P1Y'],
  ])('%s is %s', (text, expected) => {
    expect(parseInterval(text)).toBe(expected)
  })
  test.each(['', '0w', '6h', '2', 'w2', '-2w', '2.5w', '2 weeks 1 day', '1001d', '3m'])('%j is refused', (text) => {
    expect(() => parseInterval(text)).toThrow(UsageError)
  })
})

/** Draws that are the same each time. */
function draws(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((state / 2 ** 31) * below)
  }
}

const ZONES = [
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Africa/Cairo',
  'Asia/Tokyo',
  'America/Santiago',
]

/** Every minute of the wall clock whose fields match, as a person would look them up in a calendar. */
function byCalendar(expression: string, from: Temporal.PlainDateTime, days: number): string[] {
  const [minutes, hours, day, month, weekday] = expression.split(' ').map((field) => field.split(',').map(Number))
  const any = (values: readonly number[] | undefined) => Number.isNaN(values?.[0])
  const found: string[] = []
  for (let i = 0; i < days; i++) {
    const date = from.toPlainDate().add({ days: i })
    const onDay = day?.includes(date.day) ?? false
    const onWeekday = weekday?.includes(date.dayOfWeek % 7) ?? false
    const fits = any(day) ? any(weekday) || onWeekday : any(weekday) ? onDay : onDay || onWeekday
    if (!fits || !(any(month) || month?.includes(date.month))) continue
    for (const hour of hours ?? []) {
      for (const minute of minutes ?? []) {
        const wall = date.toPlainDateTime({ hour, minute })
        if (Temporal.PlainDateTime.compare(wall, from) > 0) found.push(wall.toString({ smallestUnit: 'minute' }))
      }
    }
  }
  return found
}

test('over random expressions and zones, the occurrences are those of the calendar, from either end', () => {
  const draw = draws(7)
  const some = (low: number, high: number, most: number): string =>
    [...new Set(Array.from({ length: 1 + draw(most) }, () => low + draw(high - low + 1)))]
      .sort((a, b) => a - b)
      .join(',')
  for (let round = 0; round < 25; round++) {
    const day = draw(2) === 0 ? '*' : some(1, 31, 3)
    const weekday = draw(2) === 0 ? '*' : some(0, 6, 2)
    const expression = `${some(0, 59, 2)} ${some(0, 23, 2)} ${day} ${draw(2) === 0 ? '*' : some(1, 12, 6)} ${weekday}`
    const zone = ZONES[draw(ZONES.length)] ?? 'UTC'
    const from = Temporal.PlainDate.from('2026-01-01')
      .add({ days: draw(700) })
      .toPlainDateTime({ hour: 12 })
    const start = new Date(from.toZonedDateTime(zone).epochMilliseconds)
    const end = new Date(start.getTime() + 100 * 86_400_000)
    const recurrence = recurrenceIn(zone, cronTimes(expression))
    const all = recurrence.after(start, 10_000, end)
    const walls = all.map(({ wall }) => wall)
    const skipped = all.filter(({ rule }) => rule === 'gap').length
    const expected = byCalendar(expression, from, 102).filter((wall) => {
      const at = Temporal.PlainDateTime.from(wall).toZonedDateTime(zone, { disambiguation: 'earlier' })
      return at.epochMilliseconds <= end.getTime()
    })
    // In a gap several times may be one moment.
    if (skipped === 0) expect(walls, `${expression} in ${zone}`).toEqual(expected)
    else expect(expected, `${expression} in ${zone}`).toEqual(expect.arrayContaining(walls))
    for (const count of [1, 7, 10_000]) {
      expect(recurrence.newest(end, count, start), `${expression} in ${zone}`).toEqual(all.slice(-count))
    }
  }
})

test('in the night when the clocks go back, the newest ones are those that have come', () => {
  const recurrence = recurrenceIn('Europe/Berlin', cronTimes('*/30 * * * *'))
  for (let at = Date.parse('2026-10-24T23:00Z'); at < Date.parse('2026-10-25T03:00Z'); at += 13 * 60_000) {
    const [start, end] = [new Date(at - 3 * 3_600_000), new Date(at)]
    expect(recurrence.newest(end, 4, start)).toEqual(recurrence.after(start, 100, end).slice(-4))
  }
})

test.each(['', '* * * *', '61 * * * *', 'every monday', '0 9 * * * *'])('%j is not a cron expression', (text) => {
  expect(() => parseRecurrence(text, 'UTC')).toThrow(UsageError)
})

describe('--at', () => {
  const now = new Date('2026-11-24T10:00:00Z')
  test.each([
    ['2026-12-01 09:00', '2026-12-01T08:00:00.000Z'],
    ['2026-12-01T9:00', '2026-12-01T08:00:00.000Z'],
    ['2026-12-01T09:00:00Z', '2026-12-01T09:00:00.000Z'],
    ['2026-12-01T09:00+05:30', '2026-12-01T03:30:00.000Z'],
    ['tomorrow 9:00', '2026-11-25T08:00:00.000Z'],
    ['tomorrow at 9am', '2026-11-25T08:00:00.000Z'],
    ['in 2 hours', '2026-11-24T12:00:00.000Z'],
    ['2027-03-28 02:30', '2027-03-28T01:00:00.000Z'],
  ])('%s in Europe/Paris is %s', (text, expected) => {
    expect(parseWhen(text, 'Europe/Paris', now).at.toISOString()).toBe(expected)
  })

  test.each([
    '',
    'soon',
    'tomorrow',
    'tomorrow 9ish',
    '2026-13-01 09:00',
    '2026-02-30 09:00',
    '2020-01-01 09:00',
    '9 o clock maybe',
  ])('%j is refused, and says how to write it', (text) => {
    expect(() => parseWhen(text, 'Europe/Paris', now)).toThrow(UsageError)
  })

  test('an unknown zone names the nearest one', () => {
    expect(() => checkZone('Europe/Pariss')).toThrow(expect.objectContaining({ hint: "Did you mean 'Europe/Paris'?" }))
  })
})
