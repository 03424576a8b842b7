/** How sending hours, holidays, pauses and ramps are written. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { loadSettings } from '../../src/config/load.ts'
import { rampUpCap, readHoliday, readHours, readPause, readRampUp } from '../../src/config/sending-hours.ts'
import type { RampUp } from '../../src/config/settings.ts'

/** `1 540-1020`: day, and its minutes. */
function hours(text: string): readonly string[] | string {
  const read = readHours(text)
  return 'wrong' in read ? read.wrong : read.value.map(({ day, from, to }) => `${day} ${from}-${to}`)
}

function wrongOf(read: object): unknown {
  return 'wrong' in read ? read.wrong : undefined
}

describe('sending hours', () => {
  test.each([
    ['Mon 09:00-17:00', ['1 540-1020']],
    ['sat-MON 8:30-9:00', ['6 510-540', '7 510-540', '1 510-540']],
    ['Tuesday,Thu 09:00-10:00, 11:00-12:00', ['2 540-600', '4 540-600', '2 660-720', '4 660-720']],
    ['Mon 09:00-10:00, Tue 10:00-11:00', ['1 540-600', '2 600-660']],
    ['Sun 22:00-02:00', ['7 1320-1440', '1 0-120']],
    ['Fri 18:00-24:00', ['5 1080-1440']],
    ['Fri 18:00-00:00', ['5 1080-1440']],
    ['Sat, Sun', ['6 0-1440', '7 0-1440']],
  ])('%s', (text, found) => expect(hours(text)).toEqual(found))

  test('without a day are those of every day', () => expect(hours('09:00-17:00')).toHaveLength(7))

  test.each([
    ['Mon-Fry 09:00-17:00', "'Fry' at character 5 is not a day of the week (Mon, Tue, Wed, Thu, Fri, Sat, Sun)"],
    ['M 09:00-17:00', "'M' at character 1 is not a day of the week (Mon, Tue, Wed, Thu, Fri, Sat, Sun)"],
    ['Mon 9-17', "'9-17' at character 5 is not a time such as 09:00"],
    ['Mon 09:00-25:00', "'25:00' at character 11 is not a time such as 09:00"],
    ['Mon 09:00-09:00', "'09:00-09:00' at character 5 has no length; the whole day is 00:00-24:00"],
    ['Mon 24:00-09:00', "'24:00-09:00' at character 5 begins at the end of a day"],
    ['Mon 09:00 17:00', "'17:00' at character 11 is not the '-' before the end of the hours"],
    ['Mon 09:00-17:00 Europe', "'Europe' at character 17 is not expected here"],
    ['Mon 09:00-', 'its end is not a time such as 09:00'],
    ['', 'its end is not a time such as 09:00'],
  ])('%s is refused where it is wrong', (text, wrong) => expect(hours(text)).toBe(wrong))
})

describe('holidays', () => {
  test('are days, days of every year, or days from one to another', () => {
    expect(readHoliday('2026-12-25')).toEqual({ value: { from: '2026-12-25', to: '2026-12-25' } })
    expect(readHoliday('02-29')).toEqual({ value: { from: '02-29', to: '02-29' } })
    expect(readHoliday('2026-12-24 to 2027-01-02')).toEqual({ value: { from: '2026-12-24', to: '2027-01-02' } })
  })

  test.each([
    ['2026-02-30', "'2026-02-30' at character 1 is not a date such as 2026-12-25, or 12-25"],
    ['2027-01-02 to 2026-12-24', "'2027-01-02' at character 1 is after the last day"],
    ['12-24 to 2027-01-02', "'12-24' at character 1 has a year on one side only"],
    ['25.12.2026', "'25.12.2026' at character 1 is not a date such as 2026-12-25, or 12-25"],
  ])('%s is refused', (text, wrong) => expect(wrongOf(readHoliday(text))).toBe(wrong))
})

describe('pauses', () => {
  test.each([
    ['5 s', 5000, 5000],
    ['5-12 s', 5000, 12_000],
    ['500ms - 2s', 500, 2000],
    ['0.5–1.5min', 30_000, 90_000],
  ])('%s', (text, from, to) => expect(readPause(text)).toEqual({ value: { from, to } }))

  test('of nothing are none', () => expect(readPause('0')).toEqual({ value: undefined }))

  test.each([
    ['5', "'5' at character 1 has no unit"],
    ['12-5 s', "'12-5' at character 1 begins with the longer pause"],
    ['5-x s', "'x' at character 3 is not a number"],
    ['5 parsecs', "'5' at character 1 has the unknown unit 'parsecs'"],
    ['5 s and a bit', "'and' at character 5 is not expected here"],
    ['2d', "'2d' at character 1 is more than a day"],
  ])('%s is refused', (text, wrong) => expect(wrongOf(readPause(text))).toBe(wrong))
})

