import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseAddress } from '../../../src/message/address/address.ts'

const LABEL63 = 'a'.repeat(63)

describe('an address that people have is valid', () => {
  test.each([
    ['ada@example.com', 'ada@example.com'],
    ["o'brien+news@mail.example.co.uk", "o'brien+news@mail.example.co.uk"],
    ['123@456.example', '123@456.example'],
    ['_@x.example', '_@x.example'],
    ['ADA@EXAMPLE.COM', 'ADA@EXAMPLE.COM'],
    ['ada@xn--bcher-kva.example', 'ada@xn--bcher-kva.example'],
    ['ada@bücher.example', 'ada@xn--bcher-kva.example'],
    ['ada@faß.example', 'ada@xn--fa-hia.example'],
    ['ada@例え。jp', 'ada@xn--r8jz45g.jp'],
    [`${'a'.repeat(64)}@example.com`, `${'a'.repeat(64)}@example.com`],
    [`ada@${LABEL63}.example`, `ada@${LABEL63}.example`],
    ['ada@a.b.c.d.e.f.g.h.io', 'ada@a.b.c.d.e.f.g.h.io'],
  ])('%s', (text, wire) => {
    expect(parseAddress(text)).toEqual({ kind: 'valid', mailbox: { address: text, wire, needsSmtputf8: false } })
  })

  test.each(['我買@屋企.香港', 'jürgen@example.com', 'δοκιμή@παράδειγμα.gr', 'संपर्क@डाटामेल.भारत'])(
    '%s, where the server speaks SMTPUTF8',
    (text) => {
      const parsed = parseAddress(text)
      expect(parsed).toMatchObject({ kind: 'valid', mailbox: { needsSmtputf8: true } })
      const wire = parsed.kind === 'invalid' ? '' : parsed.mailbox.wire
      expect(wire.slice(wire.indexOf('@'))).toMatch(/^@[a-z0-9.-]+$/)
    },
  )

  test('a decomposed letter is composed, as RFC 6532 asks', () => {
    expect(parseAddress('ju\u0308rgen@example.com')).toMatchObject({ mailbox: { wire: 'jürgen@example.com' } })
  })
})

describe('an address that the standard allows and hardly anybody has is said to be unlikely', () => {
  test.each([
    ['ada@localhost', 'no dot'],
    ['"ada lovelace"@example.com', 'quoted'],
    ['"a@b"@example.com', 'quoted'],
    ['ada@[192.0.2.1]', 'IP address'],
    ['ada@[IPv6:2001:db8::1]', 'IP address'],
    ['user%other.example@example.com', 'relay'],
    ['host!user@example.com', 'relay'],
    ['ada@pаypal.example', 'several scripts'],
  ])('%s: %s', (text, why) => {
    expect(parseAddress(text)).toMatchObject({ kind: 'unlikely', why: expect.stringContaining(why) })
  })
})

