import { isUtf8 } from 'node:buffer'
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DataError } from '../../src/errors.ts'
import { safeName } from '../../src/message/files/file-name.ts'
import { addressField, headerText, messageDate, structured, unstructured } from '../../src/message/header.ts'
import { headerValue } from './arbitraries.ts'
import { compose, faultsOf, fieldOf, hole, judge, octetsOf } from './judges.ts'
import { judgeByPython, whyNoPython } from './python-judge.ts'

const RUNS = Number(process.env['MAILMERGE_TEST_MESSAGES'] ?? 300)
const NAUGHTY = resolve(import.meta.dirname, '../../../shared/corpora/strings/blns.json')
const linesOf = (field: string): readonly string[] => field.split('\r\n').slice(0, -1)
const mailbox = (wire: string, name?: string) => ({
  address: wire,
  wire,
  needsSmtputf8: false,
  ...(name === undefined ? {} : { name }),
})

/** The values of encoded words by the letter of RFC 2047; what is not an encoded word stays. */
function decoded(value: string): string {
  return value
    .replace(/(=\?UTF-8\?[QB]\?[^?]*\?=)\s+(?==\?UTF-8\?)/g, '$1')
    .replace(/(?:=\?UTF-8\?[QB]\?[^?]*\?=)+/g, (words) => Buffer.from(decodedOctets(words), 'latin1').toString('utf8'))
}

/** The bytes in encoded words, as Latin-1. */
function decodedOctets(words: string): string {
  return [...words.matchAll(/=\?UTF-8\?([QB])\?([^?]*)\?=/g)]
    .map(([, how, text = '']) => (how === 'B' ? Buffer.from(text, 'base64').toString('latin1') : fromQ(text)))
    .join('')
}

function fromQ(text: string): string {
  return text.replaceAll('_', ' ').replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
}

describe('an unstructured field', () => {
  test('is folded within its limits, and unfolds to the value', () => {
    const name = fc.stringMatching(/^[A-Z][A-Za-z-]{0,69}$/)
    fc.assert(
      fc.property(name, headerValue, (field, value) => {
        const written = unstructured(field, headerText(field, value))
        expect(written).toMatch(/^[ -~\r\n]*\r\n$/)
        for (const line of linesOf(written)) {
          expect(line.length).toBeLessThanOrEqual(line.includes('=?UTF-8?') ? 76 : 998)
          expect(line).not.toMatch(/^\s*$/)
        }
        for (const word of written.match(/=\?UTF-8\?[^ ]*\?=/g) ?? []) {
          expect(word.length).toBeLessThanOrEqual(75)
          // Whole characters in each (RFC 2047 section 5).
          expect(isUtf8(Buffer.from(decodedOctets(word), 'latin1'))).toBe(true)
        }
        const unfolded = written
          .slice(field.length + 1)
          .replaceAll('\r\n', '')
          .trim()
        expect(decoded(unfolded)).toBe(value.toWellFormed().replaceAll('\t', ' ').trim())
      }),
      { numRuns: RUNS },
    )
  })

  test('keeps plain words as they are, with every space', () => {
    expect(unstructured('Subject', 'Hello  you')).toBe('Subject: Hello  you\r\n')
    expect(unstructured('Subject', '')).toBe('Subject: \r\n')
    const long = `${'word '.repeat(30)}  end`
    const written = unstructured('Subject', long)
    expect(linesOf(written).every((line) => line.length <= 78)).toBe(true)
    expect(written.replaceAll('\r\n', '')).toBe(`Subject: ${long}`)
  })

  test('encodes a word that no line could hold, and one that would be taken for an encoded word', () => {
    const word = 'x'.repeat(3_000)
    const written = unstructured('Subject', word)
    expect(Math.max(...linesOf(written).map(({ length }) => length))).toBeLessThanOrEqual(76)
    expect(decoded(written.slice(9).replaceAll('\r\n', '')).trim()).toBe(word)
    expect(unstructured('Subject', '=?UTF-8?Q?x?=')).not.toContain('=?UTF-8?Q?x?=')
  })
})

