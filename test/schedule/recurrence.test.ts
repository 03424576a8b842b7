import { describe, expect, test } from 'vitest'
import { UsageError } from '../../src/errors.ts'
import { parseWhen } from '../../src/schedule/parse-time.ts'
import { parseRecurrence } from '../../src/schedule/recurrence.ts'
import { checkZone } from '../../src/time-zone.ts'

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
