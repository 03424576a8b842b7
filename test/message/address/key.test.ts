import { expect, test } from 'vitest'
import { gmailKey, normalizeAddress, parseAddress } from '../../../src/message/address/address.ts'
import { addressDoubts, isRoleAddress, reservedDomain, suggestDomain } from '../../../src/message/address/typos.ts'

test.each([
  ['Ada@Example.COM', 'ada@example.com'],
  [' ada@example.com ', 'ada@example.com'],
  ['ada@BÜCHER.example', 'ada@xn--bcher-kva.example'],
  ['ada@bu\u0308cher.example', 'ada@xn--bcher-kva.example'],
  ['JU\u0308RGEN@example.com', 'jürgen@example.com'],
  ['"ada.l"@example.com', 'ada.l@example.com'],
  ['"Ada L"@example.com', '"ada l"@example.com'],
  ['"a\\d\\a"@example.com', 'ada@example.com'],
  ['not an address', 'not an address'],
])('%j and %j are one person', (typed, key) => {
  expect(normalizeAddress(typed)).toBe(key)
  expect(normalizeAddress(key)).toBe(key)
})

test('dots and what follows a plus do not count at Gmail, and do elsewhere', () => {
  expect(gmailKey('A.da+News@googlemail.com')).toBe('ada@gmail.com')
  expect(gmailKey('a.da+news@example.com')).toBe('a.da+news@example.com')
})

test.each([
  ['gmial.com', 'gmail.com'],
  ['gamil.com', 'gmail.com'],
  ['gnail.com', 'gmail.com'],
  ['GMAIL.CON', 'gmail.com'],
  ['gmail.co', 'gmail.com'],
  ['gmaill.com', 'gmail.com'],
  ['gmial.con', 'gmail.com'],
  ['gmailcom', 'gmail.com'],
  ['gmail', 'gmail.com'],
  ['hotmial.com', 'hotmail.com'],
  ['hotmail.con', 'hotmail.com'],
  ['outlok.com', 'outlook.com'],
  ['yaho.com', 'yahoo.com'],
  ['yahooo.co.uk', 'yahoo.co.uk'],
  ['iclould.com', 'icloud.com'],
  ['freenet.ed', undefined],
  ['firm-of-ann.com.com', 'firm-of-ann.com'],
  ['firm.co.uk.uk', 'firm.co.uk'],
  ['a-very-long-name-of-a-domain-indeed.example.de.de', 'a-very-long-name-of-a-domain-indeed.example.de'],
  ['web.deu', 'web.de'],
  ['Firm.CON', 'firm.com'],
  ['mail.firm.nett', 'mail.firm.net'],
  ['t-onlin.de', 't-online.de'],
  ['wanado.fr', 'wanadoo.fr'],
])('%s is a slip for %s', (typed, meant) => {
  expect(suggestDomain(typed)).toBe(meant)
})

test.each([
  'gmail.com',
  'mail.com',
  'ymail.com',
  'gmx.net',
  'gmx.at',
  'me.com',
  'we.com',
  'cloud.com',
  'rodgers.com',
  'example.com',
  'yahoo.fr',
  'bol.com',
  'com.com',
  'firm.com.de',
  'firm.dev',
  'firm.co',
  'firm.cm',
  'con.firm.org',
])('%s is taken as it is', (domain) => {
  expect(suggestDomain(domain)).toBeUndefined()
})

test('roles and reserved domains are distinguished from people', () => {
  expect(['info@x.example', 'No-Reply@x.example', 'sales+eu@x.example'].map(isRoleAddress)).toEqual([true, true, true])
  expect(['ada@x.example', 'information.ada@x.example'].map(isRoleAddress)).toEqual([false, false])
  expect(
    ['a.invalid', 'example.com', 'mail.example.org', 'printer.local'].map((d) => reservedDomain(d) !== undefined),
  ).toEqual([true, true, true, true])
  expect(['examples.com', 'myexample.com', 'test.com', 'alt.de'].map(reservedDomain)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ])
})

test('advice says what is odd and what to write, and changes nothing', () => {
  const parsed = parseAddress('info@gmial.com')
  if (parsed.kind === 'invalid') throw new Error(parsed.why)
  expect(addressDoubts(parsed.mailbox)).toEqual([
    {
      code: 'domain-typo',
      text: expect.stringContaining('gmail.com'),
      hint: expect.stringContaining('info@gmail.com'),
    },
    { code: 'role-address', text: expect.stringContaining("'info'"), hint: expect.any(String) },
  ])
  expect(parsed.mailbox.wire).toBe('info@gmial.com')
})
