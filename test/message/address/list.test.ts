import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseRecipient } from '../../../src/message/address/address.ts'
import { type AddressList, parseAddressList as parseMarked } from '../../../src/message/address/list.ts'
import { unmark } from '../../../src/template/marked-text.ts'
import { value as hole, marked } from '../../support/marked.ts'

const parseAddressList = (text: string, options?: { readonly several?: boolean }): AddressList =>
  parseMarked(marked(text), options)

/** What the template engine makes of `{{value}}` in an address field. */
const found = (marked: string, several = false): readonly string[] => {
  const { mailboxes, faults } = parseAddressList(marked, { several })
  return [...mailboxes.map(({ name, wire }) => (name === undefined ? wire : `${name} | ${wire}`)), ...faults]
}

describe('the template may write what RFC 5322 allows in a list', () => {
  test.each<[string, readonly string[]]>([
    ['ada@example.com', ['ada@example.com']],
    ['Ada <ada@example.com>, bob@example.com', ['Ada | ada@example.com', 'bob@example.com']],
    ['"Lovelace, Ada" <ada@example.com>; bob@example.com', ['Lovelace, Ada | ada@example.com', 'bob@example.com']],
    ['"The \\"Count\\"" <ada@example.com>', ['The "Count" | ada@example.com']],
    ['<ada@example.com>', ['ada@example.com']],
    ['"a, b"@example.com', ['"a, b"@example.com']],
    ['Ada <"a>b,c"@example.com>', ['Ada | "a>b,c"@example.com']],
    ['Ada <ada@bücher.example>,', ['Ada | ada@xn--bcher-kva.example']],
    ['', []],
    [' , ;', []],
  ])('%s', (text, expected) => {
    expect(found(text)).toEqual(expected)
  })

  test.each([
    ['Ada <ada@example.com', "'<' has no '>'"],
    ['"Ada <ada@example.com>', 'quote is not closed'],
    ['Ada <ada@example.com> Lovelace', "after the '>'"],
    ['ada at example.com', "no '@'"],
    ['Ada <>', 'empty'],
  ])('%s: %s', (text, fault) => {
    const { mailboxes, faults } = parseAddressList(text)
    expect(mailboxes).toEqual([])
    expect(faults).toEqual([expect.stringContaining(fault)])
  })
})

describe('a value is what its place makes of it', () => {
  test.each<[string, readonly string[]]>([
    [`${hole('Ada')} <${hole('ada@example.com')}>`, ['Ada | ada@example.com']],
    [`${hole('<eve@evil.example>,')} <ada@example.com>`, ['<eve@evil.example>, | ada@example.com']],
    [`"${hole('x" <eve@evil.example>, "')}" <ada@example.com>`, ['x" <eve@evil.example>, " | ada@example.com']],
    [`"${hole('back\\')}" <ada@example.com>`, ['back\\ | ada@example.com']],
    [`${hole('Ada')} ${hole('Lovelace')} <ada@example.com>`, ['Ada Lovelace | ada@example.com']],
    [`${hole('ada')}@${hole('example.com')}`, ['ada@example.com']],
    [`${hole('ada')}.${hole('l')}@example.com`, ['ada.l@example.com']],
    [hole('Ada <ada@example.com>'), ['Ada | ada@example.com']],
    [hole(' ada@example.com\r\n'), ['ada@example.com']],
    [`${hole('')}, ${hole('bob@example.com')}`, ['bob@example.com']],
    [`${hole('')} <${hole('')}>`, []],
    [`"${hole('')}" <${hole('')}>`, []],
    [hole(''), []],
  ])('%j', (marked, expected) => {
    expect(found(marked)).toEqual(expected)
  })

  test.each([
    [`Ada <${hole('ada@example.com>, <eve@evil.example')}>`],
    [`Ada <${hole('Ada <ada@example.com>')}>`],
    [`${hole('ada@evil.example,x')}@example.com`],
    [`ada@${hole('example.com, eve@evil.example')}`],
    [`ada@${hole('example.com>,<eve@evil.example')}`],
    [hole('ada@example.com, eve@evil.example')],
    [hole('<ada@example.com>,<eve@evil.example>')],
    [hole('Friends: ada@example.com, eve@evil.example;')],
    [hole('ada@example.com\r\nBcc: eve@evil.example')],
    [`${hole('ada@example.com')} ${hole('eve@evil.example')}`],
    [`${hole('Ada')} <${hole('')}>`],
  ])('%j is a fault and no recipient', (marked) => {
    const { mailboxes, faults } = parseAddressList(marked)
    expect(mailboxes).toEqual([])
    expect(faults).toHaveLength(1)
  })

  test('a fault shows the value on one short line', () => {
    const [fault = ''] = parseAddressList(hole(`ada\r\n\u202E${'x'.repeat(500)}`)).faults
    expect(fault).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    expect(fault.length).toBeLessThan(200)
  })
})