test('a structured field folds at spaces, and says so when a word of it is too long', () => {
  const value = Array.from({ length: 40 }, (_, index) => `<id-${index}@example.org>`).join(' ')
  const written = structured('References', value)
  expect(linesOf(written).every((line) => line.length <= 78)).toBe(true)
  expect(written.replaceAll('\r\n', '')).toBe(`References: ${value}`)
  expect(() => structured('List-Help', `<https://example.org/${'x'.repeat(1_000)}>`)).toThrow(/List-Help is longer/)
})

describe('an address field', () => {
  test.each([
    ['Ada Lovelace', 'To: Ada Lovelace <ada@example.com>\r\n'],
    ['', 'To: ada@example.com\r\n'],
    ['J. R. Smith', 'To: "J. R. Smith" <ada@example.com>\r\n'],
    ['a "b" \\c', 'To: "a \\"b\\" \\\\c" <ada@example.com>\r\n'],
    ['a  b', 'To: "a  b" <ada@example.com>\r\n'],
    ['Smith, John', 'To: "Smith, John" <ada@example.com>\r\n'],
    ['Jörg', 'To: =?UTF-8?Q?J=C3=B6rg?= <ada@example.com>\r\n'],
    ['=?x?Q?y?=', 'To: =?UTF-8?B?PT94P1E/eT89?= <ada@example.com>\r\n'],
  ])('writes the name %j as it must be', (name, written) => {
    expect(addressField('To', [mailbox('ada@example.com', name)])).toBe(written)
  })

  test('is folded between names and addresses, each line within its limit', () => {
    const names = ['Ada', 'Größe '.repeat(20).trim(), 'word '.repeat(50).trim(), 'x'.repeat(3_000), '', 'a, b']
    const all = names.map((name, index) => mailbox(`reader${index}@${'label.'.repeat(30)}example`, name))
    for (const field of ['To', 'Disposition-Notification-To']) {
      for (const list of [all, [...all].reverse(), ...all.map((one) => [one])]) {
        const written = addressField(field, list)
        for (const line of linesOf(written)) {
          const most = line.includes('=?') ? 76 : Math.max(78, 1 + `<${list[0]!.wire}>,`.length + field.length + 1)
          expect(line.length, line).toBeLessThanOrEqual(most)
          expect(line).not.toMatch(/^\s*$/)
        }
      }
    }
  })

  test('is read by two parsers as it was meant, whatever the names', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(headerValue, { minLength: 1, maxLength: 5 }), async (names) => {
        const people = names.map((name, index) => ({ name, address: `reader${index}@example.com` }))
        const list = people.map(({ name, address }) => `"${hole(name)}" <${address}>`).join(', ')
        const message = await compose({
          from: `"${hole(names[0]!)}" <a@example.org>`,
          to: list,
          replyTo: list,
          text: 'a',
        })
        expect(faultsOf(message)).toEqual([])
        const expected = people.map(({ name, address }) => ({
          name: name.toWellFormed().replaceAll('\t', ' ').trim(),
          address,
        }))
        for (const [who, read] of await judge(octetsOf(message))) {
          expect(read.to, who).toEqual(expected)
          expect(read.replyTo, who).toEqual(expected)
          expect(read.from[0]?.name, who).toBe(expected[0]?.name)
        }
      }),
      { numRuns: RUNS },
    )
  }, 600_000)
})

test('a date is in UTC, with the right day', () => {
  expect(messageDate(new Date('2026-01-02T03:04:05.678Z'))).toBe('Fri, 2 Jan 2026 03:04:05 +0000')
  expect(messageDate(new Date('2024-02-29T23:59:59Z'))).toBe('Thu, 29 Feb 2024 23:59:59 +0000')
})