describe('what is not an address is refused with the rule that it breaks', () => {
  test.each([
    ['', 'empty'],
    ['ada', "no '@'"],
    ['@example.com', 'nothing before'],
    ['ada@', 'nothing after'],
    ['ada@@example.com', "more than one '@'"],
    ['ada@b@example.com', "more than one '@'"],
    ['ada lovelace@example.com', 'a space before'],
    ['ada@exam ple.com', 'a space in the domain'],
    [' ada@example.com', 'space at its edge'],
    ['ada\u00A0@example.com', 'a space before'],
    ['.ada@example.com', 'dot'],
    ['a..da@example.com', 'two dots'],
    ['ada@example..com', 'two dots'],
    ['ada@.example.com', 'dot'],
    ['ada@example.com.', 'dot'],
    ['ada@-example.com', "'-'"],
    ['ada@exam_ple.com', "'_'"],
    ['ada@example,com', "',' is not allowed in a domain"],
    ['ada,b@example.com', "',' is not allowed before"],
    ['ada@192.0.2.1', 'ends in a number'],
    ['ada@[192.0.2.999]', 'not an IP address'],
    ['ada@[IPv6:fe80::1%eth0]', 'not an IP address'],
    ['<ada@example.com>', 'angle brackets'],
    ['<a@example.com>,<c@example.net>', 'more than one address'],
    ['a@example.com,c@example.net', 'more than one address'],
    ['a@example.com; c@example.net', 'more than one address'],
    ['a@example.com c@example.net', 'more than one address'],
    ['Friends: a@example.com;', 'group'],
    ['undisclosed-recipients:;', 'group'],
    ['@relay.example:ada@example.com', 'route'],
    ['<@relay.example:ada@example.com>', 'route'],
    ['mailto:ada@example.com', 'mailto:'],
    ['ada(work)@example.com', 'comment'],
    ['ada@example.com (Ada)', 'a space in the domain'],
    ['=?utf-8?q?ada?=@example.com', 'encoded word'],
    ['ada@example.com\r\nRCPT TO:<eve@example.net>', 'line break'],
    ['ada@example.com>\r\nRCPT TO:<eve@example.net', 'line break'],
    ['ada@example.com\n', 'line break'],
    ['ada\u0000@example.com', 'U+0000'],
    ['ada\u2028@example.com', 'U+2028'],
    ['ada\u200B@example.com', 'U+200B'],
    ['ada\u202Emoc@example.com', 'U+202E'],
    ['"ada\u0007"@example.com', 'U+0007'],
    ['ada\uD800@example.com', 'U+D800'],
    ['j\uFFFDrgen@example.com', 'wrong encoding'],
    ['ada＠example.com', "in place of '@'"],
    ['ada，eve@example.com', "in place of ','"],
    ['ada@ｅxample.com', 'look-alikes'],
    ['"ada@example.com', 'not closed'],
    ['"a"b"@example.com', 'not closed'],
    [`${'a'.repeat(65)}@example.com`, '64 bytes'],
    [`${'ü'.repeat(33)}@example.com`, '64 bytes'],
    [`ada@${LABEL63}a.example`, '63 bytes'],
    [`ada@${`${LABEL63}.`.repeat(4)}example`, '253 bytes'],
    [`${'a'.repeat(64)}@${`${'b'.repeat(47)}.`.repeat(4)}exam`, '254 bytes'],
    [`ada@${'ü'.repeat(70)}.example`, '63 bytes'],
    ['ada@ü.example/x.org', "'/' is not allowed in a domain"],
    ['ada@ü.example?x.org', "'?' is not allowed in a domain"],
    ['ada@ü%41.example', "'%' is not allowed in a domain"],
    ['ada@١.example٠', 'international'],
  ])('%j: %s', (text, why) => {
    expect(parseAddress(text)).toEqual({ kind: 'invalid', why: expect.stringContaining(why) })
  })
})

test('a cell of megabytes is refused without being searched', () => {
  expect(parseAddress(`${'a@'.repeat(5_000_000)}b`)).toMatchObject({ kind: 'invalid' })
})

test('whatever is accepted is one address without a letter that a protocol could stumble over', () => {
  const alphabet = fc.constantFrom(...'ab1.@"\\<>,;:()[] \r\n\t\u0000%!-_é＠\u202E\u0301ß例'.split(''))
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.array(alphabet, { maxLength: 16 }).map((letters) => letters.join('')),
    fc.emailAddress(),
    fc
      .tuple(fc.array(alphabet, { maxLength: 6 }), fc.array(alphabet, { maxLength: 8 }))
      .map(([local, domain]) => `a${local.join('')}@${domain.join('')}b.example`),
  )
  let accepted = 0
  fc.assert(
    fc.property(text, (address) => {
      const parsed = parseAddress(address)
      if (parsed.kind === 'invalid') return
      accepted++
      const { wire } = parsed.mailbox
      const at = wire.lastIndexOf('@')
      const [local, domain] = [wire.slice(0, at), wire.slice(at + 1)]
      expect(domain).toMatch(/^(?:[a-z0-9-]+\.)*[a-z0-9-]+$|^\[(?:IPv6:)?[0-9a-f.:]+\]$/i)
      expect(local).toMatch(/^"(?:[^"\\\p{C}]|\\[ -~])*"$|^[^\s\p{C}"(),:;<>@[\]\\]+$/u)
      expect(Buffer.byteLength(local)).toBeLessThanOrEqual(64)
      expect(Buffer.byteLength(wire)).toBeLessThanOrEqual(254)
    }),
    { numRuns: 4_000 },
  )
  expect(accepted).toBeGreaterThan(500)
})

