/** Helpers for numbers, money and counts. Owns their forms and the sums that mails need. */
import { quoted, StoredCell } from '../../source/cells/cell.ts'
import { compareCells, numberOf } from '../../source/cells/compare.ts'
import { readNumber } from '../../source/cells/number.ts'
import type { Helper } from '../engine/engine.ts'
import { type HelperOptions, isEmpty, itemsOf, localeOf, plain, readingOf, remembered, text } from './helper.ts'

const numberFormat = remembered(Intl.NumberFormat)
const pluralRules = remembered(Intl.PluralRules)

function read(value: unknown, options: HelperOptions): number {
  return numberOf(value, readingOf(options))
}

function formatNumber(value: unknown, options: HelperOptions, extra: Intl.NumberFormatOptions): string {
  if (isEmpty(value)) return ''
  const number = read(value, options)
  const { digits } = options.hash
  const fraction =
    digits === undefined ? {} : { minimumFractionDigits: Number(digits), maximumFractionDigits: Number(digits) }
  return numberFormat(localeOf(options), { ...extra, ...fraction }).format(number)
}

function formatCurrency([value, given]: readonly unknown[], options: HelperOptions): string {
  if (isEmpty(value)) return ''
  const currency = text(given ?? options.hash['code']).trim()
  if (!/^[A-Za-z]{3}$/.test(currency)) {
    throw new Error(
      currency === ''
        ? 'the currency is missing: {{currency amount "EUR"}}'
        : `${quoted(currency)} is not a currency code`,
    )
  }
  refuseOtherCurrency(value, currency, options)
  return formatNumber(value, options, { style: 'currency', currency })
}

/** `$5` is not five euros, whatever the template says. A stored number is shown with any sign that its cell has. */
function refuseOtherCurrency(value: unknown, code: string, options: HelperOptions): void {
  const found = readNumber(value, readingOf(options).locale)
  const written = found !== undefined && 'currency' in found ? found.currency : undefined
  if (written === undefined || signsOf(code.toUpperCase(), localeOf(options)).has(written)) return
  throw new Error(`${quoted(value)} is an amount in ${written}, not in ${code.toUpperCase()}`)
}

function signsOf(currency: string, locale: string): ReadonlySet<string> {
  const sign = (currencyDisplay: 'symbol' | 'narrowSymbol'): string =>
    numberFormat(locale, { style: 'currency', currency, currencyDisplay })
      .formatToParts(1)
      .find(({ type }) => type === 'currency')?.value ?? ''
  return new Set([currency, sign('symbol'), sign('narrowSymbol')])
}

function plural([count, ...forms]: readonly unknown[], options: HelperOptions): string {
  const { hash } = options
  const locale = localeOf(options)
  const value = Array.isArray(count) ? count.length : isEmpty(count) ? 0 : read(count, options)
  const type = hash['type'] === 'ordinal' ? 'ordinal' : 'cardinal'
  const category = pluralRules(locale, { type }).select(value)
  const named = value === 0 && hash['zero'] !== undefined ? hash['zero'] : (hash[category] ?? hash['other'])
  const form = (category === 'one' ? (hash['one'] ?? forms[0]) : (named ?? forms[1])) ?? named ?? forms.at(-1)
  return text(value === 0 && hash['zero'] !== undefined ? hash['zero'] : form).replaceAll(
    '#',
    numberFormat(locale, {}).format(value),
  )
}

/** Sums in decimal: 0.1 + 0.2 is 0.3 to the one who pays. */
function exact(value: number): number {
  return Number(value.toPrecision(15))
}

function arithmetic(operation: (a: number, b: number) => number): Helper {
  return plain((values, options) => {
    if (values.length < 2) throw new Error('it needs two numbers')
    if (values.some(isEmpty)) return ''
    const numbers = values.map((value) => read(value, options))
    const result = exact(numbers.reduce((left, right) => operation(left, right)))
    if (!Number.isFinite(result)) throw new Error('the result is not a number')
    return result
  })
}