describe('names of files', () => {
  const NAMES = [
    'terms.pdf',
    'a "b".pdf',
    'back\\slash.pdf',
    'two\r\nlines.pdf',
    '\u202efdp.exe',
    `${'x'.repeat(300)}.pdf`,
    `${'ö'.repeat(300)}.pdf`,
    `${'語'.repeat(150)}.pdf`,
    'CON',
    'con.txt',
    '../x',
    '..\\..\\x.txt',
    '/etc/passwd',
    '👩‍👩‍👧‍👦.png',
    '',
    '   ',
    '.',
    '..',
    '.htaccess',
    "it's 100%.pdf",
    "filename*=UTF-8''x.pdf",
    '=?UTF-8?Q?x?=.pdf',
    'a;b=c.pdf',
    'Größe.pdf',
    'حالة.pdf',
    'a\u0000b.pdf',
    'semi;colon.pdf',
    'percent%20.pdf',
    'tab\there.pdf',
    '\ud800.pdf',
    ...Array.from({ length: 70 }, (_, index) => `${'a'.repeat(index + 1)}ö${'b'.repeat(index * 2)} c.pdf`),
    ...Array.from({ length: 100 }, (_, index) => `${'x'.repeat(index + 30)}'"(${index}).pdf`),
  ]

  test(`come back, or as their safe form: ${NAMES.length} of them from every parser`, async () => {
    const messages = await Promise.all(
      NAMES.map((name) =>
        compose({ text: 'a', attachments: [{ kind: 'content', name, type: 'application/x-a', content: 'a' }] }),
      ),
    )
    const python = whyNoPython() === undefined ? judgeByPython(messages.map(octetsOf)) : undefined
    for (const [index, name] of NAMES.entries()) {
      const message = messages[index]!
      expect(faultsOf(message)).toEqual([])
      for (const line of octetsOf(message).toString().split('\r\n')) expect(line.length).toBeLessThanOrEqual(78)
      const safe = safeName(name)
      for (const [who, read] of await judge(octetsOf(message))) expect(read.files[0]?.name, who).toBe(safe)
      if (python !== undefined) expect(python[index]?.files[0]?.name).toBe(safe)
    }
  })
})

test('naughty strings come back or are refused, in every place', async ({ skip }) => {
  if (!existsSync(NAUGHTY)) return skip('the public corpora are not here')
  const strings = JSON.parse(readFileSync(NAUGHTY, 'utf8')) as readonly string[]
  expect(strings.length).toBeGreaterThan(500)
  let refused = 0
  for (const text of strings) {
    const shown = text.toWellFormed().replaceAll('\t', ' ').trim()
    let message: Awaited<ReturnType<typeof compose>>
    try {
      message = await compose({
        from: `"${hole(text)}" <a@example.org>`,
        to: `"${hole(text)}" <ada@example.com>`,
        subject: text,
        headers: [['X-Naughty', text]],
        text,
        html: text,
        attachments: [{ kind: 'content', name: text, type: 'text/plain', content: text }],
      })
    } catch (error) {
      expect(error).toBeInstanceOf(DataError)
      expect(text).toMatch(/[\p{Cc}\u2028\u2029]/u)
      refused++
      continue
    }
    expect(faultsOf(message)).toEqual([])
    const octets = octetsOf(message)
    expect(decoded(fieldOf(octets, 'X-Naughty') ?? '')).toBe(shown)
    for (const [who, read] of await judge(octets)) {
      expect(read.subject ?? '', who).toBe(shown)
      expect(read.from[0]?.name, who).toBe(shown)
      expect(read.to[0]?.name, who).toBe(shown)
      expect(read.text?.trim(), who).toBe(text.toWellFormed().replace(/\r\n?/g, '\n').trim())
      expect(read.html?.trim() ?? '', who).toBe(text.toWellFormed().replace(/\r\n?/g, '\n').trim())
      expect(read.files[0]?.content.toString(), who).toBe(text.toWellFormed())
    }
  }
  expect(refused).toBeLessThan(10)
})
