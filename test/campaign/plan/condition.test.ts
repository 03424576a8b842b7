import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseCondition } from '../../../src/campaign/plan/condition.ts'
import { UsageError } from '../../../src/errors.ts'

const columns = ['name', 'city', 'age', 'first name', 'born', 'expires', 'not', 'in']
const READING = { locale: undefined, timeZone: undefined, today: '2027-01-31' }

function holds(condition: string, row: Readonly<Record<string, string>>, today = READING.today): boolean {
  return parseCondition(condition, columns, { ...READING, today }).holds(row)
}

test.each([
  ['city=Paris or city=Rome', { city: 'Rome' }, true],
  ['city=Paris or city=Rome', { city: 'Paris or city' }, false],
  ['city=Paris and age>=18', { city: 'Paris', age: '17' }, false],
  // "and" binds closer than "or".
  ['city=Rome or city=Paris and age>=18', { city: 'Rome', age: '3' }, true],
  ['(city=Rome or city=Paris) and age>=18', { city: 'Rome', age: '3' }, false],
  ['not city=Rome', { city: 'Paris' }, true],
  ['NOT (city=Rome OR city=Paris) AND age=3', { city: 'Bonn', age: '3' }, true],
  ['city in (Paris, Rome)', { city: 'Rome' }, true],
  ['city in (Paris, Rome)', { city: 'Bonn' }, false],
  ['city not in (Paris, Rome)', { city: 'Bonn' }, true],
  ["city in ('Paris, Texas', Rome)", { city: 'Paris, Texas' }, true],
  ['age in (1, 2.0)', { age: '2' }, true],
  ['name contains ann', { name: 'Joanna' }, true],
  ['not name contains ann', { name: 'Joe' }, true],
  ['name is empty', { name: ' ' }, true],
  ['name is not empty and age > 3', { name: 'Ann', age: '4' }, true],
  ['city=', { city: '' }, true],
  ['city= and age=3', { city: '', age: '3' }, true],
  // A value runs to the next "and" or "or"; brackets in it are its own.
  ['name=Smith (Jr)', { name: 'Smith (Jr)' }, true],
  ['(name=Smith (Jr))', { name: 'Smith (Jr)' }, true],
  ['city=New York and age=3', { city: 'New York', age: '3' }, true],
  ['city=Andorra', { city: 'Andorra' }, true],
  ['name="Tom and Jerry"', { name: 'Tom and Jerry' }, true],
  ["name='O''Neil'", { name: "O'Neil" }, true],
  ["name=O'Neil", { name: "O'Neil" }, true],
  ['first name=Ann', { 'first name': 'Ann' }, true],
  ['"first name"=Ann and "city" in (Bonn)', { 'first name': 'Ann', city: 'Bonn' }, true],
  // Columns that are called like a word of the language.
  ['not=x', { not: 'x' }, true],
  ['not not=x', { not: 'y' }, true],
  ['in in (x, y)', { in: 'y' }, true],
] as const)('%s of %j is %s', (condition, row, expected) => {
  expect(holds(condition, row)).toBe(expected)
})