describe('a ramp', () => {
  function caps(text: string, days: number): readonly number[] {
    const read = readRampUp(text)
    if ('wrong' in read) throw new Error(read.wrong)
    const ramp: RampUp = read.value
    return Array.from({ length: days }, (_, day) => rampUpCap(ramp, day))
  }

  test('rises by a part of the day before, and no further than its end', () => {
    expect(caps('50/day, +50 %/day, to 300/day', 7)).toEqual([50, 75, 112, 168, 253, 300, 300])
    expect(caps('50/day,+10%/day', 3)).toEqual([50, 55, 60])
  })

  test('rises by a number of messages', () => expect(caps('50 messages per day, +25/day', 3)).toEqual([50, 75, 100]))

  test('rises without bounds where it has no end, and never beyond what can be counted', () => {
    expect(caps('1/day, +100 %/day', 2000).at(-1)).toBe(Number.MAX_SAFE_INTEGER)
  })

  test.each([
    ['50', "its end is not '/day': a ramp goes by calendar days and counts messages"],
    ['50/day', 'its end is not the comma before how it rises: 50/day, +50 %/day'],
    ['50/hour, +50 %/day', "'hour' at character 4 is not '/day': a ramp goes by calendar days and counts messages"],
    ['50/day, 50 %/day', "'50' at character 9 is not the '+' of how it rises: +50 %/day, or +25/day"],
    ['50/day, +0 %/day', "'0' at character 10 does not let it rise"],
    ['0/day, +50 %/day', "'0' at character 1 lets nothing go"],
    ['50/day, +50 %/day, to 20/day', "'20' at character 23 is less than it begins with"],
    ['50/day, +50 %/day, up to 2000/day', "'up' at character 20 is not the word 'to' of its end: to 2000/day"],
    [
      '50 recipients/day, +50 %/day',
      "'recipients' at character 4 is not '/day': a ramp goes by calendar days and counts messages",
    ],
  ])('%s is refused', (text, wrong) => expect(wrongOf(readRampUp(text))).toBe(wrong))
})

describe('in the config', () => {
  const cwd = mkdtempSync(join(tmpdir(), 'mailmerge-hours-'))
  afterAll(() => rmSync(cwd, { recursive: true }))

  async function delivery(config: string, flags = {}, env = {}) {
    writeFileSync(join(cwd, 'mailmerge.yaml'), config)
    writeFileSync(join(cwd, 'days.ics'), CALENDAR)
    return (await loadSettings({ cwd, env, flags })).delivery
  }

  const CALENDAR = [
    ...['BEGIN:VCALENDAR', 'BEGIN:VEVENT', 'DTSTART;VALUE=DATE:20261225', 'DTEND;VALUE=DATE:20261227'],
    ...['SUMMARY:Christ', ' mas', 'END:VEVENT', 'BEGIN:VEVENT', 'DTSTART;VALUE=DATE:20270101', 'RRULE:FREQ=YEARLY'],
    ...['END:VEVENT', 'BEGIN:VEVENT', 'DTSTART:20261201T090000Z', 'SUMMARY:A meeting', 'END:VEVENT', 'END:VCALENDAR'],
  ].join('\r\n')

  test('hours are a text, a list, or a group with zone and holidays', async () => {
    expect((await delivery('window: Mon-Fri 09:00-17:00')).window).toMatchObject({ zone: undefined, holidays: [] })
    expect((await delivery('window: [Mon 09:00-17:00, Tue]')).window?.hours).toHaveLength(2)
    const { window } = await delivery(
      'window: { hours: Mon 09:00-17:00, zone: recipient, zoneColumn: tz, holidays: [days.ics, 05-01] }',
    )
    expect(window).toEqual({
      text: 'Mon 09:00-17:00',
      hours: [{ day: 1, from: 540, to: 1020 }],
      zone: 'recipient',
      zoneColumn: 'tz',
      holidays: [
        { from: '2026-12-25', to: '2026-12-26' },
        { from: '01-01', to: '01-01' },
        { from: '05-01', to: '05-01' },
      ],
    })
  })

  test('hours of the command line take the place of those of the config; zone and holidays stay', async () => {
    const config = 'window: { hours: Mon 09:00-17:00, zone: Europe/Paris, holidays: 12-25 }'
    const flags = { window: ['Tue 10:00-11:00'] }
    expect((await delivery(config, flags)).window).toMatchObject({
      hours: [{ day: 2, from: 600, to: 660 }],
      zone: 'Europe/Paris',
      holidays: [{ from: '12-25', to: '12-25' }],
    })
    expect((await delivery(config, { window: ['always'] })).window).toBeUndefined()
    const env = { MAILMERGE_WINDOW: 'Wed', MAILMERGE_PAUSE: '1 s', MAILMERGE_RAMP_UP: '5/day, +5/day' }
    expect(await delivery(config, {}, env)).toMatchObject({
      window: { text: 'Wed', zone: 'Europe/Paris' },
      pause: { from: 1000, to: 1000 },
      rampUp: { first: 5 },
    })
  })

  test.each([
    [
      'csv: a.csv\nwindow: Mon-Fry 09:00-17:00',
      /^mailmerge\.yaml:2: window must be sending hours: 'Fry' at character 5/,
    ],
    ['window:\n  - Mon 09:00-17:00\n  - Tue 9-17', /^mailmerge\.yaml:3: window\.1 must be .*'9-17' at character 5/],
    ['window: { hours: [Mon 9-17] }', /window\.hours\.0 must be .*'9-17' at character 5/],
    ['window: { hours: Mon, holidays: [12-25, 02-30] }', /window\.holidays\.1 must be .*'02-30' at character 1/],
    ['window: { hours: Mon, zone: Paris }', /window\.zone must be run, recipient or a time zone/],
    ['window: { zone: Europe/Paris }', /^window has no hours/],
    ['window: { hours: Mon, holidays: none.ics }', /none\.ics of window\.holidays cannot be read: it does not exist/],
    ['pause: 12-5 s', /pause must be a pause: '12-5' at character 1/],
    ['rampUp: 50/day', /rampUp must be a limit that rises: its end/],
  ])('%s is refused by key and position', async (config, words) => {
    await expect(delivery(config)).rejects.toThrow(words)
  })

  test('what is wrong on the command line names its option', async () => {
    await expect(delivery('', { window: ['Mon 9-17'] })).rejects.toThrow(
      "'Mon 9-17' is not valid for --window: '9-17' at character 5 is not a time such as 09:00",
    )
    await expect(delivery('', { pause: '5' })).rejects.toThrow(
      "'5' is not valid for --pause: '5' at character 1 has no unit",
    )
  })
})