describe('a copies column may hold several', () => {
  test.each<[string, readonly string[]]>([
    ['bob@example.com; cy@example.com', ['bob@example.com', 'cy@example.com']],
    ['Bob <bob@example.com>, "Cy, Jr." <cy@example.com>,', ['Bob | bob@example.com', 'Cy, Jr. | cy@example.com']],
    ['', []],
  ])('%j', (value, expected) => {
    expect(found(hole(value), true)).toEqual(expected)
    expect(found(`${hole(value)}, boss@example.com`, true)).toEqual([...expected, 'boss@example.com'])
  })

  test('each is one mailbox or a fault', () => {
    expect(found(hole('bob@example.com, a b@example.com'), true)).toEqual([
      'bob@example.com',
      "'a b@example.com' is not an address: it has a space before the '@'",
    ])
    expect(parseAddressList(hole('"<a@example.com>, <b@example.com>'), { several: true }).mailboxes.length).toBe(1)
  })

  test('but not inside brackets or beside an @', () => {
    expect(parseAddressList(`<${hole('a@example.com,b@example.com')}>`, { several: true }).mailboxes).toEqual([])
    expect(parseAddressList(`${hole('a@example.com,b')}@example.com`, { several: true }).mailboxes).toEqual([])
  })

  test('a cell of megabytes is refused at once', () => {
    const { mailboxes, faults } = parseAddressList(hole('a@b.example,'.repeat(500_000)), { several: true })
    expect(mailboxes).toEqual([])
    expect(faults).toEqual([expect.stringContaining('too long')])
  })
})

test('no value adds a recipient, wherever the template puts it', () => {
  const pieces = fc.constantFrom(
    '<',
    '>',
    ',',
    ';',
    ':',
    '"',
    '\\',
    '@',
    ' ',
    '\r\n',
    '(',
    ')',
    'eve@evil.example',
    'x',
    'é',
  )
  const value = fc.oneof(
    fc.array(pieces, { maxLength: 10 }).map((some) => some.join('')),
    fc.string({ unit: 'binary', maxLength: 20 }).map((text) => unmark(marked(text))),
  )
  const places: readonly ((value: string) => string)[] = [
    (v) => `${hole(v)} <ada@example.com>`,
    (v) => `"${hole(v)}" <ada@example.com>`,
    (v) => `Ada ${hole(v)} L. <ada@example.com>`,
  ]
  fc.assert(
    fc.property(value, fc.constantFrom(...places), fc.boolean(), (v, place, several) => {
      const { mailboxes, faults } = parseAddressList(place(v), { several })
      expect(faults).toEqual([])
      expect(mailboxes.map(({ wire }) => wire)).toEqual(['ada@example.com'])
      expect(mailboxes[0]?.name ?? '').toContain(v.trim())
    }),
    { numRuns: 1_500 },
  )
  const bound: readonly ((value: string) => string)[] = [
    (v) => `Ada <${hole(v)}>`,
    (v) => `Ada <${hole(v)}@example.com>`,
    (v) => `${hole(v)}@example.com`,
    (v) => `ada@${hole(v)}`,
    (v) => hole(v),
  ]
  fc.assert(
    fc.property(value, fc.constantFrom(...bound), (v, place) => {
      expect(parseAddressList(place(v)).mailboxes.length).toBeLessThanOrEqual(1)
    }),
    { numRuns: 1_500 },
  )
})

describe('a cell is one recipient', () => {
  test.each<[string, string | undefined, string]>([
    ['ada@example.com', undefined, 'ada@example.com'],
    ['  ada@example.com\u00A0', undefined, 'ada@example.com'],
    ['<ada@example.com>', undefined, 'ada@example.com'],
    ['Ada Lovelace <ada@example.com>', 'Ada Lovelace', 'ada@example.com'],
    ['Lovelace, Ada <ada@example.com>', 'Lovelace, Ada', 'ada@example.com'],
    ['"Lovelace, Ada" <ada@example.com>', 'Lovelace, Ada', 'ada@example.com'],
    ['"ada@example.com" <ada@example.com>', 'ada@example.com', 'ada@example.com'],
    ['ada@example.com <ada@example.com>', undefined, 'ada@example.com'],
    ["'ada@example.com' <Ada@example.com>", undefined, 'Ada@example.com'],
    ['Zoë (work) < ada@bücher.example >', 'Zoë (work)', 'ada@xn--bcher-kva.example'],
  ])('%j', (cell, name, wire) => {
    expect(parseRecipient(cell)).toMatchObject({ mailbox: { wire, ...(name === undefined ? {} : { name }) } })
    const read = parseRecipient(cell)
    expect('mailbox' in read && read.mailbox.name).toBe(name)
  })

  test.each([
    ['ada@example.com, bob@example.com', 'more than one address'],
    ['<a@example.com>,<c@example.net>', 'more than one address'],
    ['Ada <a@example.com>, Bob <b@example.com>', 'more than one address'],
    ['eve@evil.example <ada@example.com>', 'more than one address'],
    ['"Ada" eve@evil.example <ada@example.com>', 'more than one address'],
    ['Ada: <ada@example.com>', 'quotes'],
    ['Ada <ada@example.com> x', "a space before the '@'"],
    ['Ada <ada>', "no '@'"],
    ['Ada\r\nBcc: eve@evil.example <ada@example.com>', 'line break'],
    ['Ad\u202Ea <ada@example.com>', 'U+202E'],
    ['#N/A', "no '@'"],
    ['', 'empty'],
  ])('%j: %s', (cell, fault) => {
    expect(parseRecipient(cell)).toEqual({ fault: expect.stringContaining(fault) })
  })
})

test('a cell of megabytes is not a recipient and costs nothing', () => {
  expect(parseRecipient(`a${' '.repeat(3_000_000)}b <x>`)).toEqual({ fault: expect.stringContaining('254 bytes') })
})
