import { describe, expect, test } from 'vitest'
import { openRecipientTime, startTimes } from '../../../src/campaign/plan/recipient-time.ts'
import { DataError, UsageError } from '../../../src/errors.ts'
import { dateCell } from '../../../src/source/cells/date.ts'

const HOUR = 3_600_000

function moments(text: string, now: string, zones: readonly string[], zoneColumn?: string): string[] {
  const hour = openRecipientTime(zoneColumn === undefined ? { text } : { text, zoneColumn }, {
    columns: ['email', 'Time Zone', 'other'],
    zone: 'Europe/Berlin',
    now: new Date(now),
    lateBy: HOUR,
  })
  return zones.map((zone) =>
    hour({ number: 1, data: { 'Time Zone': zone, other: zone } })
      .toISOString()
      .slice(0, 16),
  )
}

test('an hour is the next one on the clock of each row, and rows without a zone go by the zone of the run', () => {
  expect(
    moments('09:00', '2026-11-30T12:00:00Z', [
      'Europe/Paris',
      'America/New_York',
      'Pacific/Auckland',
      '',
      'Asia/Tokyo',
    ]),
  ).toEqual(['2026-12-01T08:00', '2026-11-30T14:00', '2026-11-30T20:00', '2026-12-01T08:00', '2026-12-01T00:00'])
})

test('a day and an hour are that day everywhere', () => {
  expect(moments('2026-12-02 9:00', '2026-11-30T12:00:00Z', ['Pacific/Auckland', 'America/Los_Angeles'])).toEqual([
    '2026-12-01T20:00',
    '2026-12-02T17:00',
  ])
})

describe('in the nights when clocks change', () => {
  test('an hour that does not exist is the first instant after the gap', () => {
    expect(moments('2027-03-28 02:30', '2027-03-20T00:00:00Z', ['Europe/Berlin', 'UTC'])).toEqual([
      '2027-03-28T01:00',
      '2027-03-28T02:30',
    ])
  })
  test('an hour that exists twice is its first', () => {
    expect(moments('2026-10-25 02:30', '2026-10-20T00:00:00Z', ['Europe/Berlin'])).toEqual(['2026-10-25T00:30'])
  })
})

test('an hour that is past is a problem of its row', () => {
  expect(() => moments('2026-12-01 09:00', '2026-12-01T12:00:00Z', ['Pacific/Auckland'])).toThrow(DataError)
  expect(() => moments('2026-12-01 09:00', '2026-12-01T12:00:00Z', ['Pacific/Auckland'])).toThrow(/past in Pacific/)
})

test('a zone that is none is a problem of its row, with the nearest one', () => {
  try {
    moments('09:00', '2026-11-30T12:00:00Z', ['Europe/Pariss'])
    expect.unreachable()
  } catch (error) {
    expect((error as DataError).problems[0]).toMatchObject({
      code: 'bad-zone',
      column: 'Time Zone',
      value: 'Europe/Pariss',
      hint: "Did you mean 'Europe/Paris'?",
    })
  }
})

test.each(['25:00', '9', 'soon', '2026-02-30 09:00', 'tomorrow 9:00'])("'%s' is not a time of day", (text) => {
  expect(() => moments(text, '2026-11-30T12:00:00Z', ['UTC'])).toThrow(UsageError)
})

test('a zone column is the one that is named, and must be there', () => {
  expect(moments('09:00', '2026-11-30T12:00:00Z', ['Asia/Tokyo'], 'other')).toEqual(['2026-12-01T00:00'])
  expect(() => moments('09:00', '2026-11-30T12:00:00Z', ['UTC'], 'zone')).toThrow(/does not have/)
})

describe('the time in a column', () => {
  const columns = ['email', 'when', 'tz']
  const options = { columns, zone: 'Europe/Berlin', now: new Date('2026-11-30T12:00:00Z'), lateBy: HOUR }
  const at = (when: unknown, tz = '', locale?: string) =>
    openRecipientTime({ column: 'when' }, { ...options, locale })({ number: 1, data: { when, tz } }).toISOString()
  const problemOf = (when: unknown, tz = '') => {
    try {
      return at(when, tz)
    } catch (error) {
      return (error as DataError).problems[0]
    }
  }

  test.each([
    ['2026-12-01 09:00', '', '2026-12-01T08:00:00.000Z'],
    ['2026-12-01 09:00', 'Asia/Tokyo', '2026-12-01T00:00:00.000Z'],
    ['1.12.2026 9:00', '', '2026-12-01T08:00:00.000Z'],
    ['24 Dec 2026, 6:30 pm', 'UTC', '2026-12-24T18:30:00.000Z'],
    ['2026-12-01T09:00:00+01:00', 'Asia/Tokyo', '2026-12-01T08:00:00.000Z'],
    ['2027-03-28 02:30', '', '2027-03-28T01:00:00.000Z'],
    // As late as it may be.
    ['2026-11-30 11:00', 'UTC', '2026-11-30T11:00:00.000Z'],
  ])('%s in %s is %s', (when, tz, moment) => {
    expect(at(when, tz)).toBe(moment)
  })

  test('a date of a workbook is the time that it shows, on the clock of the row', () => {
    const cell = dateCell({ kind: 'wall', at: new Date('2026-12-01T09:00:00Z') }, 'Europe/Berlin', '12/1/26 9:00')
    expect(at(cell, 'Asia/Tokyo')).toBe('2026-12-01T00:00:00.000Z')
  })

  test('a date that can be read in two ways is read by the language of the list', () => {
    expect(at('03/04/2027 09:00', 'UTC', 'en-GB')).toBe('2027-04-03T09:00:00.000Z')
    expect(problemOf('03/04/2027 09:00')).toMatchObject({
      code: 'bad-time',
      column: 'when',
      hint: expect.stringMatching(/columns\.types.*when:/),
    })
  })

  test.each([
    ['', 'no-time', /empty/],
    ['2026-12-01', 'no-time-of-day', /no time of day/],
    ['soon', 'bad-time', /not a date/],
    ['2026-02-30 09:00', 'bad-time', /not a date/],
    ['2026-11-30 10:59', 'past-hour', /in the past in UTC/],
  ])("'%s' is a problem of its row", (when, code, message) => {
    expect(problemOf(when, 'UTC')).toMatchObject({
      code,
      column: 'when',
      value: when,
      message: expect.stringMatching(message),
    })
  })

  test('the column must be there', () => {
    expect(() => openRecipientTime({ column: 'wen' }, options)).toThrow(/does not have/)
  })

  test('a time that is past is not an error of a row that has its message', async () => {
    const rows = ['2026-11-01 09:00', '2026-11-02 09:00', '2026-12-02 09:00'].map((when, i) => ({
      number: i + 1,
      data: { when },
    }))
    const asked: number[] = []
    const times = startTimes(openRecipientTime({ column: 'when' }, options), async (past) => {
      asked.push(...past.map(({ number }) => number))
      return new Set(past.slice(0, 1))
    })
    const found = await times(rows)
    expect(asked).toEqual([1, 2])
    expect([...found.keys()]).toEqual([2, 3])
    expect(found.get(2)).toBeInstanceOf(DataError)
    expect(found.get(3)).toEqual(new Date('2026-12-02T08:00:00Z'))
  })
})