const CORPUS = resolve(import.meta.dirname, '../../../../shared/corpora/addresses/isemail-tests.xml')

/** Where we say no and isemail does not say that the address is wrong, or say less than a plain yes where it does. */
const REASONS: Readonly<Record<string, string>> = {
  ISEMAIL_CFWS: 'comments and folded space belong to header fields; RFC 5321 has no room for them in an envelope',
  ISEMAIL_DEPREC: 'obsolete forms, which RFC 5322 section 4 forbids to generate; control characters are among them',
  ISEMAIL_RFC5322: 'fits a header but breaks a rule of RFC 5321: too long, or a literal that names no machine',
  ISEMAIL_RFC5321_TLDNUMERIC: 'no top-level domain is a number (RFC 3696 section 2)',
}
const LESS_THAN_VALID: Readonly<Record<string, string>> = {
  'test@io': 'mail to a top-level domain itself: RFC 7085 advises against it',
  '!#$%&`*+/=?^`{|}~@iana.org': 'servers take % and ! for source routes and refuse them',
}

describe.skipIf(!existsSync(CORPUS))(
  'the isemail suite (skipped where the public corpora are not beside the project)',
  () => {
    const cases = existsSync(CORPUS) ? readCorpus(readFileSync(CORPUS, 'utf8')) : []

    test('nothing that it calls an error is accepted', () => {
      const errors = cases.filter(({ category }) => category === 'ISEMAIL_ERR')
      expect(errors.length).toBeGreaterThan(60)
      expect(errors.filter(({ address }) => parseAddress(address).kind !== 'invalid')).toEqual([])
    })

    test('all that it calls valid is accepted, as it is written but for the two that are named', () => {
      const valid = cases.filter(({ category }) => /VALID_CATEGORY|DNSWARN/.test(category))
      expect(valid.length).toBeGreaterThan(20)
      const parsed = valid.map(({ address }) => ({ address, kind: parseAddress(address).kind }))
      expect(parsed.filter(({ kind }) => kind === 'invalid')).toEqual([])
      expect(parsed.filter(({ kind }) => kind !== 'valid').map(({ address }) => address)).toEqual(
        Object.keys(LESS_THAN_VALID),
      )
    })

    test('what lies between is unlikely where RFC 5321 allows it, and refused for a known reason elsewhere', () => {
      const between = cases.filter(({ category }) => !/VALID_CATEGORY|DNSWARN|_ERR$/.test(category))
      expect(between.length).toBeGreaterThan(60)
      for (const { address, category, diagnosis } of between) {
        const parsed = parseAddress(address)
        const reason = REASONS[diagnosis] ?? REASONS[category]
        // An IPv6 literal in an old spelling is still a literal.
        const allowed = reason === undefined || diagnosis === 'ISEMAIL_RFC5321_IPV6DEPRECATED'
        expect({ address, kind: parsed.kind }).toEqual({ address, kind: allowed ? 'unlikely' : 'invalid' })
      }
    })
  },
)

interface Case {
  readonly address: string
  readonly category: string
  readonly diagnosis: string
}

function readCorpus(xml: string): readonly Case[] {
  const named: Readonly<Record<string, string>> = { quot: '"', lt: '<', gt: '>', apos: "'", amp: '&' }
  return [...xml.matchAll(/<test id="\d+">(.*?)<\/test>/gs)].map(([, body = '']) => {
    const field = (name: string): string => new RegExp(`<${name}>(.*?)</${name}>`, 's').exec(body)?.[1] ?? ''
    const address = field('address')
      .replace(/&#x([0-9A-F]+);/gi, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)))
      .replace(/&([a-z]+);/g, (whole, name: string) => named[name] ?? whole)
      // The suite writes control characters as their pictures.
      .replace(/[\u2400-\u241F]/g, (picture) => String.fromCharCode(picture.charCodeAt(0) - 0x2400))
    return { address, category: field('category'), diagnosis: field('diagnosis') }
  })
}
