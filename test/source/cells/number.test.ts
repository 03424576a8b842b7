/** Numbers as people write them: read where they can be one number only, and never guessed. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { marksOf, parseNumber, parseNumberStrictly } from '../../../src/source/cells/number.ts'

const read = (text: string, locale?: string) => parseNumber(text, marksOf(locale))

test.each<[string, number]>([
  ['950', 950],
  ['-5', -5],
  ['−5', -5],
  ['01067', 1067],
  ['1234.5', 1234.5],
  ['1234,5', 1234.5],
  ['0.125', 0.125],
  ['0,125', 0.125],
  ['.5', 0.5],
  ['1234.567', 1234.567],
  ['1,234.50', 1234.5],
  ['1.234,50', 1234.5],
  ["1'234.50", 1234.5],
  ['1’234.50', 1234.5],
  ['1 234,50', 1234.5],
  ['1\u00A0234\u202F567,5', 1234567.5],
  ['1.234.567', 1234567],
  ["1'234", 1234],
  ['12.5 %', 0.125],
  ['€5.00', 5],
  ['5,00 €', 5],
  ['-$1,234.50', -1234.5],
  ['CHF 12.50', 12.5],
  ['12.50 EUR', 12.5],
])('%j is one number, whatever the language', (text, number) => {
  for (const locale of [undefined, 'en', 'de', 'fr', 'de-CH', 'hi'])
    expect(read(text, locale)).toMatchObject({ number })
})

test.each<[string, string | undefined, unknown]>([
  ['1.234', undefined, { either: [1.234, 1234] }],
  ['-12,500', undefined, { either: [-12.5, -12500] }],
  ['1.234', 'de', { number: 1234 }],
  ['1.234', 'en', { number: 1.234 }],
  ['1,234', 'en', { number: 1234 }],
  ['1,234', 'de', { number: 1.234 }],
  ['12.500', 'tr', { number: 12500 }],
  ['3.400', 'id', { number: 3400 }],
  // Swiss and Polish use neither of these signs for both.
  ['1,234', 'de-CH', { either: [1.234, 1234] }],
  ['1.234', 'pl', { either: [1.234, 1234] }],
  ['12,34,567', 'en-IN', { number: 1234567 }],
  ['12,34,567.50', 'hi', { number: 1234567.5 }],
  ['12,34,567', undefined, { either: [1234567] }],
  ['12,34,567', 'en', { either: [1234567] }],
])('%j under %s', (text, locale, expected) => {
  expect(read(text, locale)).toEqual(expected)
})

test.each([
  '',
  ' ',
  'abc',
  'n/a',
  '1e5',
  '0x10',
  '1.2.3',
  '24.12.2026',
  '192.168.0.1',
  '1,23,45',
  '12 34',
  '+49 351 1234',
  '1.234,567,8',
  "1'23",
  '1.234.56',
  '--5',
  '-5-',
  '5 $ €',
  'ABC 123',
  '5.',
  '1,,2',
])('%j is not a number', (text) => {
  for (const locale of [undefined, 'en', 'de']) expect(read(text, locale)).toBeUndefined()
})

test('blanks and digits without end are refused at once', () => {
  for (const text of [`1${' '.repeat(200_000)}x`, '1'.repeat(200_000), `${'1,'.repeat(100_000)}1`]) {
    expect(read(text)).toBeUndefined()
  }
})

describe('what a language writes', () => {
  const locales = ['en', 'de', 'fr', 'es', 'it', 'pt-BR', 'pl', 'sv', 'de-CH', 'de-AT', 'tr', 'id', 'en-IN', 'hi', 'ru']

  test('is read back under its locale, and never as another number without one', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...locales),
        fc.integer({ min: -1e12, max: 1e12 }),
        fc.integer({ min: 0, max: 4 }),
        (locale, units, digits) => {
          const number = units / 10 ** digits
          const options = { minimumFractionDigits: digits, maximumFractionDigits: digits }
          const text = new Intl.NumberFormat(locale, options).format(number)
          const known = read(text, locale)
          expect(known).toEqual({ number })
          const unknown = read(text)
          if (unknown === undefined) throw new Error(`${text} is not read`)
          if ('either' in unknown) expect(unknown.either).toContain(number)
          else expect(unknown.number).toBe(number)
        },
      ),
    )
  })

  test('is never read otherwise where the marks are laid down', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[\d.,' ]{1,12}$/), fc.constantFrom('.', ','), (text, decimal) => {
        const marks = { decimal, group: decimal === '.' ? ',' : '.', pairs: false }
        const strict = parseNumberStrictly(text, marks)
        if (strict === undefined || 'either' in strict) return
        const whole = text.trim().split(decimal)[0]?.replace(/\D/g, '') ?? ''
        expect(Math.trunc(strict.number)).toBe(Number(whole))
      }),
    )
  })
})
