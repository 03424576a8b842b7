import { describe, expect, test } from 'vitest'
import { openRecipientTime } from '../../../src/campaign/plan/recipient-time.ts'
import { DataError, UsageError } from '../../../src/errors.ts'

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
