/** Dates as people write them: read where they can be one day only, and never guessed. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseDate } from '../../../src/source/cells/date.ts'

const day = (text: string, locale?: string): unknown => {
  const read = parseDate(text, locale)
  if (read === undefined || 'either' in read) return read
  return `${read.kind} ${read.at.toISOString().replace('T00:00:00.000Z', '').replace(':00.000Z', '')}`
}

test.each([
  '2026-12-24',
  '2026/12/24',
  '2026.12.24',
  '24.12.2026',
  '24. 12. 2026',
  '24/12/2026',
  '12/24/2026',
  '24-12-2026',
  '24-Dec-2026',
  '24 Dec 2026',
  'Dec 24, 2026',
  'December 24 2026',
  '24 December 2026',
  '24th December, 2026',
  'Thursday, 24 December 2026',
  '24 of December 2026',
  '2026年12月24日',
])('%j is one day, whatever the language', (text) => {
  for (const locale of [undefined, 'en', 'en-US', 'de', 'fr']) expect(day(text, locale)).toBe('day 2026-12-24')
})

test.each<[string, string, string]>([
  ['24. Dezember 2026', 'de', 'day 2026-12-24'],
  ['1er août 2026', 'fr', 'day 2026-08-01'],
  ['24 de diciembre de 2026', 'es', 'day 2026-12-24'],
  ['24 de dezembro de 2026', 'pt-BR', 'day 2026-12-24'],
  ['1 marca 2026', 'pl', 'day 2026-03-01'],
  ['24 grudnia 2026', 'pl', 'day 2026-12-24'],
  ['24 декабря 2026', 'ru', 'day 2026-12-24'],
  // A language that writes dates with this sign decides which is the day.
  ['03/04/2026', 'en-GB', 'day 2026-04-03'],
  ['03/04/2026', 'fr', 'day 2026-04-03'],
  ['03/04/2026', 'en-US', 'day 2026-03-04'],
  ['03-04-2026', 'nl', 'day 2026-04-03'],
  ['03.04.2026', 'en', 'day 2026-04-03'],
])('%j under %s is %s', (text, locale, expected) => {
  expect(day(text, locale)).toBe(expected)
})

test.each([
  ['03/04/2026', undefined],
  ['03/04/2026', 'en'],
  ['03/04/2026', 'de'],
  ['03-04-2026', 'fr'],
  ['03/04/2026 19:00', undefined],
])('%j under %s can be two days', (text, locale) => {
  expect(day(text, locale)).toEqual({ either: ['2026-04-03', '2026-03-04'] })
})

test('the same number twice is one day', () => {
  expect(day('04/04/2026')).toBe('day 2026-04-04')
})

test.each([
  ['2026-12-24 19:00', 'wall 2026-12-24T19:00'],
  ['24.12.2026, 7:05 pm', 'wall 2026-12-24T19:05'],
  ['2026-12-24T19:00+01:00', 'moment 2026-12-24T18:00'],
  ['Dec 24, 2026 19:00', 'wall 2026-12-24T19:00'],
])('%j is %s', (text, expected) => {
  expect(day(text)).toBe(expected)
})

test.each([
  '',
  '31.02.2026',
  '2026-02-30',
  '2026-13-01',
  '31/31/2026',
  '24.12.26',
  '24-Dec-26',
  '24 Foo 2026',
  '2026',
  '1234.5',
  '12/2026',
  '2026-12-24 25:00',
  '2026-12-24x',
  '2026-12/24',
])('%j is not a date', (text) => {
  expect(day(text)).toBeUndefined()
})

test('blanks without end are refused at once', () => {
  for (const text of [`24 ${' '.repeat(200_000)}x`, `24 Dec${' '.repeat(200_000)}`, 'a'.repeat(200_000)]) {
    const read = day(text)
    expect(read).toBeUndefined()
  }
})

test('what a language writes is read back as that day, or can be it', () => {
  const locales = ['en', 'en-US', 'en-GB', 'de', 'fr', 'es', 'it', 'pl', 'ru', 'nl', 'sv', 'pt-BR', 'tr', 'id', 'cs']
  fc.assert(
    fc.property(
      fc.constantFrom(...locales),
      fc.integer({ min: 0, max: 40_000 }),
      fc.constantFrom('numeric' as const, 'long' as const),
      (locale, days, month) => {
        const at = new Date(days * 86_400_000)
        const text = new Intl.DateTimeFormat(locale, {
          year: 'numeric',
          month,
          day: 'numeric',
          timeZone: 'UTC',
        }).format(at)
        const read = parseDate(text, locale)
        // Some languages write words that are not read; none may be read as another day.
        if (read === undefined) return
        const iso = at.toISOString().slice(0, 10)
        if ('either' in read) expect(read.either).toContain(iso)
        else expect(read.at.toISOString().slice(0, 10)).toBe(iso)
      },
    ),
  )
})