/** What a list holds: its items, or one field of each. */
function valuesOf([list, field]: readonly unknown[]): readonly unknown[] {
  const items = itemsOf(list)
  return field === undefined ? items : items.map((item) => own(item, text(field)))
}

/** The same without what is empty. */
function filledOf(values: readonly unknown[]): readonly unknown[] {
  return valuesOf(values).filter((value) => !isEmpty(value))
}

/** `{{sum items "price"}}`, `{{sum prices}}`: exact, however many there are. */
function sum(values: readonly unknown[], options: HelperOptions): unknown {
  const total = exactSum(filledOf(values).map((value) => read(value, options)))
  const number = Number(total)
  return String(number) === total ? number : new StoredCell(number, total)
}

/** The sum of decimal numbers, with all its digits. */
function exactSum(numbers: readonly number[]): string {
  let total = 0n
  let places = 0
  for (const number of numbers) {
    const one = decimalOf(number)
    if (one.places > places) {
      total *= 10n ** BigInt(one.places - places)
      places = one.places
    }
    total += one.digits * 10n ** BigInt(places - one.places)
  }
  const digits = String(total < 0n ? -total : total).padStart(places + 1, '0')
  const fraction = places === 0 ? '' : digits.slice(-places).replace(/(?<!0)0+$/, '')
  const whole = places === 0 ? digits : digits.slice(0, -places)
  return `${total < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`
}

/** A number as it is written: all its digits, and how many of them are behind the decimal mark. */
function decimalOf(number: number): { readonly digits: bigint; readonly places: number } {
  const [, sign = '', whole = '0', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(number)) ?? []
  const digits = BigInt(sign + whole + fraction)
  const places = fraction.length - Number(exponent)
  return places >= 0 ? { digits, places } : { digits: digits * 10n ** BigInt(-places), places: 0 }
}

/** `{{average items "price"}}`, of those that are not empty. */
function average(values: readonly unknown[], options: HelperOptions): unknown {
  const numbers = filledOf(values).map((value) => read(value, options))
  return numbers.length === 0 ? '' : exact(Number(exactSum(numbers)) / numbers.length)
}

/** The least or the greatest of the numbers, dates or words of a list; of those that are alike the first. */
function extreme(isBetter: (difference: number) => boolean): Helper {
  return plain((values, options) => {
    const [first = '', ...others] = filledOf(values)
    return others.reduce(
      (best, value) => (isBetter(compareCells(value, best, readingOf(options))) ? value : best),
      first,
    )
  })
}

function countOf([list, field]: readonly unknown[]): number {
  return field === undefined ? itemsOf(list).length : filledOf([list, field]).length
}

function own(item: unknown, field: string): unknown {
  if (typeof item === 'object' && item !== null && Object.hasOwn(item, field)) return Reflect.get(item, field)
  throw new Error(`an item has no '${field}'`)
}

function round([value, digits]: readonly unknown[], options: HelperOptions): unknown {
  if (isEmpty(value)) return ''
  const places = Math.min(12, Math.max(0, Number(digits) || 0))
  return Number(`${Math.round(Number(`${read(value, options)}e${places}`))}e-${places}`)
}

export const NUMBER_HELPERS: Readonly<Record<string, Helper>> = {
  number: plain(([value], options) => formatNumber(value, options, {})),
  percent: plain(([value], options) => formatNumber(value, options, { style: 'percent' })),
  currency: plain(formatCurrency),
  plural: plain(plural),
  add: arithmetic((a, b) => a + b),
  subtract: arithmetic((a, b) => a - b),
  multiply: arithmetic((a, b) => a * b),
  divide: arithmetic((a, b) => a / b),
  round: plain(round),
  sum: plain(sum),
  average: plain(average),
  min: extreme((difference) => difference < 0),
  max: extreme((difference) => difference > 0),
  count: plain(countOf),
}