describe('days', () => {
  test.each([
    ['expires <= today+30d', '2027-03-02', true],
    ['expires <= today+30d', '2027-03-03', false],
    ['expires<today', '2027-01-30', true],
    ['expires=today', '31 Jan 2027', true],
    ['expires = today - 2w', '2027-01-17', true],
    ['expires=today+1m', '2027-02-28', true],
    ['expires=today-1y', '2026-01-31', true],
    ['expires=today + 1 month', '2027-02-28', true],
    ['expires=today - 2 weeks', '2027-01-17', true],
    ['expires=today+2h', '2027-01-31', false],
    ['expires in (today, today+1d)', '2027-02-01', true],
    ['expires<today', '', false],
  ])('%s of %s is %s when it is 31 January 2027', (condition, cell, expected) => {
    expect(holds(condition, { expires: cell })).toBe(expected)
  })

  test('a quoted word is a word, and a list may hold the word itself', () => {
    expect(holds("city='today'", { city: 'today' })).toBe(true)
    expect(holds("city='today'", { city: '2027-01-31' })).toBe(false)
    expect(holds('city=today', { city: 'today' })).toBe(true)
  })

  test.each([
    ['1980-01-31', '2027-01-31', true],
    ['1980-01-30', '2027-01-31', false],
    ['31.01.', '2027-01-31', true],
    ['31 Jan', '2027-01-31', true],
    ['--01-31', '2027-01-31', true],
    ['', '2027-01-31', false],
    // Nobody born on 29 February is left out in the other years.
    ['1980-02-29', '2027-02-28', true],
    ['1980-02-29', '2028-02-28', false],
    ['1980-02-29', '2028-02-29', true],
  ])('the birthday %s on %s: %s', (born, today, expected) => {
    expect(holds('born is today', { born }, today)).toBe(expected)
    expect(holds('born is not today', { born }, today)).toBe(!expected)
  })

  test('birthdays can be looked for ahead', () => {
    expect(holds('born is today+7d', { born: '1980-02-07' })).toBe(true)
  })

  test('a birthday that can be two days, or is none, is an error of its row', () => {
    for (const born of ['03/04', 'soon']) {
      expect(() => holds('born is today', { born })).toThrow(/^the condition born is today cannot be decided: '/)
    }
  })
})

test('what decides first decides: a guard keeps what comes after it from being asked', () => {
  expect(holds('name=x or age>3', { name: 'x', age: 'unknown' })).toBe(true)
  expect(holds('name=x and age>3', { name: 'y', age: 'unknown' })).toBe(false)
  expect(() => holds('name=x or age>3', { name: 'y', age: 'unknown' })).toThrow('the condition age>3 cannot be decided')
})

test.each([
  ['', /does not understand ''/],
  ['London', /does not understand 'London'/],
  ['city=Paris or', /from character 14 on \(''\): a condition is missing here/],
  ['name=Tom and Jerry', /from character 14 on \('Jerry'\)/],
  ['(city=Paris', /this bracket is not closed/],
  ['city in (a, b', /this bracket is not closed/],
  ['(city=Paris) age=3', /from character 14 on/],
  ['city=Paris and ctiy=Rome', /names the column 'ctiy'/],
  ['"ctiy"=Rome', /names the column 'ctiy'/],
  ["name='s-Hertogenbosch", /from character 6 on .*: this quotation mark is not closed/],
  ['city is Paris', /"is" is followed by "empty" or "today"/],
  ['age>=<3', /two comparison signs/],
  ['age>1,234', /can be read in two ways/],
])('%s is refused with its place', (condition, words) => {
  expect(() => parseCondition(condition, columns, READING)).toThrow(UsageError)
  expect(() => parseCondition(condition, columns, READING)).toThrow(words)
})

test('a condition that is too long or too deep is refused at once', () => {
  const deep = `${'('.repeat(60)}city=x${')'.repeat(60)}`
  expect(() => parseCondition(deep, columns, READING)).toThrow('nested 50 deep')
  expect(() => parseCondition('not '.repeat(5000), columns, READING)).toThrow(UsageError)
  expect(() => parseCondition(`city=${'x'.repeat(20_000)}`, columns, READING)).toThrow('longer than 10000 characters')
  const wide = Array.from({ length: 700 }, (_, at) => `city=${at}`).join(' or ')
  expect(holds(wide, { city: '699' })).toBe(true)
  for (const text of ['(', '"', "'", ' and ', 'city in (', 'not ', 'city', '\t', ',']) {
    const hostile = text.repeat(Math.floor(10_000 / text.length))
    expect(() => parseCondition(hostile, columns, READING), text).toThrow(UsageError)
  }
})

/** A condition as a tree, and what it means, written without the parser. */
type Tree =
  | { readonly column: 'city' | 'age'; readonly value: string }
  | { readonly join: 'and' | 'or'; readonly parts: readonly Tree[] }
  | { readonly not: Tree }

const tree = fc.letrec<{ tree: Tree; leaf: Tree; join: Tree; not: Tree }>((tie) => ({
  tree: fc.oneof({ maxDepth: 5 }, tie('leaf'), tie('join'), tie('not')),
  leaf: fc.record({ column: fc.constantFrom('city', 'age'), value: fc.constantFrom('1', '2', 'x and y', "it's", ')') }),
  join: fc.record({ join: fc.constantFrom('and', 'or'), parts: fc.array(tie('tree'), { minLength: 2, maxLength: 3 }) }),
  not: fc.record({ not: tie('tree') }),
})).tree

function written(one: Tree): string {
  if ('column' in one) return `${one.column}='${one.value.replaceAll("'", "''")}'`
  if ('not' in one) return `not (${written(one.not)})`
  return one.parts.map((part) => ('join' in part ? `(${written(part)})` : written(part))).join(` ${one.join} `)
}

function meaning(one: Tree, row: Readonly<Record<string, string>>): boolean {
  if ('column' in one) return row[one.column] === one.value
  if ('not' in one) return !meaning(one.not, row)
  return one.join === 'and'
    ? one.parts.every((part) => meaning(part, row))
    : one.parts.some((part) => meaning(part, row))
}

test('any condition means what its tree means', () => {
  const cell = fc.constantFrom('1', '2', 'x and y', "it's", ')', '')
  fc.assert(
    fc.property(tree, cell, cell, (one, city, age) => {
      expect(holds(written(one), { city, age })).toBe(meaning(one, { city, age }))
    }),
    { numRuns: 500 },
  )
})
